"""Boot images: what is refused, what the catalogue says, and that the inspection notices any other."""

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import BootNeedsBlankDisc, Faults, InvalidImage, SourceChanged
from jobs.manifest import Entry, Manifest
from jobs.mastering.boot import BootImage, Emulation, Platform, boot_faults, partition_type_of
from jobs.mastering.extents import Extent
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.inspection import inspect
from jobs.mastering.inspection_boot import BootEntry, read_catalogue
from jobs.mastering.inspection_records import Malformed
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.medium import BLOCK, Family
from jobs.mastering.previous_session import PreviousSession
from tests.manifests import a_file, a_folder

FLOPPY = 1_474_560
MANIFEST = Manifest.of([a_folder("boot"), a_file("boot/loader.bin", 4096), a_file("boot/other.bin", 700)])
LOADER = MANIFEST.entries[1]
#: An image that no tree shows.
HIDDEN = replace(a_file("x", 5 * 2048 + 1), path="")


def options(*boot: BootImage, udf: bool = False) -> LayoutOptions:
    return LayoutOptions(Family.CD, "BOOT", udf=udf, boot=boot)


def of_size(size: int) -> Entry:
    return replace(HIDDEN, size=size)


def catalogue(image: ExtentMap) -> list[BootEntry]:
    with ImageReader(metadata(image)) as reader:
        return read_catalogue(reader.read)


def metadata(image: ExtentMap) -> ExtentMap:
    return replace(image, extents=tuple(extent for extent in image.extents if extent.source is None))


def block_of(image: ExtentMap, place: str) -> int:
    return next(extent.offset for extent in image.extents if extent.place == place) // BLOCK


# --- the catalogue -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("udf", [False, True])
def test_the_catalogue_lists_the_default_first_and_then_each_platform(udf: bool) -> None:  # noqa: FBT001
    boot = (
        BootImage(LOADER, manufacturer="discmill's best friend!!"),
        BootImage(HIDDEN, Platform.EFI),
        BootImage(of_size(FLOPPY), Platform.X86, Emulation.FLOPPY_1440),
        BootImage(LOADER, Platform.EFI),
    )

    image = layout(MANIFEST, options(*boot, udf=udf))

    inspect(image, MANIFEST, boot=boot)
    loader, (hidden, floppy) = block_of(image, "boot/loader.bin"), hidden_blocks(image)
    assert catalogue(image) == [
        BootEntry(0, 0, b"discmill's best friend!!", 0, 8, loader),
        BootEntry(0, 2, b"", 0, 1, floppy),
        BootEntry(0xEF, 0, b"", 0, 21, hidden),
        BootEntry(0xEF, 0, b"", 0, 8, loader),
    ]


def hidden_blocks(image: ExtentMap) -> list[int]:
    return [extent.offset // BLOCK for extent in image.extents if extent.place == "(boot image)"]


def test_an_image_takes_the_room_of_its_bytes_and_not_four_times_that() -> None:
    size = 100 * BLOCK
    plain = layout(MANIFEST, replace(options(), family=Family.DVD))

    image = layout(MANIFEST, replace(options(BootImage(of_size(size))), family=Family.DVD))

    (extent,) = [extent for extent in image.extents if extent.place == "(boot image)"]
    assert extent.length == size
    assert image.blocks - plain.blocks in range(100, 100 + 2 + Family.DVD.rounding)  # the catalogue, and the record
    assert catalogue(image)[0].sectors * 512 == size


@pytest.mark.parametrize(
    ("platform", "emulation", "size", "sectors"),
    [
        (Platform.X86, Emulation.NONE, 1, 1),
        (Platform.X86, Emulation.NONE, 2048, 4),
        (Platform.X86, Emulation.NONE, 2049, 5),
        (Platform.X86, Emulation.NONE, 622_592, 1216),
        (Platform.X86, Emulation.NONE, 622_593, 4),
        (Platform.X86, Emulation.FLOPPY_1440, FLOPPY, 1),
        (Platform.X86, Emulation.HARD_DISK, 10_000_000, 1),
        (Platform.EFI, Emulation.NONE, 2_949_120, 5760),
        (Platform.EFI, Emulation.NONE, 65_535 * 512, 65_535),
        (Platform.EFI, Emulation.NONE, 65_535 * 512 + 1, 0),
        (Platform.MAC, Emulation.NONE, 65_535 * 512 + 1, 65_535),
        (Platform.POWERPC, Emulation.NONE, 700_000, 1368),
    ],
)
def test_firmware_is_told_to_load_what_it_needs(
    platform: Platform, emulation: Emulation, size: int, sectors: int
) -> None:
    image = BootImage(of_size(size), platform, emulation, partition_type=6)

    assert image.sectors == sectors
    inspect(layout(MANIFEST, options(image)), MANIFEST, boot=[image])


def test_a_disc_without_boot_images_has_no_boot_record() -> None:
    assert catalogue(layout(MANIFEST, options())) == []


def test_options_name_boot_images_by_what_they_decide() -> None:
    shown, hidden = BootImage(LOADER), BootImage(HIDDEN)

    canonical = options(shown, hidden).canonical

    assert '"content":"boot/loader.bin"' in canonical
    assert HIDDEN.sha256 in canonical
    different = [
        options(), options(shown), options(hidden, shown), options(shown, replace(hidden, platform=Platform.EFI)),
        options(shown, replace(hidden, manufacturer="x")), options(shown, replace(hidden, content=of_size(3))),
    ]  # fmt: skip
    assert len({canonical, *(one.canonical for one in different)}) == 7


IMAGES = st.builds(
    BootImage,
    st.one_of(st.just(LOADER), st.just(MANIFEST.entries[2]), st.integers(1, 10**8).map(of_size)),
    st.sampled_from(Platform),
    st.just(Emulation.NONE),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=24).map(str.strip),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(IMAGES, min_size=1, max_size=12), st.booleans())
def test_any_set_of_images_is_read_back(boot: list[BootImage], udf: bool) -> None:  # noqa: FBT001
    image = layout(MANIFEST, options(*boot, udf=udf))

    inspect(image, MANIFEST, boot=boot)

    listed = catalogue(image)
    assert listed[0].sectors == boot[0].sectors
    assert sorted((entry.platform, entry.sectors) for entry in listed) == sorted(
        (int(one.platform), one.sectors) for one in boot
    )


# --- faults --------------------------------------------------------------------------------------------------


def test_every_fault_is_named_at_once() -> None:
    images = [
        BootImage(of_size(0)),
        BootImage(HIDDEN, manufacturer="x" * 25),
        BootImage(HIDDEN, manufacturer="Ü"),
        BootImage(HIDDEN, manufacturer="a\nb"),
        BootImage(of_size(FLOPPY + 1), emulation=Emulation.FLOPPY_1440),
        BootImage(of_size(FLOPPY), emulation=Emulation.FLOPPY_1200),
        BootImage(of_size(FLOPPY), emulation=Emulation.FLOPPY_2880),
        BootImage(HIDDEN, Platform.EFI, Emulation.HARD_DISK, partition_type=6),
        BootImage(HIDDEN, emulation=Emulation.HARD_DISK),
        BootImage(a_file("missing")),
        BootImage(a_folder("boot")),
        BootImage(replace(LOADER, size=4097)),
    ]

    assert boot_faults(images, MANIFEST.entries) == [
        "boot image 1: it is empty",
        f"boot image 2: the manufacturer '{'x' * 25}' has 25 characters; there is room for 24",
        "boot image 3: the manufacturer 'Ü' is not printable ASCII",
        "boot image 4: the manufacturer 'a\\nb' is not printable ASCII",
        "boot image 5: a floppy disc has 1,474,560 bytes, not 1,474,561",
        "boot image 6: a floppy disc has 1,228,800 bytes, not 1,474,560",
        "boot image 7: a floppy disc has 2,949,120 bytes, not 1,474,560",
        "boot image 8: EFI knows no emulation of disks",
        "boot image 9: the type of the hard disk's partition is not known",
        "boot image 11: it is empty",
        "boot image 10: missing is not a file of the manifest, as it was staged",
        "boot image 11: boot is not a file of the manifest, as it was staged",
        "boot image 12: boot/loader.bin is not a file of the manifest, as it was staged",
    ]


def test_more_images_than_a_catalogue_holds_are_a_fault() -> None:
    most = [BootImage(HIDDEN)] * 62

    assert boot_faults(most, MANIFEST.entries) == []
    inspect(layout(MANIFEST, options(*most)), MANIFEST, boot=most)
    assert boot_faults([*most, *most[:1]], MANIFEST.entries) == [
        "63 boot images take 65 entries of the boot catalogue, which has 64"
    ]


def test_a_layout_refuses_faulty_boot_images() -> None:
    with pytest.raises(Faults, match="the boot images can't be used:\n  - boot image 1: it is empty"):
        layout(MANIFEST, options(BootImage(of_size(0))))


def test_a_disc_with_sessions_can_not_be_made_bootable() -> None:
    with pytest.raises(BootNeedsBlankDisc, match="use a blank one"):
        layout(MANIFEST, options(BootImage(LOADER)), previous=PreviousSession(1000, ()))


def a_disk(file: Path, content: bytes) -> Entry:
    """Make a hard disk's image, and the entry of it as a scan finds it."""
    file.write_bytes(content)
    found = file.stat()
    return Entry("disk.img", found.st_size, 0, source=str(file), inode=found.st_ino, source_mtime_ns=found.st_mtime_ns)


#: A hard disk with one partition, of type 6.
DISK = bytes(450) + b"\x06" + bytes(59) + b"\x55\xaa" + bytes(512)


def test_the_type_of_a_partition_is_read_from_its_disks_image(tmp_path: Path) -> None:
    assert partition_type_of(a_disk(tmp_path / "disk.img", DISK)) == 6


@pytest.mark.parametrize("content", [b"", bytes(512), bytes(510) + b"\x55\xaa", bytes(450) + b"\x06\x55\xaa"])
def test_what_is_no_hard_disks_image_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match="is not a hard disk's image"):
        partition_type_of(a_disk(tmp_path / "disk.img", content))


def test_a_disks_image_behind_a_folder_that_became_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    disk = a_disk(tmp_path / "in" / "disk.img", DISK)
    (tmp_path / "in").rename(tmp_path / "out")  # the very same file, by another way
    (tmp_path / "in").symlink_to(tmp_path / "out")

    with pytest.raises(OSError, match="symbolic links"):
        partition_type_of(disk)


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.write_bytes(DISK)], ids=["fifo", "file"])
def test_what_was_put_in_a_disks_images_place_is_not_waited_for_or_read(
    put: Callable[[Path], object], tmp_path: Path
) -> None:
    disk = a_disk(tmp_path / "disk.img", DISK)
    (tmp_path / "disk.img").rename(tmp_path / "kept")
    put(tmp_path / "disk.img")

    with pytest.raises(SourceChanged, match="was replaced"):
        partition_type_of(disk)


# --- the inspection notices ----------------------------------------------------------------------------------

BOOT = (BootImage(LOADER, manufacturer="ACME"), BootImage(HIDDEN, Platform.EFI))
IMAGE = layout(MANIFEST, options(*BOOT))
CATALOGUE = 20 * BLOCK


def changed(change: Callable[[bytearray], None]) -> ExtentMap:
    """Change an image's metadata."""
    with ImageReader(metadata(IMAGE)) as reader:
        content = bytearray(reader.read(0, IMAGE.size))
    change(content)
    files = [extent for extent in IMAGE.extents if extent.source is not None]
    first = min(extent.offset for extent in files)
    return replace(IMAGE, extents=(Extent(0, first, data=bytes(content[:first])), *files))


def add(at: int, number: int = 1) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[at] = (content[at] + number) % 256

    return change


WRONG = {
    "another checksum": (add(CATALOGUE + 28), "without a valid first entry"),
    "another mark": (add(CATALOGUE + 30), "without a valid first entry"),
    "not bootable": (add(CATALOGUE + 32), "entry 1 is not bootable"),
    "another segment": (add(CATALOGUE + 34), "wants to be loaded elsewhere"),
    "another emulation": (add(CATALOGUE + 33), "boot: the catalogue lists"),
    "another number of sectors": (add(CATALOGUE + 38), "boot: the catalogue lists"),
    "another place": (add(CATALOGUE + 40), "boot: the catalogue lists"),
    "another platform": (add(CATALOGUE + 65), "boot: the catalogue lists"),
    "no section": (add(CATALOGUE + 64, 1), "entry 2 does not begin a section"),
    "a section without end": (add(CATALOGUE + 64, -1), "does not begin a section"),
    "a section of more": (add(CATALOGUE + 66, 1), "entry 4 is not bootable"),
    "a section of very many": (add(CATALOGUE + 67, 255), "entry 4 is not bootable"),
    "a section of none": (add(CATALOGUE + 66, -1), "entry 2 does not begin a section"),
    "something behind": (add(CATALOGUE + 4 * 32), "behind its last section"),
    "no boot record": (add(17 * BLOCK, 3), "instead of"),
    "another boot record": (add(17 * BLOCK + 8), "a boot record that is not El Torito's"),
    "a catalogue elsewhere": (add(17 * BLOCK + 71), "without a valid first entry"),
    "a catalogue nowhere": (add(17 * BLOCK + 74), "no catalogue where the boot record says"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG)
def test_a_fault_of_the_catalogue_is_noticed(change: Callable[[bytearray], None], words: str) -> None:
    with pytest.raises(InvalidImage) as fault:
        inspect(changed(change), MANIFEST, boot=BOOT)

    assert words in str(fault.value)


def test_a_right_catalogue_passes() -> None:
    inspect(changed(lambda _: None), MANIFEST, boot=BOOT)


def test_other_boot_images_than_wanted_are_noticed() -> None:
    for other in ((), BOOT[:1], BOOT[::-1], (*BOOT, BOOT[0])):
        with pytest.raises(InvalidImage, match="boot"):
            inspect(IMAGE, MANIFEST, boot=other)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, BLOCK - 1), st.integers(0, 255)), max_size=12), st.binary(max_size=BLOCK))
def test_no_catalogue_breaks_its_reader(changes: list[tuple[int, int]], tail: bytes) -> None:
    with ImageReader(metadata(IMAGE)) as reader:
        content = bytearray(reader.read(CATALOGUE, BLOCK))
    for at, value in changes:
        content[at] = value
    content[128 : 128 + len(tail)] = tail
    content = content[:BLOCK]
    content[28:30] = bytes(2)
    content[28:30] = struct.pack("<H", -sum(struct.unpack_from("<16H", content)) % 0x10000)

    try:
        read_catalogue(lambda position, _: bytes(content) if position == CATALOGUE else boot_sector())
    except Malformed as fault:
        assert str(fault)  # noqa: PT017  (either is right; anything else is not)


def boot_sector() -> bytes:
    with ImageReader(metadata(IMAGE)) as reader:
        return reader.read(17 * BLOCK, BLOCK)
