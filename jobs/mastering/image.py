"""The extent map: a disc image that is never a file, read at any position.

The burner imports it, so it needs little but the standard library: it has to start in a moment.
"""

import bisect
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Self

from jobs.errors import SourceChanged
from jobs.manifest import Manifest
from jobs.mastering.extents import Extent, Source, StoredExtents, write_extents
from jobs.mastering.opening import Folders

#: Bytes of a block of a ready-made image.
_BLOCK = 2048
#: Blocks that share one checksum, and that are read at once: a drive's largest usual transfer.
CHUNK_BLOCKS = 32
#: Bytes that the kernel is asked to copy at once: so often is progress heard, and a signal.
_SENT_AT_ONCE = 64 << 20

_OFFSET = attrgetter("offset")


@dataclass(frozen=True, slots=True)
class ExtentMap:
    """The laid-out image of a disc. Extents are sorted and never overlap; gaps read as zeros."""

    block_size: int
    blocks: int
    extents: Sequence[Extent]

    @property
    def size(self) -> int:
        """Bytes of the whole image, padding included."""
        return self.block_size * self.blocks

    @property
    def sources(self) -> Iterator[Source]:
        """Every file the image reads from."""
        return (extent.source for extent in self.extents if extent.source is not None)

    def places(self, first_block: int, blocks: int) -> list[str]:
        """Name what lies in a range of blocks: files by their place, metadata as such."""
        start, end = first_block * self.block_size, (first_block + blocks) * self.block_size
        index = max(0, bisect.bisect_right(self.extents, start, key=_OFFSET) - 1)
        named: list[str] = []
        for number in range(index, len(self.extents)):
            extent = self.extents[number]
            if extent.offset >= end:
                break
            if extent.offset + extent.length > start:
                named.append(extent.place or "(file system metadata)")
        return named or ["(padding)"]

    def save(self, path: Path) -> None:
        """Write the map to a file that `load` opens in a moment, however many extents it has."""
        write_extents(path, (self.block_size, self.blocks), self.extents)

    @classmethod
    def load(cls, path: Path) -> "ExtentMap":
        """Open a map that `save` wrote; extents are read from it when they are asked for.

        Raises:
            ValueError: it is not one.
        """
        extents = StoredExtents(path)
        return cls(*extents.figures, extents)


def as_it_is(manifest: Manifest) -> ExtentMap:
    """Make the extent map of a manifest whose one entry is an image already."""
    (entry,) = manifest.entries
    return ExtentMap(_BLOCK, entry.size // _BLOCK, (Extent(0, entry.size, Source.of(entry), place=entry.path),))


@dataclass(frozen=True, slots=True)
class FileRun:
    """Bytes of an image that lie in one open file: whole blocks, for whoever can do without looking at them."""

    source: Source
    handle: int
    offset: int
    length: int

    def read(self) -> bytes:
        """Read them all.

        Raises:
            SourceChanged: they can't be read any more.
        """
        buffer = bytearray(self.length)
        _fill_from(self.handle, self.offset, memoryview(buffer), self.source)
        return bytes(buffer)

    def part(self, start: int, length: int) -> "FileRun":
        """Return a part of it, at most `length` bytes."""
        return FileRun(self.source, self.handle, self.offset + start, min(length, self.length - start))


class ImageReader:
    """Reads an extent map's bytes at any position; guards each source whenever it opens it.

    Not for use by several threads at once.
    """

    def __init__(self, image: ExtentMap) -> None:
        self.image = image
        self._folders = Folders()
        self._open: tuple[Source, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source that was read last, and its folder."""
        self._leave()
        self._folders.close()

    def _leave(self) -> None:
        if self._open is not None:
            os.close(self._open[1])
            self._open = None

    def read(self, position: int, size: int) -> bytes:
        """Return the image's bytes from `position`; fewer than `size` only at its end.

        Raises:
            SourceChanged: a source is not what was staged.
        """
        buffer = bytearray(max(0, min(size, self.image.size - position)))
        self.readinto(position, memoryview(buffer))
        return bytes(buffer)

    def readinto(self, position: int, buffer: memoryview) -> None:
        """Fill `buffer` with the image's bytes from `position`; what no extent covers becomes zeros."""
        extents = self.image.extents
        here, end = position, position + len(buffer)
        first = max(0, bisect.bisect_right(extents, position, key=_OFFSET) - 1)
        for index in range(first, len(extents)):
            extent = extents[index]
            start, stop = extent.offset, min(extent.offset + extent.length, end)
            if start >= end:
                break
            if stop <= here:
                continue
            if here < start:
                buffer[here - position : start - position] = bytes(start - here)
                here = start
            self._fill(extent, here - start, buffer[here - position : stop - position])
            here = stop
        buffer[here - position :] = bytes(end - here)

    def _fill(self, extent: Extent, offset: int, buffer: memoryview) -> None:
        if extent.source is None:
            buffer[:] = extent.data[offset : offset + len(buffer)]
            return
        _fill_from(self._handle(extent.source), offset, buffer, extent.source)

    def run_at(self, position: int) -> FileRun | None:
        """Find the whole blocks of one file that follow from a block on; None where something else does.

        The file stays open until another one is read.

        Raises:
            SourceChanged: it is not what was staged.
        """
        extents = self.image.extents
        index = bisect.bisect_right(extents, position, key=_OFFSET) - 1
        extent = extents[index] if index >= 0 else None
        if extent is None or extent.source is None:
            return None
        block = self.image.block_size
        length = (extent.offset + extent.length - position) // block * block
        if length <= 0:
            return None
        return FileRun(extent.source, self._handle(extent.source), position - extent.offset, length)

    def send(self, extent: Extent, out: int, progress: Callable[[int], None]) -> None:
        """Let the kernel copy a file of the image to where an open file is; `progress` hears the image's bytes so far.

        Raises:
            SourceChanged: the source is not what was staged.
        """
        assert extent.source is not None  # noqa: S101  (metadata is not sent)
        handle, done = self._handle(extent.source), 0
        while done < extent.length:
            count = os.sendfile(out, handle, done, min(_SENT_AT_ONCE, extent.length - done))
            if count == 0:
                raise SourceChanged(extent.source.path, "became shorter")
            done += count
            progress(extent.offset + done)

    def _handle(self, source: Source) -> int:
        if self._open is not None and self._open[0] == source:
            return self._open[1]
        self._leave()
        try:
            handle = self._folders.open(source.path)
        except OSError as error:
            raise SourceChanged(source.path, f"can't be opened ({error.strerror})") from error
        self._open = (source, handle)
        source.check(os.fstat(handle))
        return handle


def _fill_from(handle: int, offset: int, buffer: memoryview, source: Source) -> None:
    while buffer:
        try:
            count = os.preadv(handle, [buffer], offset)
        except OSError as error:
            raise SourceChanged(source.path, f"can't be read ({error.strerror})") from error
        if count == 0:
            raise SourceChanged(source.path, "became shorter")
        buffer, offset = buffer[count:], offset + count
