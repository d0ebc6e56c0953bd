"""Finding by how many samples a drive reads an audio disc early or late."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from jobs.mastering.image import ImageReader

#: Samples that reading and writing may be off by, together.
MOST_OFFSET = 3000
_OFFSETS = range(-MOST_OFFSET, MOST_OFFSET + 1)
#: Bytes of a sample, left and right.
SAMPLE = 4
_REACH = MOST_OFFSET * SAMPLE
#: Bytes of a window of samples that is looked for on the disc; parts of the disc that give one each.
_WINDOW, _REGIONS = 4096, 32
#: Windows that settle the offset where all of them say the same.
_ENOUGH = 4
#: Bytes of the disc's beginning and end that decide where no window does.
_EDGE = 2 * _REACH


def find_offset(disc: Iterator[memoryview], reader: ImageReader) -> int:
    """Return by how many samples a disc comes later than its image; 0 where nothing speaks for another number.

    Windows of the image that fit in one place only are looked for on the disc, and most of them decide. In an image
    that has none, being silent or periodic all over, it is the smallest number under which sound and silence fit,
    and the disc's beginning and end.

    Raises:
        SourceChanged: a source of the image is not what was staged.
    """
    edges = _Edges(reader)
    unique, other = Counter[int](), Counter[int]()
    for window, around in _surroundings(edges.watch(disc), _windows(reader)):
        (unique if window.unique else other).update(window.offsets(around))
        if len(unique) == 1 and unique.total() == _ENOUGH:
            break
    if unique:
        return max(unique, key=lambda offset: (unique[offset], other[offset], -abs(offset), offset))
    # Damage robs the right offset of a window or two: what half of them allow may be right.
    least = max(other.values(), default=0) / 2
    return edges.smallest_that_fits(offset for offset in _OFFSETS if other[offset] >= least)


@dataclass(frozen=True, slots=True)
class _Window:
    """A few samples of the master, to be looked for on the disc. `unique` says that they fit in one place only."""

    position: int
    data: bytes = field(repr=False)
    unique: bool

    @property
    def start(self) -> int:
        """The first byte of the disc at which they may be."""
        return self.position - _REACH

    @property
    def end(self) -> int:
        """The byte of the disc behind them."""
        return self.position + len(self.data) + _REACH

    def offsets(self, around: bytes | bytearray) -> Iterator[int]:
        """Yield the offsets at which they are found, in what lies on the disc from `start` to `end`."""
        return ((self.start + place - self.position) // SAMPLE for place in _places(self.data, around))


def _places(window: bytes, around: bytes | bytearray) -> Iterator[int]:
    place = around.find(window)
    while place >= 0:
        if place % SAMPLE == 0:
            yield place
        place = around.find(window, place - place % SAMPLE + SAMPLE)


def _windows(reader: ImageReader) -> Iterator[_Window]:
    """Choose a window in each region of the disc that has any sound, so that damage in one of them does not mislead.

    None is so near to an end that some offset would push it out of reach.
    """
    places = range(_REACH, reader.image.size - _REACH - _WINDOW, _WINDOW // 2)
    each = -(-len(places) // _REGIONS) or 1
    chosen = (_window_in(reader, places[first : first + each]) for first in range(0, len(places), each))
    return (window for window in chosen if window is not None)


def _window_in(reader: ImageReader, places: Sequence[int]) -> _Window | None:
    """Choose the first window that fits in one place only; failing that the first one with sound."""
    chosen: _Window | None = None
    for place in places:
        window = _Window(place, reader.read(place, _WINDOW), unique=True)
        if not _is_silent(window.data):
            if list(islice(window.offsets(reader.read(window.start, window.end - window.start)), 2)) == [0]:
                return window
            chosen = chosen or replace(window, unique=False)
    return chosen


def _is_silent(data: bytes) -> bool:
    return data == data[:SAMPLE] * (len(data) // SAMPLE)


def _surroundings(disc: Iterator[memoryview], windows: Iterator[_Window]) -> Iterator[tuple[_Window, bytearray]]:
    """Pair windows, in the order of their positions, with what the disc has around them; then read to its end."""
    held, start = bytearray(), 0
    for window in windows:
        while start + len(held) < window.end and (chunk := next(disc, None)) is not None:
            held += chunk
            spare = max(0, min(window.start - start, len(held)))
            del held[:spare]
            start += spare
        yield window, held[max(0, window.start - start) : window.end - start]
    for _ in disc:
        continue


class _Edges:
    """The beginning and the end of a disc, kept as it is read."""

    def __init__(self, reader: ImageReader) -> None:
        self._reader = reader
        self._head, self._tail, self._read = bytearray(), bytearray(), 0

    def watch(self, disc: Iterator[memoryview]) -> Iterator[memoryview]:
        """Pass the disc on."""
        for chunk in disc:
            self._head += chunk[: _EDGE - len(self._head)]
            self._tail += chunk
            del self._tail[:-_EDGE]
            self._read += len(chunk)
            yield chunk

    def smallest_that_fits(self, offsets: Iterable[int]) -> int:
        """Return the smallest offset under which both are the image's; failing that, one of them, or none."""
        fitting: dict[int, int] = {}
        for offset in sorted(offsets, key=lambda offset: (abs(offset), offset)):
            fitting[offset] = self._fit(offset)
            if fitting[offset] == len((self._head, self._tail)):
                return offset
        return max(fitting, key=fitting.__getitem__)

    def _fit(self, offset: int) -> int:
        """Say how many of the two are the image's under an offset."""
        shift, end = offset * SAMPLE, self._read - len(self._tail)
        return self._is_at(-shift, bytes(self._head)) + self._is_at(end - shift, bytes(self._tail))

    def _is_at(self, position: int, data: bytes) -> bool:
        """Compare with the image what lies in it."""
        inside = data[max(0, -position) : max(0, self._reader.image.size - position)]
        return self._reader.read(max(0, position), len(inside)) == inside
