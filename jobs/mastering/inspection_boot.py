"""A strict reader of boot catalogues that shares nothing with their writer, so that it can judge it."""

import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.mastering.boot import BootImage, Emulation, Platform
from jobs.mastering.inspection_iso import Faults
from jobs.mastering.inspection_records import BLOCK, Malformed, Read

_RECORD = 17  #: block of the descriptor that leads to the catalogue
_IDENTITY = b"\0CD001\1EL TORITO SPECIFICATION" + bytes(9)
_VALID, _BOOTABLE = 1, 0x88
_MORE, _LAST = 0x90, 0x91
_ROW = 32  #: bytes of an entry
#: Bytes that firmware counts in, and the memory that a PC has for what it loads at 0x7C00.
_SECTOR, _PC_MEMORY = 512, 0x9FC00 - 0x7C00


@dataclass(frozen=True, slots=True)
class BootEntry:
    """An image as a catalogue lists it: `sectors` of 512 bytes are to be loaded, from `block` of the disc on."""

    platform: int
    emulation: int
    manufacturer: bytes
    partition_type: int
    sectors: int
    block: int


def read_catalogue(read: Read) -> list[BootEntry]:
    """Read what a disc starts from, the default first; nothing if it is not bootable.

    Raises:
        Malformed: there is a catalogue that firmware would not accept.
    """
    record = read(_RECORD * BLOCK, BLOCK)
    if record[:1] != b"\0" or record[1:6] != b"CD001":
        return []
    if not record.startswith(_IDENTITY):
        raise Malformed("a boot record that is not El Torito's")
    rows = read(struct.unpack_from("<I", record, 71)[0] * BLOCK, BLOCK)
    if len(rows) < BLOCK:
        raise Malformed("no catalogue where the boot record says")
    valid, platform, name, end = struct.unpack_from("<BBxx24sxxH", rows)
    if (valid, end) != (_VALID, 0xAA55) or sum(struct.unpack_from("<16H", rows)) % 0x10000:
        raise Malformed("a catalogue without a valid first entry")
    return [_entry(rows, 1, platform, name), *_sections(rows)]


def _sections(rows: bytes) -> Iterator[BootEntry]:
    number, kind = 2, _MORE
    while kind == _MORE:
        kind, platform, count, name = struct.unpack_from("<BBH28s", _row(rows, number))
        if kind == 0 and number == 2:  # noqa: PLR2004  (there is no section at all)
            return
        if kind not in {_MORE, _LAST} or not count:
            raise Malformed(f"a catalogue whose entry {number} does not begin a section")
        yield from (_entry(rows, number + index, platform, name) for index in range(1, count + 1))
        number += 1 + count
    if any(rows[number * _ROW :]):
        raise Malformed("a catalogue with entries behind its last section")


def _row(rows: bytes, number: int) -> bytes:
    row = rows[number * _ROW : (number + 1) * _ROW]
    if len(row) < _ROW:
        raise Malformed("a catalogue that does not end")
    return row


def _entry(rows: bytes, number: int, platform: int, name: bytes) -> BootEntry:
    bootable, emulation, segment, partition_type, sectors, block = struct.unpack_from("<BBHBxHI", _row(rows, number))
    if bootable != _BOOTABLE or segment:
        raise Malformed(f"a catalogue whose entry {number} is not bootable, or wants to be loaded elsewhere")
    return BootEntry(platform, emulation, name.rstrip(b"\0"), partition_type, sectors, block)


def check_boot(read: Read, images: Sequence[BootImage], places: Sequence[int], faults: Faults) -> None:
    """Compare a catalogue with the images it should list; `places` are their bytes on the disc."""
    try:
        listed = read_catalogue(read)
    except Malformed as error:
        faults.add(f"boot: there is {error}")
        return
    expected = [_expected(image, place) for image, place in zip(images, places, strict=True)]
    if Counter(listed) != Counter(expected):
        faults.add(f"boot: the catalogue lists {listed} instead of {expected}")
    if listed[:1] != expected[:1]:
        faults.add("boot: another image than the first is the default")


def _expected(image: BootImage, place: int) -> BootEntry:
    name = image.manufacturer.encode("ascii")
    block, rest = divmod(place, BLOCK)
    facts = image.platform, image.emulation, name, image.partition_type
    return BootEntry(*facts, _sectors(image), block if not rest else -1)


def _sectors(image: BootImage) -> int:
    size = image.content.size
    if image.emulation != Emulation.NONE:
        return 1
    if image.platform == Platform.X86 and size > _PC_MEMORY:
        return 4
    sectors = (size + _SECTOR - 1) // _SECTOR
    too_many = 0 if image.platform == Platform.EFI else 0xFFFF
    return sectors if sectors <= 0xFFFF else too_many  # noqa: PLR2004
