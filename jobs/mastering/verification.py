"""Reading back: a disc is good when every block of it is the master's."""

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jobs.errors import MediumDiffers, SourceChanged
from jobs.mastering.checksums import Checksums
from jobs.mastering.image import CHUNK_BLOCKS, ExtentMap, ImageReader
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import Family
from jobs.mastering.progress import ProgressListener, VerifyProgress
from jobs.mastering.throughput import SpeedMeter

#: Differing chunks kept to be compared block by block; beyond, whole chunks are reported.
_CHUNKS_KEPT = 256
#: Places named in a report.
_PLACES_NAMED = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """A run of blocks that are not the master's, and what lies there."""

    first_block: int
    blocks: int
    places: tuple[str, ...]

    def __str__(self) -> str:
        last = self.first_block + self.blocks - 1
        where = f"block {last}" if self.blocks == 1 else f"blocks {self.first_block}-{last}"
        named = ", ".join(place if place.isprintable() else repr(place) for place in self.places[:_PLACES_NAMED])
        more = f" and {len(self.places) - _PLACES_NAMED} more" if len(self.places) > _PLACES_NAMED else ""
        return f"{where} ({named}{more})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What reading a disc back showed.

    Of audio, `offset_samples` is how much later the disc's samples came than the master's, since drives are off by a
    constant in reading and in writing, and `not_compared` the samples at one end that could not be read for that.
    `sha256` is then of the disc without the offset, the master's samples put in for those.
    """

    sha256: str
    bytes_read: int
    differences: tuple[Difference, ...]
    offset_samples: int = 0
    not_compared: int = 0

    @property
    def equal(self) -> bool:
        """True if every block is the master's, as far as it was compared."""
        return not self.differences


class Report:
    """Tells a listener how far a disc is read."""

    def __init__(self, master: StoredMaster, listener: ProgressListener, speed_1x: int) -> None:
        self._block_size, self._blocks = master.block_size, master.blocks
        self._listener, self._meter = listener, SpeedMeter(speed_1x)

    def tell(self, done: int) -> None:
        """Tell that so many bytes are read: at the end, and when it is time."""
        if self._meter.is_due(done) or done == self._block_size * self._blocks:
            speed = self._meter.speed_x(done)
            self._listener.notify(VerifyProgress(done // self._block_size, self._blocks, speed))


@dataclass(slots=True)
class _Comparer:
    """Compares chunk after chunk as they come in."""

    expected: Checksums
    bad: dict[int, bytes | None] = field(default_factory=dict)
    chunk: int = 0

    def take(self, data: memoryview) -> None:
        """Compare the next whole chunk; the last one may be shorter."""
        if zlib.crc32(data) != self.expected.chunks[self.chunk]:
            self.bad[self.chunk] = bytes(data) if len(self.bad) < _CHUNKS_KEPT else None
        self.chunk += 1


def compare(pieces: Iterable[bytes], master: StoredMaster, listener: ProgressListener, family: Family) -> Comparison:
    """Read a disc back and compare it with its master, block by block.

    `pieces` are the disc's bytes in order; `listener` hears VerifyProgress in blocks. The extent map is loaded
    only to name what differs: that of a disc with many files is large.

    Raises:
        MediumDiffers: a block can't be read, or the disc ends early.
    """
    expected, size, blocks = master.load_checksums(), master.size, master.blocks
    digest, comparer = hashlib.sha256(), _Comparer(expected)
    report = Report(master, listener, family.speed_1x)
    done = 0
    for chunk in chunks(pieces, CHUNK_BLOCKS * master.block_size, size):
        digest.update(chunk)
        comparer.take(chunk)
        done += len(chunk)
        report.tell(done)
    check_end(done, size)
    sha256 = digest.hexdigest()
    differences = tuple(_name_differences(master.load_image(), comparer.bad)) if comparer.bad else ()
    if sha256 != expected.sha256 and not differences:
        differences = (Difference(0, blocks, ("(digest of the whole image)",)),)
    return Comparison(sha256, done, differences)


def describe(differences: tuple[Difference, ...]) -> str:
    """Say in one sentence what differs."""
    named = "; ".join(str(difference) for difference in differences[:_PLACES_NAMED])
    more = f"; and {len(differences) - _PLACES_NAMED} more ranges" if len(differences) > _PLACES_NAMED else ""
    return f"the disc differs from its master in {named}{more}"


def check_end(done: int, size: int) -> None:
    """Refuse a disc that ends early.

    Raises:
        MediumDiffers: it does.
    """
    if done < size:
        message = f"the disc ends after {done} of {size} bytes"
        raise MediumDiffers(message)


def chunks(pieces: Iterable[bytes], size: int, total: int) -> Iterator[memoryview]:
    """Cut pieces of any size into chunks, at most `total` bytes of them."""
    rest = b""
    left = total
    for piece in pieces:
        data = memoryview(rest + piece if rest else piece)[:left]
        whole = len(data) if len(data) == left else len(data) // size * size
        for start in range(0, whole, size):
            yield data[start : min(start + size, whole)]
        rest = bytes(data[whole:])
        left -= whole
        if left == 0:
            return
    if rest:
        yield memoryview(rest)


def _name_differences(image: ExtentMap, bad: dict[int, bytes | None]) -> Iterator[Difference]:
    first, count = -1, 0
    for block in _bad_blocks(image, bad):
        if block == first + count:
            count += 1
            continue
        if count:
            yield Difference(first, count, tuple(image.places(first, count)))
        first, count = block, 1
    if count:
        yield Difference(first, count, tuple(image.places(first, count)))


def _bad_blocks(image: ExtentMap, bad: dict[int, bytes | None]) -> Iterator[int]:
    """Narrow bad chunks down to blocks where the master can still be read."""
    with ImageReader(image) as reader:
        for chunk, found in sorted(bad.items()):
            first = chunk * CHUNK_BLOCKS
            blocks = range(first, min(first + CHUNK_BLOCKS, image.blocks))
            yield from _differing(reader, blocks, found) if found is not None else blocks


def _differing(reader: ImageReader, blocks: range, found: bytes) -> Iterable[int]:
    size = reader.image.block_size
    try:
        wanted = reader.read(blocks.start * size, len(found))
    except SourceChanged:
        return blocks
    return [
        block
        for index, block in enumerate(blocks)
        if wanted[index * size : (index + 1) * size] != found[index * size : (index + 1) * size]
    ]
