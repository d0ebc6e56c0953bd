"""A strict reader of the UDF side of an image that shares nothing with the writer, so that it can judge it."""

import binascii
import calendar
import struct
from collections.abc import Iterator

from jobs.mastering.inspection_iso import Faults, Found
from jobs.mastering.inspection_records import BLOCK, Malformed, Read

_ANCHOR = 256  #: block of the first anchor
_ANCHOR_TAG, _PARTITION, _LOGICAL_VOLUME, _TERMINATOR, _INTEGRITY = 2, 5, 6, 8, 9
_FILE_SET, _IDENTIFIER, _FILE_ENTRY, _EXTENDED_ENTRY = 256, 257, 261, 266
_RECOGNITION = (b"BEA01", b"BOOT2", b"NSR02", b"NSR03", b"TEA01")
_FOLDER_TYPE = 4
_IS_FOLDER, _IS_PARENT = 0x02, 0x08
#: Length of an allocation descriptor; its upper two bits say whether it is recorded.
_LENGTH = 0x3FFFFFFF
#: Bytes of the largest file identifier descriptor that is read.
_LARGEST_IDENTIFIER = 2048
_LONGEST_PATH = 8192


def has_udf(read: Read) -> bool:
    """Say whether anything of UDF is there: its recognition sequence, or its anchor."""
    kind, place = struct.unpack("<H10xI", read(_ANCHOR * BLOCK, 16).ljust(16, b"\0"))
    return bool(_recognition(read)) or (kind, place) == (_ANCHOR_TAG, _ANCHOR)


def _recognition(read: Read) -> list[bytes]:
    """Read the words that follow ISO 9660's descriptors."""
    words: list[bytes] = []
    for sector in range(16, 64):
        word = read(sector * BLOCK, BLOCK)[1:6]
        if word in _RECOGNITION:
            words.append(word)
        elif word != b"CD001":
            break
    return words


class UdfTree:
    """The tree of a UDF volume with one plain partition, as UDF 1.02 has it."""

    name = "UDF"

    def __init__(self, read: Read, image_blocks: int, faults: Faults) -> None:
        self._read = read
        self._blocks = image_blocks
        self._faults = faults
        self._entered: set[int] = set()
        self._start = 0  #: first block of the partition

    def entries(self) -> Iterator[Found]:
        """Yield every entry below the root, folders before what is in them."""
        try:
            root = self._open_volume()
        except Malformed as error:
            self._faults.add_grave(f"UDF: the volume has {error}")
            return
        pending = [("", root, root)]
        while pending:
            path, block, parent = pending.pop()
            try:
                for found, inner in self._read_folder(path, block, parent):
                    yield found
                    if found.folder:
                        pending.append((found.path, inner, block))
            except (Malformed, struct.error) as error:
                self._faults.add_grave(f"UDF: {path or 'the root'} has {error}")

    def _open_volume(self) -> int:
        """Follow the anchors; return the partition's block of the root's file entry."""
        if _recognition(self._read) != [b"BEA01", b"NSR02", b"TEA01"]:
            raise Malformed("no recognition sequence of UDF 1.02")
        anchors = [self._descriptor(block, block, (_ANCHOR_TAG,)) for block in (_ANCHOR, self._blocks - 1)]
        if anchors[0][16:32] != anchors[1][16:32]:
            raise Malformed("anchors that differ")
        main, reserve = (self._sequence(anchors[0], at) for at in (16, 24))
        if any(main[kind][20:] != reserve[kind][20:] for kind in (_PARTITION, _LOGICAL_VOLUME)):
            raise Malformed("a reserve sequence that differs from the main one")
        self._start, length = struct.unpack_from("<II", main[_PARTITION], 188)
        if self._start + length > self._blocks:
            raise Malformed(f"a partition of {length} blocks from {self._start}, in {self._blocks}")
        integrity, file_set = (struct.unpack_from("<I", main[_LOGICAL_VOLUME], at)[0] for at in (436, 252))
        self._descriptor(integrity, integrity, (_INTEGRITY,))
        data = self._descriptor(self._start + file_set, file_set, (_FILE_SET,))
        root: int = struct.unpack_from("<I", data, 404)[0]
        return root

    def _sequence(self, anchor: bytes, at: int) -> dict[int, bytes]:
        size, block = struct.unpack_from("<II", anchor, at)
        found: dict[int, bytes] = {}
        for number in range(block, block + min(size // BLOCK, 64)):
            data = self._descriptor(number, number, ())
            kind: int = struct.unpack_from("<H", data)[0]
            if kind == _TERMINATOR:
                break
            found[kind] = data
        if _PARTITION not in found or _LOGICAL_VOLUME not in found:
            raise Malformed(f"no partition or no logical volume in the sequence at block {block}")
        return found

    def _descriptor(self, block: int, location: int, kinds: tuple[int, ...]) -> bytes:
        data = self._read(block * BLOCK, BLOCK)
        self._check_tag(data, location, kinds)
        return data

    def _check_tag(self, data: bytes, location: int, kinds: tuple[int, ...]) -> None:
        """Check a descriptor's kind, checksum, CRC and the place it claims (ECMA-167, 3/7.2)."""
        if len(data) < 16:  # noqa: PLR2004
            raise Malformed(f"nothing at block {location}")
        kind, checksum, crc, length, place = struct.unpack_from("<H2xBxxxHHI", data)
        if kinds and kind not in kinds:
            raise Malformed(f"a descriptor of kind {kind} at block {location} instead of {kinds[0]}")
        if (sum(data[:16]) - checksum) % 256 != checksum or place != location:
            raise Malformed(f"a descriptor with a wrong tag at block {location}")
        if length > len(data) - 16 or binascii.crc_hqx(data[16 : 16 + length], 0) != crc:
            raise Malformed(f"a descriptor with a wrong checksum at block {location}")

    def _read_folder(self, path: str, block: int, parent: int) -> Iterator[tuple[Found, int]]:
        if block in self._entered or len(path) > _LONGEST_PATH:
            raise Malformed("a place in itself, or in two folders")
        self._entered.add(block)
        entry, parts = self._entry(block)
        data = b"".join(self._read(position, size) for position, size in parts)
        if entry[27] != _FOLDER_TYPE or len(data) != struct.unpack_from("<Q", entry, 56)[0]:
            raise Malformed("an entry that is no folder, or has another size")
        position, place = 0, (parts[0][0] // BLOCK - self._start) if parts else 0
        while position < len(data):
            piece = data[position : position + _LARGEST_IDENTIFIER]
            name, flags, inner, size = self._identifier(piece, place + position // BLOCK)
            position += size
            if flags & _IS_PARENT:
                if (flags, inner) != (_IS_PARENT | _IS_FOLDER, parent):
                    self._faults.add(f'UDF: {path or "the root"} has a wrong ".."')
                continue
            if flags not in {0, _IS_FOLDER}:
                self._faults.add(f"UDF: {path or 'the root'} has {name} with attributes nobody asked for")
            yield self._found(f"{path}/{name}" if path else name, flags, inner), inner

    def _identifier(self, data: bytes, place: int) -> tuple[str, int, int, int]:
        length, inner, use = struct.unpack_from("<B4xI8xH", data, 19)
        flags, end = data[18], 38 + use + length
        size = -(-end // 4) * 4
        self._check_tag(data[:size], place, (_IDENTIFIER,))
        raw = data[38 + use : end]
        name = raw[1:].decode("utf-16-be" if raw[:1] == b"\x10" else "latin-1", "replace")
        return name.replace("/", "_").replace("\0", "_"), flags, inner, size

    def _found(self, path: str, flags: int, block: int) -> Found:
        entry, parts = self._entry(block)
        extended = struct.unpack_from("<H", entry)[0] == _EXTENDED_ENTRY
        seconds = _seconds(entry, 92 if extended else 84)
        size = struct.unpack_from("<Q", entry, 56)[0]
        if flags & _IS_FOLDER:
            return Found(path, folder=True, size=0, seconds=seconds)
        if sum(length for _, length in parts) != size:
            self._faults.add_grave(f"UDF: {path} has {size} bytes, but room for another number")
        for position, length in parts:
            if position + length > self._blocks * BLOCK:
                self._faults.add_grave(f"UDF: {path} should have {length} bytes at {position}, beyond the end")
        return Found(path, folder=False, size=size, seconds=seconds, parts=tuple(parts))

    def _entry(self, block: int) -> tuple[bytes, list[tuple[int, int]]]:
        """Read a file entry; return it with the (position, length) of its content."""
        data = self._descriptor(self._start + block, block, (_FILE_ENTRY, _EXTENDED_ENTRY))
        head = 216 if struct.unpack_from("<H", data)[0] == _EXTENDED_ENTRY else 176
        attributes, length = struct.unpack_from("<II", data, head - 8)
        first = head + attributes
        if struct.unpack_from("<H", data, 34)[0] & 0x07 or first + length > BLOCK:
            raise Malformed("allocation descriptors of another form")
        short = struct.iter_unpack("<II", data[first : first + length])
        return data, [((self._start + place) * BLOCK, size & _LENGTH) for size, place in short if size & _LENGTH]


def _seconds(entry: bytes, at: int) -> int:
    zone, year, month, day, hour, minute, second = struct.unpack_from("<HhBBBBB", entry, at)
    if not (1 <= month <= 12 and 1 <= day <= 31 and 1 <= year <= 9999):  # noqa: PLR2004
        return -1
    minutes = zone & 0x0FFF
    minutes -= 0x1000 if minutes & 0x0800 else 0
    if minutes == -2047:  # noqa: PLR2004  (no zone is given)
        minutes = 0
    seconds: int = calendar.timegm((year, month, day, hour, minute, second)) - 60 * minutes
    return seconds
