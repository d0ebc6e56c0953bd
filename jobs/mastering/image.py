"""The extent map: a disc image that is never a file, read at any position.

The burner imports this module and the standard library alone, so that it starts in a moment.
"""

import bisect
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Self

from jobs.errors import SourceChanged
from jobs.manifest import Entry, Manifest
from jobs.mastering.opening import Folders

#: Bytes of a block of a ready-made image.
_BLOCK = 2048
#: Blocks that share one checksum, and that are read at once: a drive's largest usual transfer.
CHUNK_BLOCKS = 32
#: Bytes that the kernel is asked to copy at once: so often is progress heard, and a signal.
_SENT_AT_ONCE = 64 << 20


class Source(NamedTuple):
    """A file that content is read from, as it was when it was staged.

    A tuple, like `Extent`: an image has as many of both as files, and a frozen dataclass takes three times as long
    to be made.
    """

    path: str
    size: int  #: bytes
    mtime_ns: int
    inode: int
    sha256: str

    @classmethod
    def of(cls, entry: Entry) -> "Source":
        """Return where the content of a manifest's entry is read from."""
        return cls(entry.source, entry.size, entry.source_mtime_ns, entry.inode, entry.sha256)

    def check(self, found: os.stat_result) -> None:
        """Compare with what is there now.

        Raises:
            SourceChanged: another file, another size or another time.
        """
        if not stat.S_ISREG(found.st_mode) or found.st_ino != self.inode:
            raise SourceChanged(self.path, "was replaced")
        if found.st_size != self.size:
            raise SourceChanged(self.path, f"changed its size from {self.size} to {found.st_size} bytes")
        if found.st_mtime_ns != self.mtime_ns:
            raise SourceChanged(self.path, "was written to")


class Extent(NamedTuple):
    """A run of bytes of the image: a file's content, or metadata when `source` is None.

    `offset` is the place in the image; `place` is the path on the disc, for reports.
    """

    offset: int
    length: int
    source: Source | None = None
    data: bytes = b""
    place: str = ""


_OFFSET = attrgetter("offset")


@dataclass(frozen=True, slots=True)
class ExtentMap:
    """The laid-out image of a disc. Extents are sorted and never overlap; gaps read as zeros."""

    block_size: int
    blocks: int
    extents: tuple[Extent, ...]

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
        for extent in self.extents[index:]:
            if extent.offset >= end:
                break
            if extent.offset + extent.length > start:
                named.append(extent.place or "(file system metadata)")
        return named or ["(padding)"]

    def save(self, path: Path) -> None:
        """Write the map to a file: a JSON line of figures, then one for each extent."""
        with path.open("w", encoding="utf-8", errors="surrogateescape") as out:
            json.dump({"block_size": self.block_size, "blocks": self.blocks}, out)
            for extent in self.extents:
                out.write("\n")
                source = None if extent.source is None else extent.source._asdict()
                row = extent._asdict() | {"source": source, "data": extent.data.hex()}
                json.dump({key: value for key, value in row.items() if value}, out)
            out.write("\n")
            out.flush()
            os.fsync(out.fileno())

    @classmethod
    def load(cls, path: Path) -> "ExtentMap":
        """Read a map that `save` wrote."""
        with path.open(encoding="utf-8", errors="surrogateescape") as lines:
            head = json.loads(next(lines))
            extents = tuple(_extent(json.loads(line)) for line in lines)
        return cls(head["block_size"], head["blocks"], extents)


def as_it_is(manifest: Manifest) -> ExtentMap:
    """Make the extent map of a manifest whose one entry is an image already."""
    (entry,) = manifest.entries
    return ExtentMap(_BLOCK, entry.size // _BLOCK, (Extent(0, entry.size, Source.of(entry), place=entry.path),))


def read_figures(path: Path) -> tuple[int, int]:
    """Read block size (bytes) and blocks of a saved map, and no more of it."""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        head = json.loads(next(lines))
    return head["block_size"], head["blocks"]


def read_sources(path: Path) -> Iterator[Source]:
    """Read through the sources of a saved map, one at a time."""
    with path.open(encoding="utf-8", errors="surrogateescape") as lines:
        next(lines)
        for line in lines:
            source = _extent(json.loads(line)).source
            if source is not None:
                yield source


def _extent(row: dict[str, object]) -> Extent:
    fields = {"offset": 0, "length": 0, **row, "data": bytes.fromhex(str(row.get("data", "")))}
    source = row.get("source")
    if isinstance(source, dict):
        fields["source"] = Source(**{"size": 0, "mtime_ns": 0, "inode": 0, **source})
    return Extent(**fields)  # type: ignore[arg-type]


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
        index = bisect.bisect_right(extents, position, key=lambda extent: extent.offset) - 1
        if index < 0 or extents[index].source is None:
            return None
        extent, block = extents[index], self.image.block_size
        length = (extent.offset + extent.length - position) // block * block
        source = extent.source
        if length <= 0 or source is None:
            return None
        return FileRun(source, self._handle(source), position - extent.offset, length)

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
        if self._open is not None and self._open[0] is source:
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
