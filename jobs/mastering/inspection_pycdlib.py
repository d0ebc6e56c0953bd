"""What pycdlib reads in an image: a second opinion on small masters, by a strict reader that others wrote."""

import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, cast

from pycdlib import PyCdlib
from pycdlib.dr import DirectoryRecord
from pycdlib.udf import UDFFileEntry

from jobs.mastering.image import ImageReader
from jobs.mastering.inspection_iso import Faults
from jobs.mastering.inspection_records import MORE_PARTS, Read
from jobs.mastering.joliet_names import Node

#: Entries up to which it is asked: it takes some 0.05 ms for each.
MOST_ENTRIES = 1000


class Disc:
    """The metadata of a disc's last session, whose image starts at a byte of it; what lies before can't be read."""

    def __init__(self, image: ImageReader, start: int) -> None:
        self._image, self._start = image, start

    def read(self, position: int, size: int) -> bytes:
        """Return bytes from a position on the disc."""
        return self._image.read(position - self._start, size) if position >= self._start else b""

    def read_session(self, position: int, size: int) -> bytes:
        """Return bytes from a position in the session."""
        return self._image.read(position, size)

    def read_as_one(self, position: int, size: int) -> bytes:
        """Return bytes of a disc that begins like its last session: where readers without sessions look."""
        return self.read_session(position, size) if position < self._start else self.read(position, size)


class _File(io.RawIOBase):
    """Lets pycdlib read an image as if it were a file."""

    def __init__(self, read: Read, size: int) -> None:
        super().__init__()
        self._read, self._size, self._position = read, size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int = -1) -> bytes:
        wanted = self._size - self._position if size < 0 else size
        data = self._read(self._position, wanted)
        self._position += len(data)
        return data


class _Fact(NamedTuple):
    """What is compared of an entry; a folder's size is 0. Places are left to our own reader."""

    folder: bool
    size: int


#: An entry of pycdlib's: its name, what it is, and the object to go on with.
_Row = tuple[str, _Fact, DirectoryRecord | UDFFileEntry]


def ask_pycdlib(disc: Disc, size: int, root: Node, faults: Faults) -> None:
    """Let pycdlib open an image and walk every tree; add what it shows otherwise than the map of names does.

    `size` is in bytes, from the start of the disc.
    """
    iso = PyCdlib()
    try:
        iso.open_fp(cast(BinaryIO, _File(disc.read_as_one, size)))
        try:
            for name, tree, named in _trees(iso):
                if dict(tree) != dict(_expected(root, named)):
                    faults.add(f"pycdlib: {name} shows something else than the manifest")
        finally:
            iso.close()
    except Exception as error:  # noqa: BLE001  (it meets what it can't read with exceptions of many kinds)
        faults.add(f"pycdlib can't read the image: {error}")


def _trees(iso: PyCdlib) -> Iterator[tuple[str, Iterator[tuple[str, _Fact]], Callable[[Node], str]]]:
    yield "Rock Ridge", _walk(iso.get_record(iso_path="/")), lambda node: node.name
    yield "Joliet", _walk(iso.get_record(joliet_path="/")), lambda node: node.joliet
    if iso.has_udf():
        yield "UDF", _walk(iso.get_record(udf_path="/")), lambda node: node.udf


def _walk(root: DirectoryRecord | UDFFileEntry) -> Iterator[tuple[str, _Fact]]:
    """Yield every entry below a root, with its path."""
    pending = [("", root)]
    while pending:
        parent, folder = pending.pop()
        for name, fact, record in _udf_rows(folder) if isinstance(folder, UDFFileEntry) else _rows(folder):
            path = f"{parent}/{name}" if parent else name
            yield path, fact
            if fact.folder:
                pending.append((path, record))


def _rows(folder: DirectoryRecord) -> Iterator[_Row]:
    rest = iter([record for record in folder.children if not (record.is_dot() or record.is_dotdot())])
    for record in rest:
        parts = [record]
        while parts[-1].file_flags & MORE_PARTS:
            parts.append(next(rest))
        size = 0 if record.is_dir() else sum(part.data_length for part in parts)
        yield _name(record), _Fact(record.is_dir(), size), record


def _name(record: DirectoryRecord) -> str:
    if record.rock_ridge is not None:
        return record.rock_ridge.name().decode()
    return record.file_ident.decode("utf-16-be")


def _udf_rows(folder: UDFFileEntry) -> Iterator[_Row]:
    for identifier in folder.fi_descs.values():
        entry = identifier.file_entry
        if identifier.is_parent() or entry is None:
            continue
        name = identifier.fi.decode("utf-16-be" if identifier.encoding == "utf-16_be" else "latin-1")
        size = 0 if entry.is_dir() else entry.get_data_length()
        yield name, _Fact(entry.is_dir(), size), entry


def _expected(root: Node, named: Callable[[Node], str]) -> Iterator[tuple[str, _Fact]]:
    pending = [("", root)]
    while pending:
        parent, folder = pending.pop()
        for node in folder.children:
            path = f"{parent}/{named(node)}" if parent else named(node)
            yield path, _Fact(node.folder, node.size)
            if node.folder:
                pending.append((path, node))
