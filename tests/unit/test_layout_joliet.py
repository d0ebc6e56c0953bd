"""The layout of data discs: names, places, dates, and that nothing but its arguments decides a byte."""

import hashlib
import os
import random
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import BadName, DiscError, DiscFull, InvalidImage, SourceChanged
from jobs.manifest import Entry, Manifest
from jobs.mastering import joliet
from jobs.mastering import joliet_names as naming
from jobs.mastering.extents import Extent
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.inspection import inspect
from jobs.mastering.inspection_iso import Faults, Tree, descriptors
from jobs.mastering.inspection_udf import UdfTree, has_udf
from jobs.mastering.joliet import LayoutOptions, default_volume_id, layout, name_faults
from jobs.mastering.joliet_names import iso_names, joliet_names, plan, second, udf_identifier, udf_names
from jobs.mastering.medium import BLOCK, Family
from tests.manifests import NOON, a_file, a_folder, manifest_of

#: No test depends on how long drawing its examples takes.
UNHURRIED = [HealthCheck.too_slow]
ROOT = Path(__file__).parents[2]
CD = LayoutOptions(Family.CD, "Holiday")
BRIDGE = LayoutOptions(Family.CD, "Holiday", udf=True)


def a_manifest() -> Manifest:
    """Make a manifest with something of everything."""
    return Manifest.of([
        a_folder("photos", NOON + 1), a_file("photos/a.jpg", 5000, NOON + 2), a_file("photos/B.JPG", 2048, NOON + 3),
        a_folder("photos/empty", NOON + 4), a_file("photos/nothing", 0, NOON + 5), a_file("README", 1, NOON + 6),
        a_file("Readme", 2, NOON + 7), a_file("ж" * 100, 3, NOON + 8), a_file("smile 😀", 4, NOON + 9),
        a_file("x" * 250 + ".dat", 4096, NOON - 5),
    ])  # fmt: skip


def metadata(image: ExtentMap) -> bytes:
    """Return the digestible part of an image: places and metadata, without sources."""
    rows = [(extent.offset, extent.length, extent.data, extent.place) for extent in image.extents]
    return repr((image.blocks, rows)).encode()


# --- names ---------------------------------------------------------------------------------------------------


def files(*names: str) -> list[tuple[str, bool]]:
    return [(name, False) for name in names]


def folders(*names: str) -> list[tuple[str, bool]]:
    return [(name, True) for name in names]


def test_iso_names_are_d_characters_with_a_version() -> None:
    names = iso_names([*files("readme.txt", "Ünï.text", "no ending", ".hidden", "a.b.c"), *folders("my.folder")])

    assert names == ["README.TXT;1", "_N_.TEXT;1", "NO_ENDING.;1", "_HIDDEN.;1", "A_B.C;1", "MY_FOLDER"]


def test_iso_names_that_clash_are_numbered() -> None:
    names = iso_names(files("a b.txt", "a_b.txt", "a-b.txt", "A_B_1.txt"))

    assert names == ["A_B_2.TXT;1", "A_B.TXT;1", "A_B_3.TXT;1", "A_B_1.TXT;1"]


def test_a_file_and_a_folder_do_not_share_an_iso_name() -> None:
    names = iso_names([("name", False), ("NAME", True)])

    assert names == ["NAME.;1", "NAME_1"]


def test_iso_names_are_cut_before_their_ending() -> None:
    names = iso_names([*files("x" * 40 + ".html", "x" * 41 + ".html"), *folders("y" * 40)])

    assert names == ["X" * 26 + ".HTML;1", "X" * 19 + "_1.HTML;1", "Y" * 31]


def test_joliet_keeps_what_it_can_hold() -> None:
    names = ["Ünïcödé 日本語.txt", "a [b] {c} 'd' #%&!+,=@~.x", "é" * 60 + ".tar"]

    assert joliet_names(files(*names)) == names


def test_joliet_counts_characters_not_bytes() -> None:
    assert joliet_names(files("文" * 64, "文" * 65)) == ["文" * 64, "文" * 57 + "~1"]


def test_joliet_replaces_what_it_cannot_hold() -> None:
    names = joliet_names(files("a*b/c:d;e?f\\g", "smile😀", "bell\x07"))

    assert names == ["a_b_c_d_e_f_g", "smile_", "bell_"]


def test_joliet_names_never_end_so_that_windows_could_not_open_them() -> None:
    assert joliet_names(files("tail.", "space ", "...", "x" * 63 + " yz")) == ["tail_", "space_", "___", "x" * 63 + "_"]


def test_names_that_differ_in_case_alone_are_numbered_in_joliet() -> None:
    assert joliet_names(files("MAKEFILE", "Makefile", "makefile")) == ["MAKEFILE", "Makefile~1", "makefile~2"]
    assert joliet_names(files("straße", "STRASSE", "STRAßE")) == ["straße", "STRASSE", "STRAßE~1"]


def test_joliet_names_that_are_fine_as_they_are_go_first() -> None:
    assert joliet_names(files("a:b", "a;b", "a_b")) == ["a_b~1", "a_b~2", "a_b"]


def test_udf_names_are_cut_by_what_they_cost() -> None:
    names = udf_names(files("é" * 250 + ".txt", "ж" * 124 + ".txt", "smile😀"))

    assert names == ["é" * 249 + ".txt", "ж" * 122 + ".txt", "smile_"]


def test_udf_names_that_have_the_same_bytes_are_told_apart() -> None:
    names = udf_names(files("AB", "䅂"))

    assert names == ["AB", "䅂~1"]


#: What names have trouble with: case, encodings, separators, ends, lengths.
LETTERS = st.one_of(
    st.sampled_from("aAbB.~_1;:?*\\ \xff\xe9ß\u0131\u017f文😀"),
    st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"),
)
SHORT = st.text(LETTERS, min_size=1, max_size=4)
LONG = st.builds(lambda head, times, tail: head * times + tail, SHORT, st.integers(1, 60), SHORT)
SIBLINGS = st.lists(st.tuples(st.one_of(SHORT, LONG), st.booleans()), max_size=40, unique_by=lambda pair: pair[0])


@settings(deadline=None, suppress_health_check=UNHURRIED)
@given(SIBLINGS)
def test_iso_names_are_always_unique_and_valid(siblings: list[tuple[str, bool]]) -> None:
    names = iso_names(siblings)

    assert len({name.removesuffix(";1").removesuffix(".") for name in names}) == len(siblings)
    for name, (_, folder) in zip(names, siblings, strict=True):
        stem, dot, ending = name.removesuffix(";1").partition(".")
        assert set(stem + ending) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
        assert 1 <= len(stem + ending) <= (31 if folder else 30)
        assert (bool(dot), name.endswith(";1")) == (not folder, not folder)


@settings(deadline=None, suppress_health_check=UNHURRIED)
@given(SIBLINGS)
def test_joliet_names_are_always_unique_and_valid(siblings: list[tuple[str, bool]]) -> None:
    names = joliet_names(siblings)

    assert len({name.lower() for name in names}) == len(siblings)
    for name in names:
        assert 1 <= len(name.encode("utf-16-be")) // 2 <= 64
        assert not set(name) & set("*/:;?\\\x00\x01\x1f")
        assert name[-1] not in ". "


@settings(deadline=None, suppress_health_check=UNHURRIED)
@given(SIBLINGS)
def test_udf_names_are_always_unique_and_valid(siblings: list[tuple[str, bool]]) -> None:
    names = udf_names(siblings)

    assert len({udf_identifier(name) for name in names}) == len(siblings)
    assert all(1 <= len(udf_identifier(name)) <= 253 for name in names)


@settings(deadline=None, suppress_health_check=UNHURRIED)
@given(st.one_of(SHORT, LONG, st.from_regex(r"\w{1,20}\.\w{0,16}", fullmatch=True)), st.booleans())
def test_names_that_need_no_care_are_what_care_would_make_of_them(name: str, folder: bool) -> None:  # noqa: FBT001
    careful = naming._iso_wish(name, folder=folder).whole + ("" if folder else ";1")

    assert naming._plain_iso(name, folder=folder) in {"", careful}
    if naming._PLAIN_JOLIET.fullmatch(name):
        assert naming._joliet_wish(name, folder=folder).whole == name
    if naming._is_plain(f"x/{name}", {"x": True}):
        assert name_faults([a_folder("x"), a_file(f"x/{name}")]) == []
        assert list(naming._faults_of(a_file(f"x/{name}"), {"x": True})) == []


def test_clashing_names_cost_no_more_than_others(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up = 0

    def counted(name: str) -> str:
        nonlocal looked_up
        looked_up += 1
        return name.upper()

    monkeypatch.setattr("jobs.mastering.joliet_names._ignoring_case", counted)

    names = joliet_names(files(*(f"{chr(58 if number % 2 else 59)}{'x' * 70}{number}" for number in range(5000))))

    assert len(set(names)) == 5000
    assert looked_up < 8 * 5000


# --- faults of names -----------------------------------------------------------------------------------------


def test_every_fault_is_named_at_once() -> None:
    faults = name_faults([
        a_file("caf\udce9"), a_file("ж" * 128), a_file("nul\0"), a_file("lost/file"), a_file("file"),
        a_file("file/inside"), a_file("twice"), a_file("twice"), a_folder(".."), a_folder(""), a_file("x//y"),
    ])  # fmt: skip

    assert faults == [
        "caf\\udce9: the name is not valid UTF-8; rename it",
        f"{'ж' * 128}: the name has 256 bytes in UTF-8, of which a disc holds 255; shorten it",
        "nul\\x00: nul\\x00 can't be a name on a disc",
        "lost/file: its folder is not in the manifest",
        "file/inside: file is a file, not a folder",
        "..: .. can't be a name on a disc",
        ": an empty name can't be a name on a disc",
        "x//y: its folder is not in the manifest",
        "twice is listed 2 times",
    ]


def test_names_that_every_tree_can_hold_somehow_are_no_fault() -> None:
    names = ["ж" * 127, "x" * 255, "a:b", "tail.", "new\nline", "😀", "-", " ", "...", "CON"]

    assert name_faults([a_file(name) for name in names]) == []


def test_too_many_or_too_deep_folders_are_a_fault() -> None:
    many = name_faults([a_folder(str(number)) for number in range(65_535)])
    deep = name_faults([a_folder("/".join(["d"] * depth)) for depth in range(1, 258)])

    assert many == ["65536 folders are more than a disc can number (65535, its root included)"]
    assert [fault.partition(":")[2] for fault in deep] == [" it lies in more than 255 folders, one in the other"]


def test_a_layout_refuses_bad_names() -> None:
    with pytest.raises(BadName, match=r"^\.\.: .* disc; a/b: its folder is not in the manifest$"):
        layout(Manifest.of([a_file(".."), a_file("a/b")]), CD)


def test_a_refusal_of_many_names_stays_readable() -> None:
    with pytest.raises(BadName, match=r"; and 80 more$"):
        layout(Manifest.of([a_file(f"lost/{number}") for number in range(100)]), CD)


def test_nothing_staged_is_no_image() -> None:
    with pytest.raises(InvalidImage, match="nothing is staged"):
        layout(Manifest.of([]), CD)


def test_what_no_disc_could_hold_is_refused() -> None:
    with pytest.raises(DiscFull, match="300000000000 bytes are more than any disc holds"):
        layout(Manifest.of([a_file("huge", 300_000_000_000)]), BRIDGE)


# --- volume ids and options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "volume_id"),
    [
        ("My Photos/2026", "MY_PHOTOS_2026"),
        ("Été à Málaga", "ETE_A_MALAGA"),
        ("-- draft (2) --", "DRAFT_2"),
        ("日本", "DISC"),
        ("", "DISC"),
        ("x" * 40, "X" * 32),
        ("x" * 31 + " y", "X" * 31),
    ],
)
def test_a_title_becomes_a_volume_id(title: str, volume_id: str) -> None:
    assert default_volume_id(title) == volume_id


def volume_ids(volume_id: str, *, udf: bool = False) -> list[str]:
    image = layout(a_manifest(), LayoutOptions(Family.CD, volume_id, udf=udf))
    with ImageReader(image) as reader:
        ids = [descriptor.volume_id for descriptor in descriptors(reader.read, Faults(strict=False))]
        udf_id = reader.read(32 * BLOCK + 24, 32)
    if udf:
        ids.append(udf_id[1 : udf_id[-1]].decode("utf-16-be" if udf_id[0] == 16 else "latin-1"))
    return ids


def test_each_tree_has_the_volume_id_as_it_can_hold_it() -> None:
    assert volume_ids("Été 2026, a very long title for a disc", udf=True) == [
        "_T__2026__A_VERY_LONG_TITLE_FOR_",
        "Été 2026, a very",
        "Été 2026, a very long title fo",
    ]
    assert volume_ids("日本語のディスクの長いタイトルです", udf=True)[2] == "日本語のディスクの長いタイトル"[:15]
    assert volume_ids("😀\udce9\x07x") == ["___X", "___x"]
    assert volume_ids("") == ["DISC", "DISC"]


def test_options_have_a_canonical_form_that_names_the_layout() -> None:
    assert CD.canonical == '{"family":"cd","layout":2,"udf":null,"volume_id":"Holiday"}'


@pytest.mark.parametrize(
    ("options", "size", "bridged"),
    [
        (LayoutOptions(Family.DVD, ""), 2**32 - 1, False),
        (LayoutOptions(Family.DVD, ""), 2**32, True),
        (LayoutOptions(Family.DVD, "", udf=False), 2**32, False),
        (LayoutOptions(Family.CD, ""), 1, False),
        (LayoutOptions(Family.CD, "", udf=True), 1, True),
        (LayoutOptions(Family.BD, ""), 1, True),
        (LayoutOptions(Family.BD, "", udf=False), 1, False),
    ],
)
def test_udf_is_there_when_it_is_needed_or_wanted(options: LayoutOptions, size: int, bridged: bool) -> None:  # noqa: FBT001
    manifest = Manifest.of([a_file("file", size)])

    image = layout(manifest, options)

    inspect(image, manifest)
    bare = replace(image, extents=tuple(extent for extent in image.extents if extent.source is None))
    with ImageReader(bare) as reader:
        assert has_udf(reader.read) is bridged


# --- the image -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", Family)
def test_an_image_is_padded_and_rounded_for_its_family(family: Family) -> None:
    image = layout(Manifest.of([a_file("file", 1_000_000)]), LayoutOptions(family, "", udf=False))

    end = max(-(-(extent.offset + extent.length) // BLOCK) for extent in image.extents)
    assert image.blocks % family.rounding == 0
    assert family.padding <= image.blocks - end < family.padding + family.rounding
    assert volume_blocks(image) == [image.blocks] * 2


def volume_blocks(image: ExtentMap) -> list[int]:
    with ImageReader(image) as reader:
        return [descriptor.blocks for descriptor in descriptors(reader.read, Faults(strict=True))]


def test_a_cd_is_never_shorter_than_a_track_may_be() -> None:
    assert layout(Manifest.of([a_folder("folder")]), CD).blocks == 300


def test_udf_ends_with_an_anchor_in_the_last_block() -> None:
    image = layout(a_manifest(), LayoutOptions(Family.BD, ""))

    with ImageReader(image) as reader:
        assert reader.read(image.size - BLOCK, 2) == reader.read(256 * BLOCK, 2) == b"\x02\0"
        start, length = struct.unpack("<II", partition(reader)[188:196])
    assert start + length == image.blocks - 1


def partition(reader: ImageReader) -> bytes:
    sequence = (reader.read(block * BLOCK, BLOCK) for block in range(32, 48))
    return next(data for data in sequence if data[:2] == b"\x05\0")


@pytest.mark.parametrize("options", [CD, BRIDGE])
def test_extents_are_in_order_and_content_starts_on_blocks(options: LayoutOptions) -> None:
    image = layout(a_manifest(), options)

    ends = 0
    for extent in image.extents:
        assert extent.offset >= ends
        assert extent.source is None or extent.offset % BLOCK == 0
        ends = extent.offset + extent.length
    assert ends <= image.size


def test_empty_files_are_guarded_and_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "b").write_bytes(b"content")
    (tmp_path / "c").touch()
    manifest = manifest_of(tmp_path)

    image = layout(manifest, CD)

    places = {extent.place: extent for extent in image.extents if extent.source}
    assert [places[name].length for name in "abc"] == [0, 7, 0]
    assert sorted(Path(source.path).name for source in image.sources) == ["a", "b", "c"]
    with ImageReader(image) as reader:
        assert reader.read(places["b"].offset, 8) == b"content\0"
        assert len(reader.read(0, image.size)) == image.size


def test_content_is_read_from_the_staged_file_and_guarded(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    manifest = manifest_of(tmp_path)
    image = layout(manifest, CD)
    (tmp_path / "file").write_bytes(b"CONTENT!")

    extent = next(extent for extent in image.extents if extent.source)
    with ImageReader(image) as reader, pytest.raises(SourceChanged):
        reader.read(extent.offset, 7)


def test_metadata_keeps_no_long_zeros() -> None:
    image = layout(Manifest.of([a_folder(f"folder {number}") for number in range(2000)]), BRIDGE)

    assert all(b"\0" * 513 not in extent.data for extent in image.extents)


def test_records_follow_the_order_of_the_standard() -> None:
    image = layout(Manifest.of([a_file(f"x.{ending}") for ending in ("mp3", "mp", "mp4", "m")]), CD)

    with ImageReader(image) as reader:
        primary = descriptors(reader.read, Faults(strict=True))[0]
        listed = list(Tree(primary, reader.read, image.size, Faults(strict=True)).entries())
    assert [found.path for found in listed] == ["x.m", "x.mp", "x.mp3", "x.mp4"]


def test_a_huge_file_has_several_records_and_one_place() -> None:
    size = 100 * 2**30 + 5
    manifest = Manifest.of([a_file("huge", size), a_file("small", 5)])

    image = layout(manifest, LayoutOptions(Family.BD, "", udf=False))

    inspect(image, manifest)
    assert [extent.length for extent in image.extents if extent.source] == [size, 5]


@pytest.mark.parametrize("options", [CD, BRIDGE])
def test_superseded_files_keep_their_bytes_and_no_tree_names_them(options: LayoutOptions) -> None:
    manifest = a_manifest()
    old, older, empty = a_file("README", 9000), a_file("gone", 1), a_file("gone", 0)

    image = layout(manifest, options, superseded=[old, older, old, empty])

    inspect(image, manifest, superseded=[old, older, old, empty])
    hidden = [extent for extent in image.extents if extent.place.startswith("(superseded)")]
    assert [(extent.place, extent.length) for extent in hidden] == [
        ("(superseded) README", 9000),
        ("(superseded) gone", 1),
        ("(superseded) README", 9000),
        ("(superseded) gone", 0),
    ]
    assert all(extent.offset % BLOCK == 0 and extent.source for extent in hidden)
    assert used_blocks(image) == used_blocks(layout(manifest, options)) + 5 + 1 + 5


def used_blocks(image: ExtentMap) -> int:
    return sum(-(-extent.length // BLOCK) for extent in image.extents if extent.source)


def test_a_superseded_file_is_not_mistaken_for_one_of_its_name() -> None:
    manifest = Manifest.of([a_file("(superseded) a", 10), a_file("a", 20), a_file("(boot image)", 30)])
    old = replace(manifest.entries[1], path="a", size=10)

    image = layout(manifest, CD, superseded=[old])

    inspect(image, manifest, superseded=[old])


def test_what_no_disc_could_hold_counts_what_is_superseded() -> None:
    half = 70_000_000_000

    with pytest.raises(DiscFull, match="140000000000 bytes are more than any disc holds"):
        layout(Manifest.of([a_file("a", half)]), CD, superseded=[a_file("a", half)])


# --- hostile trees -------------------------------------------------------------------------------------------


def test_thirty_levels_of_names_with_control_characters_are_mastered() -> None:
    folders = ["/".join(f"level\t{level}\n" for level in range(depth)) for depth in range(1, 31)]
    manifest = Manifest.of([*map(a_folder, folders), a_file(f"{folders[-1]}/\x1b[31m bottom \x7f")])

    inspect(layout(manifest, BRIDGE), manifest)


def test_names_of_every_length_are_mastered() -> None:
    names = ["x" * length for length in range(2, 256)] + ["ж" * length for length in range(2, 128)]
    manifest = Manifest.of([
        *(a_file(f"{name[:-1]}f") for name in names), *(a_folder(f"{name[:-1]}d") for name in names),
    ])  # fmt: skip

    inspect(layout(manifest, BRIDGE), manifest)


def test_names_of_three_hundred_bytes_and_lone_surrogates_are_named_at_once() -> None:
    entries = [a_file("x" * 300), a_file("\ud800"), a_file("ж" * 150)]

    with pytest.raises(BadName) as fault:
        layout(Manifest(tuple(entries), "", 0), CD)

    assert str(fault.value).count("300 bytes in UTF-8, of which a disc holds 255") == 2
    assert "\\ud800: the name is not valid UTF-8" in str(fault.value)


# --- dates ---------------------------------------------------------------------------------------------------


def dates(entries: list[Entry]) -> list[set[int]]:
    """Return the dates of entries as each tree has them, in order of path."""
    manifest = Manifest.of(entries)
    image = layout(manifest, BRIDGE)
    with ImageReader(image) as reader:
        faults = Faults(strict=True)
        trees: list[Tree | UdfTree] = [
            Tree(descriptor, reader.read, image.size, faults) for descriptor in descriptors(reader.read, faults)
        ]
        trees.append(UdfTree(reader.read, image.blocks, faults))
        found = [sorted((entry.path, entry.seconds) for entry in tree.entries()) for tree in trees]
    assert faults == []
    return [{seconds for _, seconds in rows} for rows in zip(*found, strict=True)]


def test_every_entry_has_its_own_date_in_every_tree() -> None:
    entries = [a_file("a", seconds=0), a_folder("b", NOON + 1), a_file("b/c", seconds=1_234_567_890), a_file("d")]

    assert dates(entries) == [{0}, {NOON + 1}, {1_234_567_890}, {NOON}]


def test_dates_that_no_disc_can_hold_become_the_nearest() -> None:
    last = 5_869_583_999  # 2155-12-31 23:59:59

    assert dates([a_file("a", seconds=-1), a_file("b", seconds=last), a_file("c", seconds=last + 1)]) == [
        {0}, {last}, {last},
    ]  # fmt: skip


def test_nanoseconds_are_dropped_towards_the_past() -> None:
    assert (second(1_999_999_999), second(-1), second(0)) == (1, 0, 0)


def test_the_volume_is_as_new_as_its_newest_entry() -> None:
    image = layout(Manifest.of([a_file("old", seconds=0), a_folder("new", 86_400 * 365)]), CD)

    with ImageReader(image) as reader:
        fields = [reader.read(sector * BLOCK + 813, 68) for sector in (16, 17)]
    never = b"0" * 16 + b"\0"
    assert fields == [b"1971010100000000\0" * 2 + never + b"1971010100000000\0"] * 2


# --- nothing else decides ------------------------------------------------------------------------------------

#: Digests of what layout version 2 makes of `a_manifest`. Another one means that cached masters and copies burnt
#: before no longer match: raise LAYOUT_VERSION with it.
GOLDEN = {
    CD: "e84a7d7caef64e6a725dc1f6b49992b89349e8662721b5fb9188fcbadb3e200b",
    BRIDGE: "930755677e4aee2332830a896925b59748124ff22d8ee4d533f83d7a19b9181c",
}


@pytest.mark.parametrize("options", [CD, BRIDGE])
def test_the_bytes_of_a_layout_version_never_change(options: LayoutOptions) -> None:
    assert hashlib.sha256(metadata(layout(a_manifest(), options))).hexdigest() == GOLDEN[options]


SCRIPT = """
import time
from unittest import mock
from tests.unit.test_layout_joliet import BRIDGE, a_manifest, layout, metadata
import hashlib
with mock.patch.object(time, "time", lambda: {clock}), mock.patch.object(time, "time_ns", lambda: {clock} * 10**9):
    print(hashlib.sha256(metadata(layout(a_manifest(), BRIDGE))).hexdigest())
"""


def elsewhere(zone: str, seed: str, clock: int) -> str:
    """Lay out in another process: with its time zone, its order of hashes, and its clock."""
    environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(clock=clock)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_zone_clock_process_and_hashes_decide_nothing() -> None:
    digests = {
        elsewhere("UTC", "0", 0),
        elsewhere("Pacific/Kiritimati", "1", 1_900_000_000),
        elsewhere("America/St_Johns", "4242", 4_000_000_000),
    }

    assert digests == {GOLDEN[BRIDGE]}


def test_the_order_of_entries_decides_nothing() -> None:
    entries = list(a_manifest().entries)
    random.Random(7).shuffle(entries)  # noqa: S311

    shuffled = Manifest.of(entries)

    assert layout(shuffled, BRIDGE) == layout(a_manifest(), BRIDGE)


def test_where_content_was_staged_from_decides_nothing() -> None:
    moved = [
        replace(entry, source=f"/moved{entry.source}", inode=8, source_mtime_ns=2) for entry in a_manifest().entries
    ]

    assert metadata(layout(Manifest.of(moved), BRIDGE)) == metadata(layout(a_manifest(), BRIDGE))


def test_threads_do_not_disturb_each_other() -> None:
    manifests = [Manifest.of([a_file(f"{number} {name}", name + 1) for name in range(40)]) for number in range(8)]
    alone = [layout(manifest, BRIDGE) for manifest in manifests]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda manifest: layout(manifest, BRIDGE), manifests))

    assert together == alone


# --- what must never happen ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extents", "blocks"),
    [
        ((Extent(0, 10, data=b"x" * 10), Extent(9, 10, data=b"x" * 10)), 10),
        ((Extent(0, 2049, data=b"x" * 2049),), 1),
        ((Extent(-1, 10, data=b"x" * 10),), 1),
    ],
)
def test_an_impossible_map_is_a_fault_of_the_program(extents: tuple[Extent, ...], blocks: int) -> None:
    with pytest.raises(DiscError) as fault:
        joliet._check(ExtentMap(BLOCK, blocks, extents))

    assert fault.value.remedy == "report_bug"


def test_metadata_written_twice_is_a_fault_of_the_program() -> None:
    with pytest.raises(DiscError, match="twice at byte 3"):
        list(joliet._merge([(0, b"abcd"), (3, b"x")]))


def test_a_plan_names_all_of_a_tree() -> None:
    root = plan(a_manifest().entries, udf=True)

    assert all(node.iso and node.joliet and node.udf for node in root.below())
    assert sorted(node.path for node in root.below()) == [entry.path for entry in a_manifest().entries]
