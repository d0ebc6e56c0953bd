"""Directory records and their Rock Ridge fields, read from bytes; the writer's library has no part in it."""

import calendar
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

#: Bytes of a block; a directory record never crosses the end of one.
BLOCK = 2048
#: Reads bytes of an image: (position, size).
Read = Callable[[int, int], bytes]
#: Continuations of one record's fields that are followed; a longer chain is a loop.
_MOST_CONTINUATIONS = 32
#: Bytes of a continuation that are believed; none is longer than a block in practice.
_LONGEST_AREA = 16 * BLOCK

FOLDER, MORE_PARTS = 0x02, 0x80
_HEAD = struct.Struct("<BBI4sI4s7sBBB2s2sB")
_HEAD_SIZE = _HEAD.size


class Malformed(Exception):
    """Bytes that are not what they should be; the readers say where."""


@dataclass(slots=True)
class RockRidge:
    """What a record's Rock Ridge fields say; None or empty where there is no such field."""

    name: bytes = b""
    mode: int | None = None
    seconds: int | None = None
    child: int | None = None  #: block of the folder that this record stands for (CL)
    moved: bool = False  #: the folder is shown elsewhere (RE)
    link: bool = False  #: a symbolic link (SL)
    extensions: tuple[bytes, ...] = ()  #: what ER fields announce


@dataclass(slots=True)
class Record:
    """A directory record. `block` is where the content starts, `size` is in bytes, `seconds` since 1970.

    `halves_agree` is false if the little-endian and big-endian forms of a number differ.
    """

    identifier: bytes
    block: int
    size: int
    seconds: int
    flags: int
    plain: bool  #: no extended attributes, no interleaving, first volume of the set
    interleaved: bool  #: with gaps between its units
    halves_agree: bool
    fields: bytes  #: the system use area

    @property
    def folder(self) -> bool:
        """True for a folder, "." and ".." among them."""
        return bool(self.flags & FOLDER)


def records(data: bytes) -> Iterator[Record]:
    """Read the records of a folder's content.

    Raises:
        Malformed: a record does not fit where it stands.
    """
    for start in range(0, len(data), BLOCK):
        end = min(start + BLOCK, len(data))
        position = start
        while position < end and data[position]:
            length = data[position]
            if position + length > end or length < _HEAD_SIZE:
                raise Malformed(f"a record of {length} bytes at byte {position}")
            yield _record(data[position : position + length])
            position += length
        if any(data[position:end]):
            raise Malformed(f"bytes behind the last record of the block at byte {start}")


def _record(data: bytes) -> Record:
    _, attributes, block, block_be, size, size_be, date, flags, unit, gap, volume, volume_be, length = (
        _HEAD.unpack_from(data)
    )
    end = _HEAD_SIZE + length
    if end > len(data) or not length:
        raise Malformed(f"a name of {length} bytes in a record of {len(data)}")
    return Record(
        identifier=data[_HEAD_SIZE:end],
        block=block + attributes,
        size=size,
        seconds=seconds_of(date),
        flags=flags,
        interleaved=bool(unit or gap),
        plain=not (attributes or unit or gap) and volume == b"\x01\0",
        halves_agree=block_be == block.to_bytes(4, "big")
        and size_be == size.to_bytes(4, "big")
        and volume_be == volume[::-1],
        fields=data[end + (length + 1) % 2 :],
    )


@lru_cache(maxsize=65536)
def seconds_of(date: bytes) -> int:
    """Return the seconds since 1970 of a record's date; -1 if it is none."""
    if len(date) != 7:  # noqa: PLR2004
        return -1
    year, month, day, hour, minute, second = date[:6]
    zone = int.from_bytes(date[6:7], "big", signed=True)
    if not (1 <= month <= 12 and 1 <= day <= 31):  # noqa: PLR2004
        return -1
    return calendar.timegm((1900 + year, month, day, hour, minute, second)) - zone * 900


def rock_ridge(fields: bytes, read: Read, skip: int = 0) -> RockRidge:
    """Read a record's Rock Ridge fields and their continuations; `skip` bytes of each area are not ours (SP).

    Raises:
        Malformed: fields that overrun their area, or continuations without end.
    """
    found = RockRidge()
    area = fields[skip:]
    for _ in range(_MOST_CONTINUATIONS):
        following = _read_area(area, found)
        if following is None:
            return found
        block, offset, length = following
        area = read(block * BLOCK + offset, length)
        if len(area) < length:
            raise Malformed("a continuation outside the image")
    raise Malformed("fields that continue without end")


def _read_area(area: bytes, found: RockRidge) -> tuple[int, int, int] | None:
    """Read one area's fields; return where they continue."""
    position, following = 0, None
    while position + 4 <= len(area):
        kind, length = area[position : position + 2], area[position + 2]
        if kind == b"ST" or not area[position]:
            break
        if length < 4 or position + length > len(area):  # noqa: PLR2004
            raise Malformed(f"a field of {length} bytes")
        body = area[position + 4 : position + length]
        if kind == b"CE":
            following = _continuation(body)
        elif kind in _FIELDS and (body or kind == b"RE"):
            _FIELDS[kind](body, found)
        position += length
    return following


def _continuation(body: bytes) -> tuple[int, int, int]:
    if len(body) != 24:  # noqa: PLR2004
        raise Malformed("a continuation field of another length")
    block, offset, length = struct.unpack("<I4xI4xI4x", body)
    if length > _LONGEST_AREA:
        raise Malformed(f"a continuation of {length} bytes")
    return block, offset, length


def _name(body: bytes, found: RockRidge) -> None:
    if not body[0] & 0x06:  # neither "." nor ".."
        found.name += body[1:]


def _mode(body: bytes, found: RockRidge) -> None:
    found.mode = int.from_bytes(body[:4], "little")


def _times(body: bytes, found: RockRidge) -> None:
    flags = body[0]
    if flags & 0x02:  # the time of last change; only that of creation comes before it
        before = flags & 0x01
        if flags & 0x80:
            found.seconds = long_seconds_of(body[1 + 17 * before : 18 + 17 * before])
        else:
            found.seconds = seconds_of(body[1 + 7 * before : 8 + 7 * before])


def _child(body: bytes, found: RockRidge) -> None:
    found.child = int.from_bytes(body[:4], "little")


def _moved(_: bytes, found: RockRidge) -> None:
    found.moved = True


def _link(_: bytes, found: RockRidge) -> None:
    found.link = True


def _extension(body: bytes, found: RockRidge) -> None:
    found.extensions += (body[4 : 4 + body[0]],)


_FIELDS: dict[bytes, Callable[[bytes, RockRidge], None]] = {
    b"NM": _name,
    b"PX": _mode,
    b"TF": _times,
    b"CL": _child,
    b"RE": _moved,
    b"SL": _link,
    b"ER": _extension,
}


def long_seconds_of(date: bytes) -> int:
    """Return the seconds since 1970 of a date in digits, as volume descriptors have it; -1 if it is none."""
    try:
        year, month, day = int(date[:4]), int(date[4:6]), int(date[6:8])
        hour, minute, second = int(date[8:10]), int(date[10:12]), int(date[12:14])
        return calendar.timegm((year, month, day, hour, minute, second)) - 900 * int.from_bytes(
            date[16:17], "big", signed=True
        )
    except ValueError:
        return -1
