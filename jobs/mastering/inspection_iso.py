"""A strict reader of ISO 9660, Rock Ridge and Joliet that shares nothing with the writer, so that it can judge it."""

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from jobs.errors import InvalidImage
from jobs.mastering.inspection_records import (
    BLOCK,
    FOLDER,
    MORE_PARTS,
    Malformed,
    Read,
    Record,
    RockRidge,
    records,
    rock_ridge,
)

#: Where volume descriptors start, in blocks, and how many are looked at.
_FIRST_DESCRIPTOR, _MOST_DESCRIPTORS = 16, 64
_PRIMARY, _SUPPLEMENTARY, _TERMINATOR = 1, 2, 255
_JOLIET = (b"%/@", b"%/C", b"%/E")
#: Characters of a path beyond which a tree is taken for a trap.
_LONGEST_PATH = 8192
#: Bytes of a folder that are believed: more than a million entries.
_LARGEST_FOLDER = 1 << 28
#: What Rock Ridge calls itself, in its two versions and before them.
_EXTENSIONS = (b"RRIP_1991A", b"IEEE_P1282", b"IEEE_1282")
#: What a record may be: a file, a folder, or a part of a file; hidden, say, is not.
_FLAGS = (0, FOLDER, MORE_PARTS)
#: What may be done with what is on a disc: to read it, and to enter folders.
_FILE_MODE, _FOLDER_MODE = 0o100444, 0o040555
#: Bytes of an XA field, which CD-ROM XA puts before all others.
_XA_SIZE = 14
#: File types of POSIX: the bits, then folders, files, and 0 for writers that leave it out.
_TYPE, _KINDS = 0o170000, (0o040000, 0o100000, 0)


class Faults(list[str]):
    """Sentences on what is wrong. When `strict`, all are kept; otherwise the grave ones are raised at once."""

    def __init__(self, *, strict: bool) -> None:
        super().__init__()
        self.strict = strict

    def add(self, sentence: str) -> None:
        """Take a fault that readers live with."""
        if self.strict:
            self.append(sentence)

    def add_grave(self, sentence: str) -> None:
        """Take a fault that content is lost by.

        Raises:
            InvalidImage: unless strict, when all faults are wanted.
        """
        if not self.strict:
            raise InvalidImage(sentence)
        self.append(sentence)


@dataclass(frozen=True, slots=True)
class Found:
    """An entry as a tree shows it: `parts` are (position, length) of its content, `seconds` since 1970."""

    path: str
    folder: bool
    size: int
    seconds: int
    parts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A volume descriptor: sizes in blocks unless said otherwise, `tables` are the path tables' blocks (L, M)."""

    volume_id: str
    joliet: bool
    blocks: int
    block_size: int  #: bytes
    root: Record
    table_size: int  #: bytes
    tables: tuple[int, int]


def descriptors(read: Read, faults: Faults) -> list[Descriptor]:
    """Read the primary descriptor and Joliet's.

    Raises:
        InvalidImage: there is no primary one that can be used.
    """
    found = [descriptor for data in _sectors(read) if (descriptor := _descriptor(data, faults))]
    if not found or found[0].joliet:
        raise InvalidImage("not an ISO 9660 image: it has no primary volume descriptor")
    if found[0].block_size != BLOCK:
        raise InvalidImage(f"an image with blocks of {found[0].block_size} bytes; only {BLOCK} can be burnt")
    return found


def _sectors(read: Read) -> Iterator[bytes]:
    for sector in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _MOST_DESCRIPTORS):
        data = read(sector * BLOCK, BLOCK)
        if len(data) < BLOCK or data[1:6] != b"CD001":
            raise InvalidImage(f"not an ISO 9660 image: no volume descriptor (CD001) in block {sector}")
        if data[0] == _TERMINATOR:
            return
        yield data
    raise InvalidImage("not an ISO 9660 image: its volume descriptors do not end")


def _descriptor(data: bytes, faults: Faults) -> Descriptor | None:
    joliet = data[0] == _SUPPLEMENTARY and data[88:91] in _JOLIET
    if data[0] != _PRIMARY and not joliet:
        return None
    try:
        root = next(records(data[156:190]))
    except (Malformed, StopIteration):
        raise InvalidImage("a volume descriptor whose root folder can't be read") from None
    agree = all(_halves_agree(data, at, size) for at, size in ((80, 4), (120, 2), (124, 2), (128, 2), (132, 4)))
    if not (agree and root.halves_agree):
        faults.add("a volume descriptor whose little-endian and big-endian numbers differ")
    blocks, block_size, table_size = (struct.unpack_from(form, data, at)[0] for form, at in _NUMBERS)
    tables = struct.unpack_from("<I", data, 140)[0], struct.unpack_from(">I", data, 148)[0]
    volume_id = data[40:72].decode("utf-16-be" if joliet else "latin-1", "replace").rstrip(" \0")
    return Descriptor(volume_id, joliet, blocks, block_size, root, table_size, tables)


_NUMBERS = (("<I", 80), ("<H", 128), ("<I", 132))


def _halves_agree(data: bytes, at: int, size: int) -> bool:
    return data[at : at + size] == data[at + size : at + 2 * size][::-1]


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to be read. `parent` is its parent's number in the path table, from 1; sizes are in bytes."""

    path: str
    identifier: bytes
    block: int
    size: int
    parent: int
    parent_block: int
    parent_size: int


class Tree:
    """One tree of a volume, read folder by folder in the order of its path tables."""

    def __init__(self, descriptor: Descriptor, read: Read, image_size: int, faults: Faults) -> None:
        self._descriptor = descriptor
        self._read = read
        self._size = image_size
        self._faults = faults
        self._entered: set[int] = set()
        self._folders: list[_Folder] = []
        self._skip = 0
        self.rock_ridge = not descriptor.joliet and self._has_rock_ridge()
        self.name = "Joliet" if descriptor.joliet else "Rock Ridge" if self.rock_ridge else "ISO 9660"

    def _has_rock_ridge(self) -> bool:
        """Look for the SP field in the root's first record, at its start or behind an XA field, and for ER."""
        try:
            fields = next(records(self._read(self._descriptor.root.block * BLOCK, BLOCK))).fields
            for skip in (0, _XA_SIZE):
                if fields[skip : skip + 2] == b"SP" and fields[skip + 4 : skip + 6] == b"\xbe\xef":
                    self._skip = fields[skip + 6]
                    return any(name in _EXTENSIONS for name in rock_ridge(fields, self._read, skip).extensions)
        except (Malformed, StopIteration):
            self._faults.add_grave("ISO 9660: the root can't be read")
        return False

    def entries(self) -> Iterator[Found]:
        """Yield every entry below the root, folders before what is in them."""
        root = self._descriptor.root
        pending = deque([_Folder("", b"\0", root.block, root.size, 1, root.block, root.size)])
        while pending:
            folder = pending.popleft()
            if not self._may_enter(folder):
                continue
            self._folders.append(folder)
            for found, record in self._read_folder(folder):
                yield found
                if found.folder:
                    inner = found.path, record.identifier, record.block, record.size
                    pending.append(_Folder(*inner, len(self._folders), folder.block, folder.size))
        if self._faults.strict:
            self._check_path_tables()

    def _may_enter(self, folder: _Folder) -> bool:
        where = self._where(folder)
        if folder.block in self._entered:
            self._faults.add(f"{where} is in two places")
            return False
        self._entered.add(folder.block)
        if not 0 < folder.size <= _LARGEST_FOLDER or folder.block * BLOCK + folder.size > self._size:
            self._faults.add_grave(f"{where} should have {folder.size} bytes at block {folder.block}, and can't")
            return False
        if len(folder.path) > _LONGEST_PATH:
            self._faults.add_grave(f"{self.name}: folders are nested without end")
            return False
        return True

    def _where(self, folder: _Folder) -> str:
        return f"{self.name}: {folder.path or 'the root'}"

    def _read_folder(self, folder: _Folder) -> Iterator[tuple[Found, Record]]:
        try:
            rows: Iterable[Record] = records(self._read(folder.block * BLOCK, folder.size))
            if self._faults.strict:
                rows = list(rows)
                self._check_folder(folder, rows)
            parts: list[tuple[int, int]] = []
            for record in rows:
                if record.identifier in {b"\0", b"\1"}:
                    continue
                parts.append((record.block * BLOCK, record.size))
                if record.flags & MORE_PARTS and not record.folder:
                    continue
                yield from self._entry(folder, record, parts)
                parts = []
        except Malformed as error:
            self._faults.add_grave(f"{self._where(folder)} holds {error}")

    def _entry(self, folder: _Folder, record: Record, parts: list[tuple[int, int]]) -> Iterator[tuple[Found, Record]]:
        fields = rock_ridge(record.fields, self._read, self._skip) if self.rock_ridge else RockRidge()
        if fields.moved or fields.link or (fields.mode is not None and fields.mode & _TYPE not in _KINDS):
            return  # moved here from deep below, and shown there; or not a file at all
        name = fields.name.decode("utf-8", "replace") if fields.name else self._plain_name(record)
        path = f"{folder.path}/{_safe(name)}" if folder.path else _safe(name)
        seconds = record.seconds if fields.seconds is None else fields.seconds
        if fields.child is not None:
            record = self._moved_folder(record, fields.child)
        if self._faults.strict and self.rock_ridge:
            self._check_fields(path, record, fields)
        if record.folder:
            yield Found(path, folder=True, size=0, seconds=seconds), record
            return
        if record.interleaved:
            self._faults.add_grave(f"{self.name}: {path} is interleaved")
        kept = tuple(part for part in parts if part[1])
        for position, size in kept:
            if position + size > self._size:
                self._faults.add_grave(f"{self.name}: {path} should have {size} bytes at {position}, beyond the end")
        yield Found(path, folder=False, size=sum(size for _, size in kept), seconds=seconds, parts=kept), record

    def _moved_folder(self, record: Record, block: int) -> Record:
        """Return the folder that a CL field stands for: its own first record knows its size."""
        first = next(records(self._read(block * BLOCK, BLOCK)), None)
        if first is None or not first.folder:
            raise Malformed(f"a moved folder that is not at block {block}")
        return replace(record, block=block, size=first.size, flags=FOLDER)

    def _plain_name(self, record: Record) -> str:
        if self._descriptor.joliet:
            return record.identifier.decode("utf-16-be", "replace").partition(";")[0]
        return record.identifier.decode("latin-1").partition(";")[0].removesuffix(".")

    def _check_folder(self, folder: _Folder, rows: list[Record]) -> None:
        where = self._where(folder)
        dots = [(row.identifier, row.block, row.size) for row in rows[:2] if row.folder]
        if dots != [(b"\0", folder.block, folder.size), (b"\1", folder.parent_block, folder.parent_size)]:
            self._faults.add(f'{where} does not begin with a right "." and ".."')
        if not all(row.halves_agree for row in rows):
            self._faults.add(f"{where} has numbers whose little-endian and big-endian forms differ")
        if not all(row.plain and row.flags in _FLAGS for row in rows):
            self._faults.add(f"{where} has records with attributes nobody asked for")
        order = bytes if self._descriptor.joliet else _iso_order
        if any(_misplaced(one, other, order) for one, other in pairwise(rows[2:])):
            self._faults.add(f"{where} is not in order, or has a name twice")

    def _check_fields(self, path: str, record: Record, fields: RockRidge) -> None:
        if fields.mode != (_FOLDER_MODE if record.folder else _FILE_MODE):
            self._faults.add(f"{self.name}: {path} has other permissions than a disc gives")
        if fields.seconds != record.seconds:
            self._faults.add(f"{self.name}: {path} has another time than in ISO 9660")

    def _check_path_tables(self) -> None:
        for form, block in zip(("<", ">"), self._descriptor.tables, strict=True):
            expected = b"".join(_pointer(folder, form) for folder in self._folders)
            if self._read(block * BLOCK, self._descriptor.table_size) != expected:
                self._faults.add(f"{self.name}: the path table at block {block} does not agree with the folders")


def best_tree(volume: Sequence[Descriptor], read: Read, size: int, faults: Faults) -> Tree:
    """Return the tree that shows most of a volume: Rock Ridge's, else Joliet's, else that of ISO 9660.

    `size` is in bytes: where what `read` reads ends.
    """
    trees = [Tree(descriptor, read, size, faults) for descriptor in volume]
    joliet = next((tree for tree in trees if tree.name == "Joliet"), trees[0])
    return trees[0] if trees[0].rock_ridge else joliet


def _safe(name: str) -> str:
    return name.replace("/", "_").replace("\0", "_")


def _iso_order(identifier: bytes) -> tuple[bytes, bytes]:
    """Return what records are sorted by: the name, then its ending (ECMA-119, 9.3)."""
    name, _, ending = identifier.partition(b";")[0].partition(b".")
    return name, ending


def _misplaced(one: Record, other: Record, order: Callable[[bytes], object]) -> bool:
    if one.flags & MORE_PARTS:
        return one.identifier != other.identifier
    return not order(one.identifier) < order(other.identifier)  # type: ignore[operator]


def _pointer(folder: _Folder, form: str) -> bytes:
    """Return the record of a folder that a path table should have (ECMA-119, 9.4)."""
    length = len(folder.identifier)
    head = struct.pack(form + "BBIH", length, 0, folder.block, folder.parent)
    return head + folder.identifier + bytes(length % 2)
