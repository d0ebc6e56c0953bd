"""The UDF 1.02 side of a data disc's metadata (ECMA-167, second edition, and OSTA UDF 1.02)."""

import binascii
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.mastering.joliet_dates import Made, stamp
from jobs.mastering.joliet_names import Node
from jobs.mastering.medium import BLOCK

#: The first block of the partition; everything that has no fixed place lies within.
FIRST_BLOCK = 257
_ANCHOR = 256
#: Where the descriptors of the volume start, and once more; blocks of each sequence; where integrity is told.
_MAIN, _RESERVE, _SEQUENCE, _INTEGRITY = 32, 48, 16, 64
#: Bytes of the largest extent that an allocation descriptor can hold: whole blocks below 1 GiB.
_LARGEST_EXTENT = 0x3FFFF800
#: Ids of entries start here; the root's is 0 (UDF 1.02, 3.2.1.1).
_FIRST_ID = 16
_TERMINATOR = 8
_FOLDER_TYPE, _FILE_TYPE = 4, 5
_IS_FOLDER, _IS_PARENT = 0x02, 0x08
#: Permissions for others, group and owner: to read, for folders to enter as well (ECMA-167, 4/14.9.5).
_READ, _READ_AND_ENTER = 0x1084, 0x14A5
#: Short allocation descriptors; not to be relocated, archived, contiguous (ECMA-167, 4/14.6.8).
_FLAGS = 0x0230
_NOBODY = 0xFFFFFFFF
_REVISION = b"\x02\x01"

_CHARACTERS = b"\0OSTA Compressed Unicode".ljust(64, b"\0")


def _entity(name: bytes, suffix: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack("<B23s8s", flags, name, suffix)


_OURS = _entity(b"*discmill")
#: The domain's flags say that the volume is protected from being written to (UDF 1.02, 2.1.4.3).
_DOMAIN = _entity(b"*OSTA UDF Compliant", _REVISION + b"\x03")

_TAG = struct.Struct("<HHBxHHHI")
_ENTRY_HEAD = struct.Struct("<IHxxHxB6xHIIIHxxIQQ12s12s12sI16x32sQII")
_LONG_PLACE = struct.Struct("<IIHHI")


def tagged(kind: int, block: int, body: bytes) -> bytes:
    """Put the tag before a descriptor: kind, checksums, and its own place (ECMA-167, 3/7.2)."""
    crc = binascii.crc_hqx(body, 0)
    plain = _TAG.pack(kind, 2, 0, 0, crc, len(body), block)
    return plain[:4] + bytes((sum(plain) & 0xFF,)) + plain[5:] + body


@dataclass(slots=True, eq=False)
class _Folder:
    """A folder of the tree: `block` is its file entry's in the partition, the identifiers follow it."""

    node: Node
    parent: "_Folder | None"
    size: int  #: bytes of the identifiers
    block: int = 0


class Bridge:
    """The UDF tree of a volume with one partition. Blocks are those of the partition where not said otherwise."""

    def __init__(self, root: Node, label: str, set_id: str) -> None:
        self._label, self._set_id = label, set_id
        self._stamps = Made(stamp)
        self._newest = stamp(root.seconds)
        self._folders = [_Folder(root, None, _size_of(root))]
        for folder in self._folders:  # which grows meanwhile
            self._folders += [_Folder(node, folder, _size_of(node)) for node in folder.node.children if node.folder]
        self._files = sum(not node.folder for folder in self._folders for node in folder.node.children)
        self._first_file = self._end = 0

    def place(self, block: int) -> int:
        """Give the tree its place, from a block of the volume on; return the volume's block behind it."""
        start = block - FIRST_BLOCK + 2  # the file set, and what ends it
        for folder in self._folders:
            folder.block = start
            start += 1 + -(-folder.size // BLOCK)
        self._first_file = start
        self._end = start + self._files
        return FIRST_BLOCK + self._end

    def recognition(self) -> list[bytes]:
        """Write what follows ISO 9660's descriptors (ECMA-167, 2/8.3)."""
        return [b"\0" + word + b"\1" for word in (b"BEA01", b"NSR02", b"TEA01")]

    def metadata(self, blocks: int) -> Iterator[tuple[int, bytes]]:
        """Write all else, as (position, bytes); the last block of the image gets the second anchor."""
        sequences = struct.pack("<IIII", _SEQUENCE * BLOCK, _MAIN, _SEQUENCE * BLOCK, _RESERVE)
        for anchor in (_ANCHOR, blocks - 1):
            yield anchor * BLOCK, tagged(2, anchor, sequences.ljust(496, b"\0"))
        for start in (_MAIN, _RESERVE):
            for number, (kind, body) in enumerate(self._sequence(blocks - 1 - FIRST_BLOCK)):
                sequenced = number.to_bytes(4, "little") + body if kind != _TERMINATOR else body
                yield (start + number) * BLOCK, tagged(kind, start + number, sequenced.ljust(496, b"\0"))
        yield _INTEGRITY * BLOCK, tagged(9, _INTEGRITY, self._integrity(blocks - 1 - FIRST_BLOCK))
        yield (_INTEGRITY + 1) * BLOCK, tagged(_TERMINATOR, _INTEGRITY + 1, bytes(496))
        yield FIRST_BLOCK * BLOCK, tagged(256, 0, self._file_set())
        yield (FIRST_BLOCK + 1) * BLOCK, tagged(_TERMINATOR, 1, bytes(496))
        yield from self._tree()

    def _sequence(self, length: int) -> Iterator[tuple[int, bytes]]:
        """Yield kind and body of the volume's descriptors; `length` is the partition's."""
        label, set_id = _dstring(self._label, 32), _dstring(self._set_id, 128)
        levels = struct.pack("<HHHHII", 1, 1, 2, 2, 1, 1)
        yield 1, b"".join((
            bytes(4), label, levels, set_id, _CHARACTERS * 2, bytes(16), bytes(32), self._newest, _OURS,
        ))  # fmt: skip
        long_label = _dstring(self._label, 128)
        named = _CHARACTERS + long_label + bytes(3 * 36)
        yield 4, _entity(b"*UDF LV Info", _REVISION) + named + _OURS
        partition = struct.pack("<HH32s128xIII32s", 1, 0, _entity(b"+NSR02", flags=2), 1, FIRST_BLOCK, length, _OURS)
        yield 5, partition
        volume = struct.pack("<64s128sI32s16s", _CHARACTERS, long_label, BLOCK, _DOMAIN, _place(0, BLOCK))
        maps = struct.pack("<II32s128xIIBBHH", 6, 1, _OURS, 2 * BLOCK, _INTEGRITY, 1, 6, 1, 0)
        yield 6, volume + maps
        yield 7, bytes(4)
        yield _TERMINATOR, b""

    def _integrity(self, length: int) -> bytes:
        next_id = _FIRST_ID + self._end
        use = struct.pack("<32sIIHHH", _OURS, self._files, len(self._folders), *(0x0102,) * 3)
        return self._newest + struct.pack("<I8xQ24xIIII", 1, next_id, 1, len(use), 0, length) + use

    def _file_set(self) -> bytes:
        levels = struct.pack("<HHIIII", 3, 3, 1, 1, 0, 0)
        names = _CHARACTERS + _dstring(self._label, 128) + _CHARACTERS + _dstring(self._label, 32)
        root = _place(self._folders[0].block, BLOCK)
        return self._newest + levels + names + bytes(64) + root + _DOMAIN + bytes(64)

    def _tree(self) -> Iterator[tuple[int, bytes]]:
        inner, files = iter(self._folders[1:]), self._first_file
        for folder in self._folders:
            links = 1 + folder.node.folders
            extents = [(folder.block + 1, folder.size)]
            yield self._position(folder.block), self._entry(folder.node, folder.block, links, extents)
            yield self._position(folder.block + 1), self._identifiers(folder, inner, files)
            for node in folder.node.children:
                if not node.folder:
                    yield self._position(files), self._entry(node, files, 1, _extents(node))
                    files += 1

    def _position(self, block: int) -> int:
        return (FIRST_BLOCK + block) * BLOCK

    def _identifiers(self, folder: _Folder, inner: Iterator[_Folder], files: int) -> bytes:
        """Write what is in a folder: first the one it lies in, which of the root is itself."""
        parent = folder.parent or folder
        content = bytearray(_identifier(b"", parent.block, _IS_FOLDER | _IS_PARENT, folder.block + 1))
        for node in folder.node.children:
            if node.folder:
                block, kind = next(inner).block, _IS_FOLDER
            else:
                block, kind, files = files, 0, files + 1
            content += _identifier(_name(node.udf), block, kind, folder.block + 1 + len(content) // BLOCK)
        return bytes(content)

    def _entry(self, node: Node, block: int, links: int, extents: list[tuple[int, int]]) -> bytes:
        """Write a file entry (ECMA-167, 4/14.9); `extents` are (block, bytes)."""
        size, blocks = sum(length for _, length in extents), sum(-(-length // BLOCK) for _, length in extents)
        kind, may = (_FOLDER_TYPE, _READ_AND_ENTER) if node.folder else (_FILE_TYPE, _READ)
        time = self._stamps[node.seconds]
        head = _ENTRY_HEAD.pack(
            0, 4, 1, kind, _FLAGS, _NOBODY, _NOBODY, may, links, 0, size, blocks, time, time, time, 1, _OURS,
            _id_of(node, block), 0, 8 * len(extents),
        )  # fmt: skip
        return tagged(261, block, head + b"".join(struct.pack("<II", length, start) for start, length in extents))


def _id_of(node: Node, block: int) -> int:
    return _FIRST_ID + block if node.path else 0


def _extents(node: Node) -> list[tuple[int, int]]:
    first = node.block - FIRST_BLOCK
    starts = range(0, node.size, _LARGEST_EXTENT)
    return [(first + start // BLOCK, min(node.size - start, _LARGEST_EXTENT)) for start in starts]


def _size_of(folder: Node) -> int:
    """Return the bytes of a folder's identifiers."""
    return 40 + sum((38 + len(_name(node.udf)) + 3) & ~3 for node in folder.children)


def _name(name: str) -> bytes:
    """Write a name with its compression id (UDF 1.02, 2.1.1)."""
    try:
        return b"\x08" + name.encode("latin-1")
    except UnicodeEncodeError:
        return b"\x10" + name.encode("utf-16-be")


def _place(block: int, length: int, unique_id: int = 0) -> bytes:
    """Write where something lies: length in bytes, block, partition 0, and the id of the entry there."""
    return _LONG_PLACE.pack(length, block, 0, 0, unique_id)


def _identifier(name: bytes, block: int, kind: int, own_block: int) -> bytes:
    """Write a file identifier (ECMA-167, 4/14.4), which names the entry in a block."""
    unique_id = 0 if kind & _IS_PARENT else _FIRST_ID + block
    body = struct.pack("<HBB", 1, kind, len(name)) + _place(block, BLOCK, unique_id) + b"\0\0" + name
    return tagged(257, own_block, body + bytes(-(16 + len(body)) % 4))


def _dstring(text: str, size: int) -> bytes:
    """Write a text in a field of `size` bytes: compression id, characters, zeros, length (UDF 1.02, 2.1.3)."""
    try:
        body = b"\x08" + text.encode("latin-1")
    except UnicodeEncodeError:
        body = b"\x10" + text[: (size - 2) // 2].encode("utf-16-be")
    body = body[: size - 1]
    return body.ljust(size - 1, b"\0") + bytes([len(body)])
