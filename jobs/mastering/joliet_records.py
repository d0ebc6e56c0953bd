"""Directory records and their Rock Ridge fields, as bytes; how long each is, is known before anything has a place."""

from struct import Struct
from typing import Protocol

from jobs.mastering.joliet_dates import Made, record_date
from jobs.mastering.joliet_names import Node
from jobs.mastering.medium import BLOCK

#: Flags of a record: a folder; another part of the same file follows (ECMA-119, 9.1.6).
FOLDER, MORE_PARTS = 0x02, 0x80
#: Bytes of a record before its identifier, and of the longest one that is even.
_HEAD, _LONGEST = 33, 254
#: Neither interleaved nor anywhere but on the first volume of its set (ECMA-119, 9.1.7 to 9.1.9).
_FIRST_VOLUME = b"\0\0\1\0\0\1"
_pack_head = Struct("<BxI4sI4s7sB6sB").pack
#: What may be done with what is on a disc: to read it, and to enter folders (POSIX).
_FILE_MODE, _FOLDER_MODE = 0o100444, 0o040555
#: Bytes of a name that one NM field holds.
_NAME_PART = 250
#: The extension that ER announces, in the words its authors prescribe (RRIP 1.09, 4.3).
_EXTENSION = (
    b"RRIP_1991A",
    b"THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS",
    (
        b"PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  "
        b"SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
    ),
)


def both(number: int, size: int = 4) -> bytes:
    """Write a number twice: little-endian, then big-endian (ECMA-119, 7.3.3)."""
    return number.to_bytes(size, "little") + number.to_bytes(size, "big")


def record(identifier: bytes, part: tuple[int, int], date: bytes, flags: int, fields: bytes = b"") -> bytes:
    """Write a directory record; `part` is (block, bytes), `fields` are the system use area, of even length."""
    block, size = part
    length = len(identifier)
    padding = b"" if length & 1 else b"\0"
    head = _pack_head(
        _HEAD + length + len(padding) + len(fields),
        block, block.to_bytes(4, "big"), size, size.to_bytes(4, "big"), date, flags, _FIRST_VOLUME, length,
    )  # fmt: skip
    return head + identifier + padding + fields


def record_size(identifier_size: int) -> int:
    """Return the bytes of a record without fields: always even."""
    return (_HEAD + 1 + identifier_size) & ~1


def _field(kind: bytes, body: bytes) -> bytes:
    """Write a field of version 1 (SUSP 1.10, 5)."""
    return kind + bytes((4 + len(body), 1)) + body


class Continuations:
    """Where fields go that their record has no room for: blocks behind the folder, none of whose ends an area crosses.

    They follow their folder at once, since libarchive names a folder before it looks at what lies behind it.
    """

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []  #: what was written, as (position, bytes)
        self._first = self._end = 0

    def begin(self, block: int) -> None:
        """Begin with a folder whose continuations start at a block, if there are any."""
        self.pieces = []
        self._first, self._end = block, 0

    @property
    def blocks(self) -> int:
        """Blocks that are needed for what was reserved."""
        return -(-self._end // BLOCK)

    def reserve(self, size: int) -> int:
        """Take room; return its position from the first block."""
        if self._end % BLOCK + size > BLOCK:
            self._end += -self._end % BLOCK
        position = self._end
        self._end += size
        return position

    def write(self, data: bytes) -> bytes:
        """Write an area; return the CE field that leads to it."""
        position = self.reserve(len(data))
        self.pieces.append((self._first * BLOCK + position, data))
        block, offset = divmod(position, BLOCK)
        return _field(b"CE", both(self._first + block) + both(offset) + both(len(data)))


class Form(Protocol):
    """What the trees of ISO 9660 and Joliet differ in.

    It is asked for sizes folder by folder, entry by entry, and later in the same order for fields.
    """

    continuations: Continuations

    def order(self, node: Node) -> object:
        """Return what a folder's records are sorted by."""

    def identifier(self, node: Node) -> bytes:
        """Return what an entry is called."""

    def size(self, node: Node) -> int:
        """Return the bytes of an entry's record, and reserve room for what does not fit it."""

    def dots_size(self, *, root: bool) -> int:
        """Return the bytes of a folder's "." and ".." together."""

    def fields(self, node: Node, identifier: bytes) -> bytes:
        """Return the system use area of an entry's record."""

    def dot_fields(self, node: Node, *, root: bool) -> bytes:
        """Return the system use area of "." in a folder, or of ".." in one within it."""


class JolietForm:
    """Joliet's records: a name in UCS-2, and nothing else."""

    def __init__(self) -> None:
        self.continuations = Continuations()

    def order(self, node: Node) -> str:
        """Sort by name: within UCS-2, code points and their bytes have the same order."""
        return node.joliet

    def identifier(self, node: Node) -> bytes:
        """Return the name in UCS-2."""
        return node.joliet.encode("utf-16-be")

    def size(self, node: Node) -> int:
        """Return the bytes of an entry's record."""
        return _HEAD + 1 + 2 * len(node.joliet)

    def dots_size(self, *, root: bool) -> int:
        """Return the bytes of "." and ".."."""
        del root
        return 2 * record_size(1)

    def fields(self, node: Node, identifier: bytes) -> bytes:
        """Return nothing: Joliet has no such fields."""
        del node, identifier
        return b""

    def dot_fields(self, node: Node, *, root: bool) -> bytes:
        """Return nothing either."""
        del node, root
        return b""


def _attributes(mode: int, links: int) -> bytes:
    """Write PX: the owner is root, whose files everybody may read."""
    return _field(b"PX", both(mode) + both(links) + both(0) + both(0))


def _extension() -> bytes:
    lengths = bytes(len(text) for text in _EXTENSION)
    return _field(b"ER", lengths + b"\1" + b"".join(_EXTENSION))


#: RR says which other fields there are: NM 0x08, PX 0x01, TF 0x80.
_NAMED, _UNNAMED = _field(b"RR", b"\x89"), _field(b"RR", b"\x81")
_SHARING = _field(b"SP", b"\xbe\xef\0")
_FILE_HEAD = _NAMED + _attributes(_FILE_MODE, 1)
#: Bytes of RR, PX and TF together; of NM without the name, and of CE.
_FIXED = 5 + 36 + 26
_NM, _CE = 5, 28


class RockRidgeForm:
    """The records of ISO 9660 with Rock Ridge (RRIP 1.09): every name as it is, permissions, and times."""

    def __init__(self) -> None:
        self.continuations = Continuations()
        self._extension = _extension()
        self._times = Made(_times)

    def order(self, node: Node) -> tuple[str, str]:
        """Sort by the name, then its ending (ECMA-119, 9.3).

        The bytes alone would put "A.MP3;1" before "A.MP;1", for the version's ";" comes after digits.
        """
        name, _, ending = node.iso.partition(";")[0].partition(".")
        return name, ending

    def identifier(self, node: Node) -> bytes:
        """Return the name in ISO 9660."""
        return node.iso.encode("ascii")

    def size(self, node: Node) -> int:
        """Return the bytes of an entry's record; reserve room for the name where it has none."""
        head = record_size(len(node.iso))
        length = len(node.name) if node.name.isascii() else len(node.name.encode())
        whole = head + ((_FIXED + _NM + length + 1) & ~1)
        if whole <= _LONGEST:
            return whole
        self.continuations.reserve(length + _NM * -(-length // _NAME_PART))
        return head + ((_FIXED + _CE + 1) & ~1)

    def dots_size(self, *, root: bool) -> int:
        """Return the bytes of "." and ".."; the root's "." announces Rock Ridge."""
        plain = record_size(1) + ((_FIXED + 1) & ~1)
        if not root:
            return 2 * plain
        self.continuations.reserve(len(self._extension))
        return plain + record_size(1) + ((len(_SHARING) + _FIXED + _CE + 1) & ~1)

    def fields(self, node: Node, identifier: bytes) -> bytes:
        """Write RR, PX and TF, and the name here or in a continuation."""
        head = _NAMED + _attributes(_FOLDER_MODE, _links(node)) if node.folder else _FILE_HEAD
        name = node.name.encode()
        fixed = head + self._times[node.seconds]
        size = _FIXED + _NM + len(name)
        if record_size(len(identifier)) + size + (size & 1) > _LONGEST:
            return fixed + self.continuations.write(_name(name)) + b"\0"
        return b"%bNM%c\1\0%b%b" % (fixed, _NM + len(name), name, b"\0" if size & 1 else b"")

    def dot_fields(self, node: Node, *, root: bool) -> bytes:
        """Write RR, PX and TF; in the root's "." SP before them, and ER in the first continuation."""
        fields = _UNNAMED + _attributes(_FOLDER_MODE, _links(node)) + self._times[node.seconds]
        if root:
            fields = _SHARING + fields + self.continuations.write(self._extension)
        return fields + bytes(len(fields) & 1)


def _links(folder: Node) -> int:
    """Count who leads to a folder: its parent, its own ".", and the ".." of each folder in it."""
    return 2 + folder.folders


def _times(seconds: int) -> bytes:
    """Write TF: times of last change, of access and of the attributes' change (0x0E)."""
    return _field(b"TF", b"\x0e" + record_date(seconds) * 3)


def _name(name: bytes) -> bytes:
    """Write as many NM fields as the name needs; all but the last say that it continues."""
    parts = [name[start : start + _NAME_PART] for start in range(0, len(name), _NAME_PART)]
    return b"".join(_field(b"NM", bytes((part is not parts[-1],)) + part) for part in parts)
