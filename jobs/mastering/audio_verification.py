"""Reading an audio disc back: a drive may begin some samples early or late, and nothing else may differ.

Reading and writing each shift all samples by a number that a drive never changes, and audio blocks bear no address
that would tell. So a disc is first compared as it is read; if that fails, the shift is looked for, and the whole disc
is compared under it, sample by sample.
"""

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from jobs.errors import SourceChanged
from jobs.mastering.audio_offset import SAMPLE, find_offset
from jobs.mastering.image import CHUNK_BLOCKS, ImageReader
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import AUDIO_BLOCK, Family
from jobs.mastering.progress import ProgressListener
from jobs.mastering.verification import Comparison, Difference, Report, check_end, chunks, compare

#: Bytes of a second of sound; of what is compared at once.
_SECOND, _CHUNK = 75 * AUDIO_BLOCK, CHUNK_BLOCKS * AUDIO_BLOCK
#: Differing chunks that are narrowed down to blocks; beyond, whole chunks are reported.
_CHUNKS_NARROWED = 256

#: Starts reading the disc from its first block, anew at every call.
Pieces = Callable[[], Iterator[bytes]]


def compare_audio(pieces: Pieces, master: StoredMaster, listener: ProgressListener) -> Comparison:
    """Read an audio disc back and compare it with its master, under the offset that makes them equal.

    A disc that is not equal as it is read is read up to three times; `listener` hears VerifyProgress of each. Where a
    source of the master is gone the disc is compared as it is read, since there is nothing to find the offset by.

    Raises:
        MediumDiffers: a block can't be read, or the disc ends early.
    """
    sha256 = _digest_if_equal(_read(pieces, master, listener), master)
    if sha256 is not None:
        return Comparison(sha256, master.size, ())
    try:
        with ImageReader(master.load_image()) as reader:
            offset = find_offset(_read(pieces, master, listener), reader)
            return _compare_at(offset, _read(pieces, master, listener), reader, master)
    except SourceChanged:
        return compare(pieces(), master, listener, Family.CD)


def _read(pieces: Pieces, master: StoredMaster, listener: ProgressListener) -> Iterator[memoryview]:
    """Read the disc from its first block, in chunks.

    Raises:
        MediumDiffers: a block can't be read, or the disc ends early.
    """
    report, done = Report(master, listener, _SECOND), 0
    for chunk in chunks(pieces(), _CHUNK, master.size):
        yield chunk
        done += len(chunk)
        report.tell(done)
    check_end(done, master.size)


def _digest_if_equal(disc: Iterable[memoryview], master: StoredMaster) -> str | None:
    """Return the disc's digest if it is the master's as it is read; None at the first chunk that is not."""
    expected, digest = master.load_checksums(), hashlib.sha256()
    for chunk, checksum in zip(disc, expected.chunks, strict=True):
        if zlib.crc32(chunk) != checksum:
            return None
        digest.update(chunk)
    sha256 = digest.hexdigest()
    return sha256 if sha256 == expected.sha256 else None


@dataclass(slots=True)
class _Runs:
    """Runs of blocks that differ, as they are found one after the other."""

    found: list[list[int]] = field(default_factory=list)  #: first block and number of blocks
    chunks: int = 0

    def take(self, position: int, disc: bytes, wanted: bytes) -> None:
        """Compare what lies at a byte of the image, within one chunk of it."""
        if disc == wanted:
            return
        self.chunks += 1
        end = position + len(wanted)
        for block in range(position // AUDIO_BLOCK, -(-end // AUDIO_BLOCK)):
            part = slice(max(0, block * AUDIO_BLOCK - position), (block + 1) * AUDIO_BLOCK - position)
            if self.chunks > _CHUNKS_NARROWED or disc[part] != wanted[part]:
                self._add(block)

    def _add(self, block: int) -> None:
        if self.found and block <= sum(self.found[-1]):
            self.found[-1][1] = block + 1 - self.found[-1][0]
        else:
            self.found.append([block, 1])


def _compare_at(offset: int, disc: Iterable[memoryview], reader: ImageReader, master: StoredMaster) -> Comparison:
    """Compare the whole disc under an offset, all but the samples of one end that it pushes out of reach."""
    size, shift, runs = master.size, offset * SAMPLE, _Runs()
    digest = hashlib.sha256(reader.read(0, max(0, -shift)))
    for position, part in _shifted(disc, shift, size):
        runs.take(position, bytes(part), reader.read(position, len(part)))
        digest.update(part)
    digest.update(reader.read(size - max(0, shift), max(0, shift)))
    sha256 = digest.hexdigest()
    return Comparison(sha256, size, _named(runs.found, sha256, reader, master), offset, abs(offset))


def _named(
    runs: Sequence[Sequence[int]], sha256: str, reader: ImageReader, master: StoredMaster
) -> tuple[Difference, ...]:
    """Say of runs of blocks in which tracks they are; of other bytes that nothing explains, that they are somewhere."""
    if not runs and sha256 != master.sha256:
        return (Difference(0, master.blocks, ("(digest of the whole image)",)),)
    place = master.programme or reader.image
    return tuple(Difference(first, blocks, tuple(place.places(first, blocks))) for first, blocks in runs)


def _shifted(disc: Iterable[memoryview], shift: int, size: int) -> Iterator[tuple[int, memoryview]]:
    """Cut the disc where the image's chunks are; yield each part with its place in the image."""
    position = -shift
    for chunk in disc:
        cut = -position % _CHUNK
        yield from _within(position, chunk[:cut], size)
        yield from _within(position + cut, chunk[cut:], size)
        position += len(chunk)


def _within(position: int, part: memoryview, size: int) -> Iterator[tuple[int, memoryview]]:
    """Yield what of a part lies in the image."""
    inside = part[max(0, -position) : max(0, size - position)]
    if inside:
        yield max(0, position), inside
