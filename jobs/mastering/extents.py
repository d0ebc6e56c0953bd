"""Runs of an image, and the file that keeps them: opened in a moment, however many they are, and read where needed.

The burner imports this module and the standard library alone. A file has a head, names and the bytes of metadata, and
a row of one size for each run, which tells where these are. Processes of one host share its pages.
"""

import mmap
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct
from typing import NamedTuple, overload

from jobs.errors import SourceChanged
from jobs.manifest import Entry


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
    data: bytes | memoryview = b""
    place: str = ""


_MAGIC = b"discmill map 2\n\0"
#: The magic, the two figures of the image, where the rows are, and their number.
_HEAD = Struct("<16sQQQQ")
#: Offset and length of a run; size, time and inode of its source; where its bytes are, and how many of them are
#: path, digest, place and metadata. A path of -1 bytes: there is no source.
_ROW = Struct("<qqqqQQiIIQ")
_NO_SOURCE = -1


def write_extents(path: Path, figures: tuple[int, int], extents: Sequence[Extent]) -> None:
    """Write runs to a file, on the disk when this returns."""
    rows, position = bytearray(), _HEAD.size
    with path.open("wb") as out:
        out.write(bytes(_HEAD.size))
        for extent in extents:
            row, kept = _packed(extent, position)
            rows += row
            out.writelines(kept)
            position += sum(map(len, kept))
        out.write(rows)
        out.seek(0)
        out.write(_HEAD.pack(_MAGIC, *figures, position, len(extents)))
        out.flush()
        os.fsync(out.fileno())


def _packed(extent: Extent, position: int) -> tuple[bytes, list[bytes | memoryview]]:
    source = extent.source or Source("", 0, 0, 0, "")
    kept = [os.fsencode(source.path), os.fsencode(source.sha256), os.fsencode(extent.place), extent.data]
    path, digest, place, data = map(len, kept)
    guards = (source.size, source.mtime_ns, source.inode)
    lengths = (path if extent.source is not None else _NO_SOURCE, digest, place, data)
    return _ROW.pack(extent.offset, extent.length, *guards, position, *lengths), kept


class StoredExtents(Sequence[Extent]):
    """Runs in a file; each is made anew whenever it is asked for. `figures` are those of the image."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _HEAD.size:
                raise ValueError(f"{path} is no extent map")
            self._view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        head: tuple[bytes, int, int, int, int] = _HEAD.unpack_from(self._view)
        magic, block_size, blocks, self._rows, self._count = head
        if magic != _MAGIC or self._rows + _ROW.size * self._count != size:
            raise ValueError(f"{path} is no extent map")
        self.figures: tuple[int, int] = (block_size, blocks)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Extent: ...
    @overload
    def __getitem__(self, index: slice) -> list[Extent]: ...

    def __getitem__(self, index: int | slice) -> Extent | list[Extent]:
        if isinstance(index, slice):
            return [self._read(number) for number in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        return self._read(index % self._count)

    def __iter__(self) -> Iterator[Extent]:
        return map(self._read, range(self._count))

    def _read(self, number: int) -> Extent:
        row = _ROW.unpack_from(self._view, self._rows + number * _ROW.size)
        offset, length, size, mtime_ns, inode, start, path, digest, place, data = row
        if path == _NO_SOURCE:
            behind = start + place
            return Extent(offset, length, None, self._view[behind : behind + data], self._text(start, place))
        middle = start + path
        source = Source(self._text(start, path), size, mtime_ns, inode, self._text(middle, digest))
        return Extent(offset, length, source, b"", self._text(middle + digest, place))

    def _text(self, start: int, length: int) -> str:
        return os.fsdecode(bytes(self._view[start : start + length]))


def read_figures(path: Path) -> tuple[int, int]:
    """Read block size (bytes) and blocks of a saved map."""
    return StoredExtents(path).figures


def read_sources(path: Path) -> Iterator[Source]:
    """Read through the sources of a saved map, one at a time."""
    return (extent.source for extent in StoredExtents(path) if extent.source is not None)
