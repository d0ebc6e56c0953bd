"""The inspection notices what is wrong with a master, and ready-made images can't trick it."""

import binascii
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import InvalidImage
from jobs.manifest import Manifest
from jobs.mastering.extents import Extent
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.inspection import IsoSummary, inspect, inspect_iso, iso_entries
from jobs.mastering.inspection_iso import Faults
from jobs.mastering.inspection_pycdlib import Disc, ask_pycdlib
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.joliet_names import plan
from jobs.mastering.medium import BLOCK, Family
from tests.manifests import NOON, a_file, a_folder, manifest_of

#: No test depends on how long drawing its examples takes.
UNHURRIED = [HealthCheck.too_slow]
BRIDGE = LayoutOptions(Family.CD, "TEST", udf=True)
MANIFEST = Manifest.of([
    a_folder("folder", NOON + 1), a_file("folder/one", 5000), a_file("folder/two", 100), a_file("first", 3000),
    a_file("empty", 0), a_folder("folder/inner"), a_file("folder/inner/" + "long name " * 20, 77),
])  # fmt: skip
IMAGE = layout(MANIFEST, BRIDGE)


def whole(image: ExtentMap) -> bytearray:
    """Return an image's bytes, contents as zeros."""
    content = bytearray(image.size)
    for extent in image.extents:
        if extent.source is None:
            content[extent.offset : extent.offset + extent.length] = extent.data
    return content


def rebuilt(content: bytes | bytearray) -> ExtentMap:
    """Put changed metadata under the same files."""
    files = [extent for extent in IMAGE.extents if extent.source is not None]
    first = min(extent.offset for extent in files)
    last = max(extent.offset + extent.length for extent in files if extent.length)
    metadata = [Extent(0, first, data=bytes(content[:first])), Extent(last, BLOCK, data=bytes(content[last:][:BLOCK]))]
    end = Extent(IMAGE.size - BLOCK, BLOCK, data=bytes(content[-BLOCK:]))
    return ExtentMap(BLOCK, IMAGE.blocks, tuple(sorted([*metadata, *files, end], key=lambda extent: extent.offset)))


IMAGE_BYTES = bytes(whole(IMAGE))


def number(at: int, form: str = "<I") -> int:
    found: int = struct.unpack_from(form, IMAGE_BYTES, at)[0]
    return found


PRIMARY, JOLIET = 16 * BLOCK, 17 * BLOCK
ROOT, JOLIET_ROOT = number(PRIMARY + 158) * BLOCK, number(JOLIET + 158) * BLOCK


def record(identifier: bytes, start: int) -> int:
    """Return where a directory record stands."""
    return IMAGE_BYTES.index(bytes([len(identifier)]) + identifier, start) - 32


FOLDER = number(record(b"FOLDER", ROOT) + 2) * BLOCK


def put(at: int, data: bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        assert content[at : at + len(data)] != data
        content[at : at + len(data)] = data

    return change


def add(at: int, number: int = 1) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[at] = (content[at] + number) % 256

    return change


def swap(one: int, other: int) -> Callable[[bytearray], None]:
    """Exchange two records of equal length."""

    def change(content: bytearray) -> None:
        length = content[one]
        assert content[other] == length
        first, second = content[one : one + length], content[other : other + length]
        content[one : one + length], content[other : other + length] = second, first

    return change


def both(at: int, number: int) -> Callable[[bytearray], None]:
    """Put a number in both its halves."""
    return put(at, struct.pack("<I", number) + struct.pack(">I", number))


def in_udf(kind: int, at: int, nth: int = 0) -> Callable[[bytearray], None]:
    """Change a byte of the nth UDF descriptor of a kind, and make its checksums right again."""

    def change(content: bytearray) -> None:
        starts = [
            start for start in range(32 * BLOCK, len(content), 4)
            if struct.unpack_from("<HH", content, start) == (kind, 2)
            and (sum(content[start : start + 16]) - content[start + 4]) % 256 == content[start + 4]
        ]  # fmt: skip
        start = starts[nth]
        content[start + at] ^= 1
        length = struct.unpack_from("<H", content, start + 10)[0]
        struct.pack_into("<H", content, start + 8, binascii.crc_hqx(content[start + 16 : start + 16 + length], 0))
        content[start + 4] = 0
        content[start + 4] = sum(content[start : start + 16]) % 256

    return change


ONE, TWO = record(b"ONE.;1", FOLDER), record(b"TWO.;1", FOLDER)
#: The continuation field of a record whose name does not fit: 28 bytes of block, offset and length, each twice.
LONG = IMAGE_BYTES.index(b"CE\x1c", record(b"INNER", FOLDER))
JOLIET_FIRST = record("first".encode("utf-16-be"), JOLIET_ROOT)
FAULTS = {
    "the volume has another size": (both(PRIMARY + 80, IMAGE.blocks + 1), "does not have the image's"),
    "Joliet's volume has another size": (both(JOLIET + 80, 7), "does not have the image's"),
    "a descriptor's halves differ": (add(PRIMARY + 127), "big-endian"),
    "a record's halves differ": (add(ONE + 17), "Rock Ridge: folder has numbers whose"),
    "a Joliet record's halves differ": (add(JOLIET_FIRST + 9), "Joliet: the root has numbers whose"),
    "a size is wrong": (both(ONE + 10, 4999), "folder/one has 4999 bytes instead of 5000"),
    "a Joliet size is wrong": (both(JOLIET_FIRST + 10, 2999), "Joliet: first has 2999 bytes instead of 3000"),
    "a place is wrong": (both(ONE + 2, 20), "folder/one has its content at another place"),
    "a place is outside": (both(ONE + 2, 10**6), "beyond the end"),
    "a name is wrong": (put(IMAGE_BYTES.index(b"one", ONE + 40), b"eno"), "folder/eno is there, but should not"),
    "a Joliet name is wrong": (add(JOLIET_FIRST + 34), "Joliet: first is missing"),
    "a time is wrong": (add(IMAGE_BYTES.index(b"TF", ONE) + 9), "folder/one has the time"),
    "a Joliet time is wrong": (add(JOLIET_FIRST + 20), "Joliet: first has the time"),
    "a folder is a file": (put(record(b"FOLDER", ROOT) + 25, b"\0"), "folder has another kind"),
    "records are out of order": (swap(ONE, TWO), "folder is not in order"),
    "a name is there twice": (put(TWO + 33, b"ONE"), "folder is not in order, or has a name twice"),
    "a record is a part too many": (put(ONE + 25, b"\x80"), "not in order"),
    "a record is interleaved": (put(ONE + 26, b"\1"), "attributes nobody asked for"),
    '"." lies elsewhere': (both(FOLDER + 2, 20), 'folder does not begin with a right "."'),
    '".." has another size': (both(FOLDER + IMAGE_BYTES[FOLDER] + 10, 4096), 'does not begin with a right "."'),
    "a record swallows the next": (put(ONE, b"\xfe"), "folder/two is missing"),
    "a record is hidden": (put(ONE + 25, b"\1"), "attributes nobody asked for"),
    "a record is too short": (put(ONE, b"\x10"), "a record of 16 bytes"),
    "a name overruns its record": (put(ONE + 32, b"\xf0"), "a name of 240 bytes"),
    "a field overruns": (put(IMAGE_BYTES.index(b"PX", ONE) + 2, b"\xff"), "a field of 255 bytes"),
    "a field is too short": (put(IMAGE_BYTES.index(b"PX", ONE) + 2, b"\1"), "a field of 1 bytes"),
    "a field continues too long": (put(LONG + 20, b"\0\0\4\0"), "a continuation of 262144 bytes"),
    "a field continues nowhere": (both(LONG + 4, 10**6), "a continuation outside the image"),
    "permissions are wrong": (add(IMAGE_BYTES.index(b"PX", ONE) + 4), "folder/one has other permissions"),
    "a record has another time": (add(ONE + 20), "folder/one has another time than in ISO 9660"),
    "a folder is in itself": (both(record(b"INNER", FOLDER) + 2, FOLDER // BLOCK), "is in two places"),
    "a folder has no size": (both(record(b"INNER", FOLDER) + 10, 0), "should have 0 bytes"),
    "a folder is outside": (both(record(b"INNER", FOLDER) + 2, 10**6), "at block 1000000, and can't"),
    "a folder is enormous": (both(record(b"INNER", FOLDER) + 10, 2**31), "should have 2147483648 bytes"),
    "there is no Rock Ridge": (put(IMAGE_BYTES.index(b"SP\x07", ROOT), b"XX"), "does not have a tree with Rock Ridge"),
    "Rock Ridge is not announced": (put(IMAGE_BYTES.index(b"RRIP"), b"QQQQ"), "does not have a tree with Rock Ridge"),
    "there is no Joliet": (put(JOLIET + 88, b"xxx"), "does not have a tree with Rock Ridge and one of Joliet"),
    "the path table is wrong": (add(number(PRIMARY + 140) * BLOCK + 2), "path table"),
    "the other path table is wrong": (add(number(PRIMARY + 148, ">I") * BLOCK + 5), "path table"),
    "Joliet's path table is wrong": (add(number(JOLIET + 140) * BLOCK + 16), "Joliet: the path table"),
    "UDF: a byte is wrong": (add(260 * BLOCK + 30), "UDF: "),
    "UDF: an anchor is wrong": (add(256 * BLOCK + 20), "UDF: the volume has"),
    "UDF: the last anchor is gone": (put(IMAGE.size - BLOCK, b"\0" * 16), "UDF: the volume has"),
    "UDF: the anchors differ": (in_udf(2, 20, 1), "anchors that differ"),
    "UDF: the reserve differs": (in_udf(5, 192, 1), "a reserve sequence that differs"),
    "UDF: a time is wrong": (in_udf(261, 84 + 8, 3), "UDF: "),
    "UDF: a size is wrong": (in_udf(261, 56, 3), "but room for another number"),
    "UDF: a place is wrong": (in_udf(261, 180, 4), "its content at another place"),
    "UDF: a name is wrong": (in_udf(257, 39, 1), "UDF: "),
    "UDF: a file is hidden": (in_udf(257, 18, 1), "attributes nobody asked for"),
    'UDF: ".." leads elsewhere': (in_udf(257, 24, 0), 'has a wrong ".."'),
}  # fmt: skip


def test_a_right_image_passes() -> None:
    inspect(IMAGE, MANIFEST)
    inspect(rebuilt(IMAGE_BYTES), MANIFEST)


@pytest.mark.parametrize(("change", "words"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_metadata_is_noticed(change: Callable[[bytearray], None], words: str) -> None:
    content = bytearray(IMAGE_BYTES)
    change(content)

    with pytest.raises(InvalidImage) as fault:
        inspect(rebuilt(content), MANIFEST)

    assert words in str(fault.value)


def changed(name: str, **over: object) -> ExtentMap:
    """Change the extent of a file."""
    extents = [extent._replace(**over) if extent.place == name else extent for extent in IMAGE.extents]  # type: ignore[arg-type]
    return ExtentMap(BLOCK, IMAGE.blocks, tuple(sorted(extents, key=lambda extent: extent.offset)))


def source_of(place: str) -> Extent:
    return next(extent for extent in IMAGE.extents if extent.place == place)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (changed("first", offset=source_of("folder/one").offset), "extents overlap"),
        (changed("first", offset=IMAGE.size), "the extents do not fit the image"),
        (changed("first", place="second"), "first is not read from the staged file; second is read, but not in"),
        (changed("first", length=2999), "first is not read from the staged file"),
        (changed("first", source=source_of("folder/one").source), "first is not read from the staged file"),
        (changed("empty", source=source_of("folder/one").source), "empty is not read from the staged file"),
        (ExtentMap(BLOCK, IMAGE.blocks + 1, IMAGE.extents), "does not have the image's"),
    ],
)
def test_a_wrong_extent_is_noticed(image: ExtentMap, words: str) -> None:
    with pytest.raises(InvalidImage, match=words):
        inspect(image, MANIFEST)


def test_another_manifest_is_noticed_in_every_tree() -> None:
    entries = [*MANIFEST.entries[:-1], replace(MANIFEST.entries[-1], path="folder/other")]

    with pytest.raises(InvalidImage) as fault:
        inspect(IMAGE, Manifest.of(entries))

    for tree in ("Rock Ridge", "Joliet", "UDF"):
        assert f"{tree}: folder/other is missing" in str(fault.value)
        assert f"{tree}: folder/two is there, but should not be" in str(fault.value)


def test_many_faults_are_cut_short() -> None:
    manifest = Manifest.of(a_file(f"file {number}") for number in range(100))

    with pytest.raises(InvalidImage, match=r"; and \d\d\d more$"):
        inspect(IMAGE, manifest)


def test_a_stray_udf_is_noticed() -> None:
    content = bytearray(IMAGE_BYTES)
    content[19 * BLOCK : 22 * BLOCK] = bytes(3 * BLOCK)

    with pytest.raises(InvalidImage, match="UDF: the volume has no recognition sequence"):
        inspect(rebuilt(content), MANIFEST)


@settings(deadline=None, max_examples=300, suppress_health_check=UNHURRIED)
@given(st.lists(st.tuples(st.integers(16 * BLOCK, len(IMAGE_BYTES) - 1), st.integers(0, 255)), max_size=20))
def test_no_change_of_the_metadata_breaks_the_inspection(changes: list[tuple[int, int]]) -> None:
    content = bytearray(IMAGE_BYTES)
    for at, value in changes:
        content[at] = value

    try:
        inspect(rebuilt(content), MANIFEST)
    except InvalidImage as fault:
        assert str(fault)  # noqa: PT017  (either is right; anything else is not)


# --- what pycdlib makes of it --------------------------------------------------------------------------------


def asked_of_pycdlib(content: bytes | bytearray) -> list[str]:
    faults = Faults(strict=True)
    with ImageReader(rebuilt(content)) as reader:
        ask_pycdlib(Disc(reader, 0), IMAGE.size, plan(MANIFEST.entries, udf=True), faults)
    return faults


def test_pycdlib_has_nothing_to_say_of_a_right_image() -> None:
    assert asked_of_pycdlib(IMAGE_BYTES) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put(IMAGE_BYTES.index(b"one", ONE + 40), b"eno"), "Rock Ridge shows something else"),
        (both(ONE + 10, 4999), "Rock Ridge shows something else"),
        (add(JOLIET_FIRST + 34), "Joliet shows something else"),
        (in_udf(257, 39, 1), "UDF shows something else"),
        (put(PRIMARY + 1, b"CD002"), "can't read the image"),
        (both(record(b"INNER", FOLDER) + 2, 10**6), "can't read the image"),
        (put(JOLIET + 88, b"xxx"), "can't read the image"),
    ],
)
def test_pycdlib_notices_another_image(change: Callable[[bytearray], None], words: str) -> None:
    content = bytearray(IMAGE_BYTES)
    change(content)

    said = asked_of_pycdlib(content)

    assert len(said) == 1
    assert words in said[0]


def test_pycdlib_is_asked_about_small_masters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.mastering.inspection.MOST_ENTRIES", len(MANIFEST.entries) - 1)
    monkeypatch.setattr("jobs.mastering.inspection.ask_pycdlib", lambda *_: 1 / 0)

    inspect(IMAGE, MANIFEST)

    monkeypatch.setattr("jobs.mastering.inspection.MOST_ENTRIES", len(MANIFEST.entries))
    with pytest.raises(ZeroDivisionError):
        inspect(IMAGE, MANIFEST)


# --- ready-made images ---------------------------------------------------------------------------------------


@pytest.fixture
def iso(tmp_path: Path) -> Path:
    """Give the file of an image with Rock Ridge, Joliet and UDF."""
    path = tmp_path / "image.iso"
    path.write_bytes(IMAGE_BYTES)
    return path


def test_an_image_is_summed_up(iso: Path) -> None:
    assert inspect_iso(iso) == IsoSummary("TEST", IMAGE.blocks, files=5, bytes=8177)


def test_the_files_of_an_image_are_listed(iso: Path) -> None:
    listed = {entry.path: entry for entry in iso_entries(iso)}

    assert sorted(listed) == sorted(entry.path for entry in MANIFEST.entries if not entry.folder)
    one, empty = listed["folder/one"], listed["empty"]
    assert (one.size, one.mtime, one.offset, one.length) == (5000, NOON, source_of("folder/one").offset, 5000)
    assert (empty.size, empty.parts, empty.offset, empty.length) == (0, (), 0, 0)


def test_content_is_found_where_the_list_says(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    image = layout(manifest_of(tmp_path), BRIDGE)
    with ImageReader(image) as reader:
        (tmp_path / "image.iso").write_bytes(reader.read(0, image.size))

    (entry,) = iso_entries(tmp_path / "image.iso")

    assert (tmp_path / "image.iso").read_bytes()[entry.offset :][: entry.length] == b"content"


def test_a_file_in_several_parts_is_one_file(tmp_path: Path) -> None:
    image = layout(Manifest.of([a_file("huge", 9 * 2**30)]), BRIDGE)
    with (tmp_path / "image.iso").open("wb") as out:
        out.truncate(image.size)
        for extent in image.extents:
            if extent.source is None:
                out.seek(extent.offset)
                out.write(extent.data)

    (entry,) = iso_entries(tmp_path / "image.iso")

    assert (entry.path, entry.size, entry.length) == ("huge", 9 * 2**30, 9 * 2**30)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (put(IMAGE_BYTES.index(b"SP\x07", ROOT), b"XX"), "folder/one"),
        (put(IMAGE_BYTES.index(b"RRIP"), b"QQQQ"), "folder/one"),
        (lambda content: (put(IMAGE_BYTES.index(b"RRIP"), b"QQQQ")(content), put(JOLIET + 88, b"xxx")(content)),
         "FOLDER/ONE"),
    ],
    ids=["Joliet without SP", "Joliet without ER", "ISO 9660"],
)  # fmt: skip
def test_the_best_tree_is_listed(iso: Path, change: Callable[[bytearray], None], path: str) -> None:
    content = bytearray(IMAGE_BYTES)
    change(content)
    iso.write_bytes(content)

    assert path in [entry.path for entry in iso_entries(iso)]


def test_names_that_would_leave_the_folder_are_made_harmless(iso: Path) -> None:
    content = bytearray(IMAGE_BYTES)
    put(IMAGE_BYTES.index(b"one", ONE + 40), b"/\0/")(content)
    iso.write_bytes(content)

    assert "folder/___" in [entry.path for entry in iso_entries(iso)]


BROKEN = {
    "empty": (b"", "0 bytes are not a whole number of blocks"),
    "not whole blocks": (IMAGE_BYTES[:-1], "not a whole number of blocks of 2048"),
    "too short for a volume": (bytes(10 * BLOCK), "not an ISO 9660 image: no volume descriptor"),
    "zeros": (bytes(40 * BLOCK), "not an ISO 9660 image: no volume descriptor"),
    "cut short": (IMAGE_BYTES[: -5 * BLOCK], "cut short: its volume has"),
    "only a terminator": (
        bytes(16 * BLOCK) + b"\xffCD001\1" + bytes(24 * BLOCK), "not a whole number of blocks of 2048",
    ),
    "no primary": (bytes(16 * BLOCK) + (b"\xffCD001\1" + bytes(2041)) + bytes(BLOCK), "no primary volume"),
    "descriptors without end": (
        bytes(16 * BLOCK) + (b"\0CD001\1" + bytes(2041)) * 100, "its volume descriptors do not end",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_image_is_refused(iso: Path, content: bytes, words: str) -> None:
    iso.write_bytes(content)

    with pytest.raises(InvalidImage, match=words) as fault:
        inspect_iso(iso)

    assert str(fault.value).startswith(str(iso))


DAMAGED = {
    "other blocks": (put(PRIMARY + 128, b"\0\4\4\0"), "blocks of 1024 bytes"),
    "no root": (put(PRIMARY + 156, b"\0"), "whose root folder can't be read"),
    "a root outside": (both(PRIMARY + 158, 10**6), "the root can't be read"),
    "an enormous root": (both(PRIMARY + 166, 2**32 - 2048), "the root should have 4294965248 bytes"),
    "a root of rubbish": (put(ROOT, b"\5rubbish"), "the root can't be read"),
    "a file outside": (both(ONE + 2, 10**6), "folder/one should have 5000 bytes at 2048000000, beyond the end"),
    "a folder outside": (both(record(b"INNER", FOLDER) + 2, 10**6), "folder/inner should have 2048 bytes at block"),
    "a field that overruns": (put(IMAGE_BYTES.index(b"PX", ONE) + 2, b"\xff"), "a field of 255 bytes"),
    "a field that continues nowhere": (both(LONG + 4, 10**6), "a continuation outside the image"),
}


@pytest.mark.parametrize(("change", "words"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_image_is_refused(iso: Path, change: Callable[[bytearray], None], words: str) -> None:
    content = bytearray(IMAGE_BYTES)
    change(content)
    iso.write_bytes(content)

    with pytest.raises(InvalidImage, match=words):
        inspect_iso(iso)


def test_a_folder_in_itself_is_entered_once(iso: Path) -> None:
    content = bytearray(IMAGE_BYTES)
    both(record(b"INNER", FOLDER) + 2, FOLDER // BLOCK)(content)
    iso.write_bytes(content)

    assert [entry.path for entry in iso_entries(iso)] == ["empty", "first", "folder/one", "folder/two"]


def test_what_can_not_be_read_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    for name, words in (("missing", "can't be opened"), (".", "is not a file"), ("pipe", "is not a file")):
        with pytest.raises(InvalidImage, match=words):
            inspect_iso(tmp_path / name)


@settings(deadline=None, max_examples=200, suppress_health_check=UNHURRIED)
@given(
    st.lists(st.tuples(st.integers(16 * BLOCK, len(IMAGE_BYTES) - 1), st.binary(min_size=1, max_size=8)), max_size=9)
)
def test_no_image_breaks_the_reader(tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(IMAGE_BYTES)
    for at, data in changes:
        content[at : at + len(data)] = data
    path = tmp_path_factory.mktemp("any") / "image.iso"
    path.write_bytes(content[: len(IMAGE_BYTES)])

    try:
        inspect_iso(path)
    except InvalidImage as fault:
        assert str(path) in str(fault)  # noqa: PT017  (either is right; anything else is not)
