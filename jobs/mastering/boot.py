"""Boot images: what makes a disc one that computers start from (El Torito 1.0, and UEFI 2.10, 13.3.2.1)."""

import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

from jobs.errors import InvalidImage
from jobs.manifest import Entry
from jobs.mastering.extents import Source
from jobs.mastering.medium import BLOCK
from jobs.mastering.opening import open_unlinked

#: Bytes of a sector as firmware counts them here: a quarter of a block.
_SECTOR = 512
#: Bytes of a catalogue's entry, and entries of a catalogue: firmware reads one block of it.
_ENTRY, _ROOM = 32, BLOCK // 32
_LONGEST_ID = 24
#: Sectors of an x86 program that fit between 0x7C00, where it is loaded, and the end of a PC's memory at 0x9FC00.
_MOST_X86_SECTORS = 1216
_MOST_SECTORS = 0xFFFF
_BOOTABLE = 0x88
_MORE_SECTIONS, _LAST_SECTION = 0x90, 0x91
#: Where the first partition's type stands in a master boot record, and the mark that ends the record.
_PARTITION_TYPE, _MARK = 450, b"\x55\xaa"


class Platform(IntEnum):
    """Whose firmware is to start an image, as El Torito numbers it."""

    X86 = 0
    POWERPC = 1
    MAC = 2
    EFI = 0xEF


class Emulation(IntEnum):
    """What firmware pretends an image to be, as El Torito numbers it."""

    NONE = 0
    FLOPPY_1200 = 1
    FLOPPY_1440 = 2
    FLOPPY_2880 = 3
    HARD_DISK = 4


#: Bytes of the floppy discs that can be emulated.
_FLOPPY_SIZES = {Emulation.FLOPPY_1200: 1_228_800, Emulation.FLOPPY_1440: 1_474_560, Emulation.FLOPPY_2880: 2_949_120}


@dataclass(frozen=True, slots=True)
class BootImage:
    """An image to start from. `content.path` is its place on the disc, or empty: then no tree shows it.

    `manufacturer` names its maker in the catalogue, in 24 bytes of ASCII. `partition_type` is that of an emulated
    hard disk's partition; see `partition_type_of`.
    """

    content: Entry
    platform: Platform = Platform.X86
    emulation: Emulation = Emulation.NONE
    manufacturer: str = ""
    partition_type: int = 0

    @property
    def hidden(self) -> bool:
        """True if no tree shows the image."""
        return not self.content.path

    @property
    def sectors(self) -> int:
        """Sectors of 512 bytes that firmware is told to load; four of them are one block of the disc.

        Of an emulated disk it loads the boot sector. Of a program for x86 it is all, up to what a PC has room for: a
        larger one can only be a loader that fetches the rest, and its first block is loaded. An EFI system
        partition is not loaded but read, and 0 says that it goes on to the end of the disc: that is for larger ones.
        """
        if self.emulation is not Emulation.NONE:
            return 1
        count = -(-self.content.size // _SECTOR)
        if self.platform is Platform.X86 and count > _MOST_X86_SECTORS:
            return BLOCK // _SECTOR
        if count > _MOST_SECTORS:
            return 0 if self.platform is Platform.EFI else _MOST_SECTORS
        return count

    @property
    def canonical(self) -> dict[str, object]:
        """All that decides what the image adds to a disc, to be written as JSON."""
        content = self.content.canonical if self.hidden else self.content.path
        facts = {"emulation": int(self.emulation), "platform": int(self.platform), "content": content}
        return facts | {"manufacturer": self.manufacturer, "partition_type": self.partition_type}


def partition_type_of(content: Entry) -> int:
    """Read the type of the first partition of a hard disk's image.

    Raises:
        InvalidImage: it has no master boot record, or no first partition.
        SourceChanged: it is not the file that was scanned any more.
        OSError: it can't be read.
    """
    scanned = Source(content.source, content.size, content.source_mtime_ns, content.inode, "")
    with os.fdopen(open_unlinked(content.source), "rb") as image:
        scanned.check(os.fstat(image.fileno()))
        record = image.read(_SECTOR)
    if record[-2:] != _MARK or len(record) < _SECTOR or not record[_PARTITION_TYPE]:
        raise InvalidImage(
            f"{content.source} is not a hard disk's image: it has no master boot record with a first partition"
        )
    return record[_PARTITION_TYPE]


def boot_faults(images: Sequence[BootImage], entries: Iterable[Entry]) -> list[str]:
    """Return every fault of boot images as a sentence; `entries` are those of the manifest they go on a disc with."""
    wanted = {image.content.path for image in images}
    staged = {entry.path: entry for entry in entries if entry.path in wanted}
    faults = [f"boot image {number}: {fault}" for number, image in enumerate(images, 1) for fault in _faults(image)]
    for number, image in enumerate(images, 1):
        entry = staged.get(image.content.path)
        if image.hidden or (entry and not entry.folder and _same(entry, image.content)):
            continue
        faults.append(f"boot image {number}: {image.content.path} is not a file of the manifest, as it was staged")
    needed = 2 + sum(1 + len(section) for section in _sections(images))
    if needed > _ROOM:
        faults.append(f"{len(images)} boot images take {needed} entries of the boot catalogue, which has {_ROOM}")
    return faults


def _same(one: Entry, other: Entry) -> bool:
    return (one.size, one.sha256) == (other.size, other.sha256)


def _faults(image: BootImage) -> Iterator[str]:
    if not image.content.size:
        yield "it is empty"
    name = image.manufacturer
    if not (name.isascii() and (name.isprintable() or not name)):
        yield f"the manufacturer {name!r} is not printable ASCII"
    elif len(name) > _LONGEST_ID:
        yield f"the manufacturer {name!r} has {len(name)} characters; there is room for {_LONGEST_ID}"
    if image.platform is Platform.EFI and image.emulation is not Emulation.NONE:
        yield "EFI knows no emulation of disks"
    size = _FLOPPY_SIZES.get(image.emulation, image.content.size)
    if image.content.size not in {0, size}:
        yield f"a floppy disc has {size:,} bytes, not {image.content.size:,}"
    if image.emulation is Emulation.HARD_DISK and not 0 < image.partition_type <= 0xFF:  # noqa: PLR2004
        yield "the type of the hard disk's partition is not known"


def boot_record(catalogue: int) -> bytes:
    """Write the volume descriptor that leads to the catalogue's block; it has to be the one in block 17."""
    return b"\0CD001\1" + b"EL TORITO SPECIFICATION".ljust(64, b"\0") + catalogue.to_bytes(4, "little")


def boot_catalogue(images: Sequence[BootImage], blocks: Sequence[int]) -> bytes:
    """Write the catalogue: the first image is the default, the others follow in sections of one platform each.

    `blocks` says where each image lies.
    """
    rows = [_validation(images[0]), _entry(images[0], blocks[0])]
    sections = _sections(images)
    for number, members in enumerate(sections, 1):
        kind = _LAST_SECTION if number == len(sections) else _MORE_SECTIONS
        first = images[members[0]]
        rows.append(struct.pack("<BBH28s", kind, first.platform, len(members), first.manufacturer.encode("ascii")))
        rows += [_entry(images[member], blocks[member]) for member in members]
    return b"".join(rows)


def _sections(images: Sequence[BootImage]) -> list[list[int]]:
    """Sort the images behind the first by platform, and by the name that a section bears; return their indexes."""

    def section(index: int) -> tuple[Platform, str]:
        return images[index].platform, images[index].manufacturer

    ordered = sorted(range(1, len(images)), key=section)
    return [list(members) for _, members in groupby(ordered, key=section)]


def _validation(image: BootImage) -> bytes:
    """Write the entry that marks a catalogue: all its words of 16 bits add up to zero."""
    name = image.manufacturer.encode("ascii")
    words = struct.unpack("<16H", struct.pack("<BBH24sH2s", 1, image.platform, 0, name, 0, _MARK))
    return struct.pack("<BBH24sH2s", 1, image.platform, 0, name, -sum(words) & 0xFFFF, _MARK)


def _entry(image: BootImage, block: int) -> bytes:
    """Write an image's entry; segment 0 means the usual one, 0x7C0."""
    return struct.pack(
        "<BBHBxHI20x", _BOOTABLE, image.emulation, 0, image.partition_type, image.sectors, block
    )  # fmt: skip
