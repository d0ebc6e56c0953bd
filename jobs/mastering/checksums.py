"""What an image must read as: its digest and checksums, taken as it passes through once."""

import hashlib
import os
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import SourceChanged
from jobs.mastering.extents import Extent
from jobs.mastering.image import CHUNK_BLOCKS, ExtentMap, ImageReader

#: Takes bytes of an image, which start at a position.
Taker = Callable[[int, memoryview], object]
#: Bytes read at a time when a whole image passes through: a few are worth the handing over to a thread.
_STRIDE = 4 << 20


@dataclass(frozen=True, slots=True)
class Checksums:
    """What an image must read as: the SHA-256 of all of it, a CRC-32 for each chunk of 32 blocks."""

    sha256: str
    chunks: array  # type: ignore[type-arg]  # of unsigned 32-bit integers

    def save(self, path: Path) -> None:
        """Write to a file: the digest as a line, then the checksums, little-endian."""
        with path.open("wb") as out:
            out.write(self.sha256.encode() + b"\n")
            out.write(_little_endian(self.chunks).tobytes())
            out.flush()
            os.fsync(out.fileno())

    @classmethod
    def load(cls, path: Path) -> "Checksums":
        """Read what `save` wrote."""
        digest, _, rest = path.read_bytes().partition(b"\n")
        chunks = array("I")
        chunks.frombytes(rest)
        return cls(digest.decode(), _little_endian(chunks))


def read_digest(path: Path) -> str:
    """Read the SHA-256 of saved checksums, and no more of them."""
    with path.open("rb") as lines:
        return next(lines).decode().strip()


def _little_endian(values: array) -> array:  # type: ignore[type-arg]
    if sys.byteorder == "little":
        return values
    swapped = array("I", values)
    swapped.byteswap()
    return swapped


class ChecksumTaker:
    """Takes an image's checksums as it passes through, in pieces of any size."""

    def __init__(self, block_size: int) -> None:
        self._chunk = CHUNK_BLOCKS * block_size
        self._digest = hashlib.sha256()
        self._chunks = array("I")
        self._crc = 0
        self._filled = 0

    def update(self, data: memoryview | bytes) -> None:
        """Take the next bytes."""
        view = memoryview(data)
        self._digest.update(view)
        while view:
            part = view[: self._chunk - self._filled]
            self._crc = zlib.crc32(part, self._crc)
            self._filled += len(part)
            view = view[len(part) :]
            if self._filled == self._chunk:
                self._chunks.append(self._crc)
                self._crc = self._filled = 0

    def result(self) -> Checksums:
        """Return the checksums of everything taken."""
        chunks = array("I", self._chunks)
        if self._filled:
            chunks.append(self._crc)
        return Checksums(self._digest.hexdigest(), chunks)


def take_checksums(image: ExtentMap, progress: Callable[[int], None] = lambda _: None) -> Checksums:
    """Read a whole image once, checking each file's SHA-256 on the way.

    `progress` hears the bytes read so far.

    Raises:
        SourceChanged: a source is not what was staged, by its state or by its content.
    """
    taker, guard = ChecksumTaker(image.block_size), SourceGuard(image.extents)
    pass_through(image, [lambda _, data: taker.update(data), guard.update], progress)
    return taker.result()


def pass_through(image: ExtentMap, takers: Sequence[Taker], progress: Callable[[int], None]) -> None:
    """Read an image once, in order; each taker takes every piece, in a thread beside those of the others.

    Hashing lets go of the interpreter's lock, so reading and each digest have a processor where there is one.

    Raises:
        SourceChanged: a source is not what was staged; or whatever else a taker raises.
    """
    buffers = [memoryview(bytearray(_STRIDE)) for _ in range(2)]  # one is filled while the other one is taken
    taking: list[Future[object]] = []
    with ImageReader(image) as reader, ThreadPoolExecutor(len(takers), thread_name_prefix="passing") as pool:
        for number, position in enumerate(range(0, image.size, _STRIDE)):
            part = buffers[number % 2][: min(_STRIDE, image.size - position)]
            reader.readinto(position, part)
            _finish(taking)
            progress(position)
            taking = [pool.submit(taker, position, part) for taker in takers]
        _finish(taking)
    progress(image.size)


def _finish(taking: Iterable[Future[object]]) -> None:
    for each in taking:
        each.result()


class SourceGuard:
    """Compares each file's bytes with its staged SHA-256 as the image passes through in order."""

    def __init__(self, extents: Sequence[Extent]) -> None:
        self._pending = iter([extent for extent in extents if extent.source is not None and extent.length])
        self._extent = next(self._pending, None)
        self._digest = hashlib.sha256()

    def update(self, position: int, data: memoryview) -> None:
        """Take the image's next bytes, which start at `position`.

        Raises:
            SourceChanged: a file's bytes have another digest.
        """
        end = position + len(data)
        while self._extent is not None and self._extent.offset < end:
            extent = self._extent
            stop = extent.offset + extent.length
            self._digest.update(data[max(0, extent.offset - position) : stop - position])
            if stop > end:
                return
            assert extent.source is not None  # noqa: S101  (only such are pending)
            if self._digest.hexdigest() != extent.source.sha256:
                raise SourceChanged(extent.source.path, "has other content")
            self._extent, self._digest = next(self._pending, None), hashlib.sha256()
