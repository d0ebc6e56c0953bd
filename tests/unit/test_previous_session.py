"""Sessions that follow others: what a disc shows is imported, shown again, and never believed blindly."""

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import AlreadyStaged, InvalidImage, OrderError
from jobs.manifest import Manifest
from jobs.mastering.extents import Extent
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.inspection import inspect
from jobs.mastering.inspection_iso import Faults, Found, best_tree, descriptors
from jobs.mastering.inspection_udf import has_udf
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.medium import BLOCK, Family
from jobs.mastering.previous_session import EarlierEntry, PreviousSession, merged
from jobs.mastering.session_import import ReadBlocks, import_session
from tests.manifests import NOON, a_file, a_folder, manifest_of

#: No test depends on how long drawing its examples takes.
UNHURRIED = [HealthCheck.too_slow]
CD = LayoutOptions(Family.CD, "FIRST")
#: Blocks that closing a session takes, here: between the end of an image and the start of the next.
GAP = 11_400
FIRST = Manifest.of([
    a_folder("folder", NOON + 1), a_file("folder/one", 5000, NOON + 2), a_file("folder/Ünï " + "x" * 200, 7, NOON + 3),
    a_file("first", 3000), a_file("empty", 0), a_folder("hollow", NOON + 4), a_file("huge", 9 * 2**30),
])  # fmt: skip
SECOND = Manifest.of([
    a_folder("folder", NOON + 9), a_file("folder/two", 10, NOON + 10), a_file("first", 99, NOON + 11), a_folder("new"),
])  # fmt: skip


class Written:
    """A disc: images one behind the other, contents as zeros."""

    def __init__(self) -> None:
        self.extents: list[Extent] = []
        self.blocks = 0

    def burn(self, image: ExtentMap) -> None:
        offset = self.blocks * BLOCK
        kept = (extent for extent in image.extents if extent.source is None)
        self.extents += [extent._replace(offset=extent.offset + offset) for extent in kept]
        self.blocks += image.blocks + GAP

    def read(self, first: int, count: int) -> bytes:
        with ImageReader(ExtentMap(BLOCK, self.blocks, tuple(self.extents))) as reader:
            return reader.read(first * BLOCK, count * BLOCK)

    def listed(self, session: int) -> dict[str, Found]:
        """Read what the disc shows, as another reader than the importer would."""

        def read(position: int, size: int) -> bytes:
            first, offset = divmod(position, BLOCK)
            return self.read(first, -(-(offset + size) // BLOCK))[offset : offset + size]

        volume = descriptors(lambda position, size: read(session * BLOCK + position, size), Faults(strict=False))
        tree = best_tree(volume, read, self.blocks * BLOCK, Faults(strict=False))
        return {found.path: found for found in tree.entries()}


def a_disc(manifest: Manifest = FIRST, options: LayoutOptions = CD) -> Written:
    disc = Written()
    disc.burn(layout(manifest, options))
    return disc


def imported(manifest: Manifest = FIRST, options: LayoutOptions = CD) -> PreviousSession:
    disc = a_disc(manifest, options)
    return import_session(disc.read, 0, disc.blocks)


# --- importing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [CD, replace(CD, udf=True)])
def test_a_session_is_imported_as_it_was_laid_out(options: LayoutOptions) -> None:
    image = layout(FIRST, options)

    session = imported(options=options)

    places = {extent.place: extent.offset // BLOCK for extent in image.extents}
    assert session.start == image.blocks + GAP
    assert [(e.path, e.folder, e.size, e.seconds) for e in session.entries] == [
        (e.path, e.folder, e.size, e.mtime_ns // 10**9) for e in FIRST.entries
    ]
    parts = {entry.path: entry.parts for entry in session.entries}
    assert parts["folder/one"] == ((places["folder/one"], 5000),)
    assert (parts["folder"], parts["empty"]) == ((), ())
    assert (len(parts["huge"]), sum(size for _, size in parts["huge"])) == (3, 9 * 2**30)


def test_a_session_has_a_canonical_form_of_all_it_adds() -> None:
    session = imported()
    one = replace(session.entries[0], parts=((1, 1),))

    others = [
        replace(session, start=session.start + 1), replace(session, entries=session.entries[1:]),
        replace(session, entries=(one, *session.entries[1:])),
        replace(session, entries=(replace(session.entries[0], seconds=1), *session.entries[1:])),
    ]  # fmt: skip

    assert session.canonical == imported().canonical
    assert len({session.canonical, *(other.canonical for other in others)}) == 5


def test_blocks_beyond_what_was_written_are_never_read() -> None:
    disc, asked = a_disc(), []

    def read(first: int, count: int) -> bytes:
        asked.append(first + count)
        return disc.read(first, count)

    import_session(read, 0, disc.blocks)

    assert 0 < max(asked) <= disc.blocks


# --- laying out the next one ---------------------------------------------------------------------------------


def two_sessions(second: Manifest = SECOND) -> tuple[Written, PreviousSession, ExtentMap]:
    disc = a_disc()
    session = import_session(disc.read, 0, disc.blocks)
    image = layout(second, replace(CD, volume_id="SECOND"), previous=session)
    disc.burn(image)
    return disc, session, image


def test_the_second_session_shows_the_files_of_both() -> None:
    disc, session, image = two_sessions()

    inspect(image, SECOND, previous=session)
    listed, before = disc.listed(session.start), disc.listed(0)
    assert listed.keys() == {entry.path for entry in (*FIRST.entries, *SECOND.entries)}
    assert listed["folder/one"] == before["folder/one"]
    assert listed["huge"] == before["huge"]
    assert (listed["first"].size, listed["first"].seconds) == (99, NOON + 11)
    assert listed["folder"].seconds == NOON + 9
    assert listed["first"].parts[0][0] // BLOCK >= session.start


def test_the_extents_of_a_session_count_from_its_start() -> None:
    _, session, image = two_sessions()

    assert [extent.place for extent in image.extents if extent.source] == ["first", "folder/two"]
    assert image.extents[0].offset == 16 * BLOCK
    assert image.blocks < session.start
    assert image.extents[-1].offset + image.extents[-1].length <= image.size


def test_a_third_session_shows_the_files_of_all() -> None:
    disc, session, _ = two_sessions()
    third = Manifest.of([a_file("third", 3)])

    again = import_session(disc.read, session.start, disc.blocks)
    image = layout(third, CD, previous=again)

    inspect(image, third, previous=again)
    disc.burn(image)
    assert disc.listed(again.start).keys() == disc.listed(session.start).keys() | {"third"}


def test_a_session_may_supersede_and_be_empty_of_new_files() -> None:
    session = imported()
    manifest, old = Manifest.of([a_folder("only a folder")]), a_file("old", 9)

    image = layout(manifest, CD, previous=session, superseded=[old])

    inspect(image, manifest, previous=session, superseded=[old])


def test_udf_is_left_out_of_later_sessions() -> None:
    session = imported(options=LayoutOptions(Family.BD, "FIRST"))

    image = layout(Manifest.of([a_file("new", 2**33)]), LayoutOptions(Family.BD, ""), previous=session)

    with ImageReader(replace(image, extents=tuple(e for e in image.extents if e.source is None))) as reader:
        assert not has_udf(reader.read)
    with pytest.raises(OrderError, match="UDF can't show what earlier sessions hold"):
        layout(SECOND, LayoutOptions(Family.BD, "", udf=True), previous=session)


def test_a_file_never_takes_the_place_of_a_folder_nor_a_folder_that_of_a_file() -> None:
    session = imported()
    manifest = Manifest.of([a_file("folder"), a_folder("first"), a_file("first/inside")])

    with pytest.raises(AlreadyStaged) as refusal:
        layout(manifest, CD, previous=session)

    assert str(refusal.value) == (
        "first is a file on the disc; folder is a folder on the disc; rename what is staged, or use a blank disc"
    )


def test_names_are_told_apart_from_those_on_the_disc() -> None:
    session = imported(Manifest.of([a_file("Readme", 5)]))
    manifest = Manifest.of([a_file("README", 6)])

    inspect(layout(manifest, CD, previous=session), manifest, previous=session)


def test_without_a_previous_session_nothing_is_added() -> None:
    assert merged(FIRST.entries, None) == (FIRST.entries, {})


# --- the inspection notices ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "over", "words"),
    [
        ("folder/one", {"parts": ((7, 5000),)}, "folder/one has its content at another place"),
        ("folder/one", {"size": 4, "parts": ((7, 4),)}, "folder/one has 5000 bytes instead of 4"),
        ("folder/one", {"seconds": 4}, "folder/one has the time"),
        ("hollow", {"path": "other"}, "other is missing"),
    ],
)
def test_a_session_that_shows_earlier_files_wrongly_is_noticed(path: str, over: dict[str, object], words: str) -> None:
    _, session, image = two_sessions()
    entries = tuple(replace(e, **over) if e.path == path else e for e in session.entries)  # type: ignore[arg-type]

    with pytest.raises(InvalidImage) as fault:
        inspect(image, SECOND, previous=replace(session, entries=entries))

    assert words in str(fault.value)


def test_a_session_for_another_place_is_noticed() -> None:
    _, session, image = two_sessions()

    for start in (session.start - 1, session.start + 1, session.start + 10**6):
        with pytest.raises(InvalidImage):
            inspect(image, SECOND, previous=replace(session, start=start))
    with pytest.raises(InvalidImage):
        inspect(image, SECOND)


def test_a_session_with_udf_is_noticed() -> None:
    image = layout(FIRST, replace(CD, udf=True))

    with pytest.raises(InvalidImage, match="has UDF, which would hide"):
        inspect(image, FIRST, previous=PreviousSession(0, ()))


# --- hostile discs -------------------------------------------------------------------------------------------

SMALL = Manifest.of(
    [a_folder("folder"), a_file("folder/one", 5000), a_file("b" * 200, 3), a_file("c", 40), a_file("d", 0)]
)
SMALL_DISC = a_disc(SMALL)
CONTENT = SMALL_DISC.read(0, 60)
SMALL_BLOCKS = 300


def reading(content: bytes | bytearray) -> ReadBlocks:
    whole = bytes(content).ljust(SMALL_BLOCKS * BLOCK, b"\0")
    return lambda first, count: whole[first * BLOCK : (first + count) * BLOCK]


def record(identifier: bytes) -> int:
    """Return where the directory record of a name stands."""
    return CONTENT.index(bytes([len(identifier)]) + identifier) - 32


def put(at: int, data: bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        assert content[at : at + len(data)] != data
        content[at : at + len(data)] = data

    return change


def both(at: int, number: int) -> Callable[[bytearray], None]:
    return put(at, struct.pack("<I", number) + struct.pack(">I", number))


ROCK_RIDGE_C = CONTENT.index(b"NM\x06\1\0c")
HOSTILE = {
    "a file outside": (both(record(b"C.;1") + 2, 10**6), "beyond the end"),
    "a folder outside": (both(record(b"FOLDER") + 2, 10**6), "at block 1000000, and can't"),
    "an enormous folder": (both(record(b"FOLDER") + 10, 2**31), "should have 2147483648 bytes"),
    "a name twice": (put(ROCK_RIDGE_C + 5, b"d"), "can't be listed again: d is listed 2 times"),
    "a name that is none": (put(ROCK_RIDGE_C + 5, b"."), ".: . can't be a name on a disc"),
    "no descriptor": (put(16 * BLOCK + 1, b"XX"), "no volume descriptor"),
    "rubbish in a folder": (put(record(b"FOLDER"), b"\5"), "a record of 5 bytes"),
    "an interleaved file": (put(record(b"C.;1") + 26, b"\1\1"), "c is interleaved"),
}


@pytest.mark.parametrize(("change", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_disc_is_refused(change: Callable[[bytearray], None], words: str) -> None:
    content = bytearray(CONTENT)
    change(content)

    with pytest.raises(InvalidImage) as fault:
        import_session(reading(content), 0, SMALL_BLOCKS)

    assert str(fault.value).startswith("the session at block 0 can't be continued: ")
    assert words in str(fault.value)


def test_a_separator_in_a_name_is_made_harmless() -> None:
    content = bytearray(CONTENT)
    put(ROCK_RIDGE_C + 5, b"/")(content)

    session = import_session(reading(content), 0, SMALL_BLOCKS)

    assert "_" in [entry.path for entry in session.entries]


def test_a_folder_in_itself_is_entered_once() -> None:
    content = bytearray(CONTENT)
    root = struct.unpack_from("<I", CONTENT, 16 * BLOCK + 158)[0]
    both(record(b"FOLDER") + 2, root)(content)

    session = import_session(reading(content), 0, SMALL_BLOCKS)

    assert [entry.path for entry in session.entries] == ["b" * 200, "c", "d", "folder"]


def test_more_entries_than_anybody_has_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.mastering.session_import._MOST_ENTRIES", 3)

    with pytest.raises(InvalidImage, match="it has more than 3 entries"):
        import_session(SMALL_DISC.read, 0, SMALL_DISC.blocks)


def test_folders_without_end_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.mastering.session_import._MOST_BLOCKS", 5)

    with pytest.raises(InvalidImage, match="its folders take more room than any tree needs"):
        import_session(SMALL_DISC.read, 0, SMALL_DISC.blocks)


def test_a_block_that_many_names_continue_in_is_read_once() -> None:
    disc, asked = a_disc(Manifest.of([a_file(f"{number}" + "x" * 200) for number in range(9)])), []

    def read(first: int, count: int) -> bytes:
        asked.append((first, count))
        return disc.read(first, count)

    import_session(read, 0, disc.blocks)

    assert len(asked) == len(set(asked)) < 10


@pytest.mark.parametrize(("last", "following"), [(-1, 300), (300, 300), (301, 300)])
def test_figures_that_can_not_be_are_refused(last: int, following: int) -> None:
    with pytest.raises(InvalidImage, match=f"can't start at block {last}"):
        import_session(SMALL_DISC.read, last, following)


def test_a_disc_that_reads_short_is_refused() -> None:
    with pytest.raises(InvalidImage, match="blocks 16 to 16 can't be read"):
        import_session(lambda _first, count: bytes(count * BLOCK - 1), 0, 300)


@settings(deadline=None, max_examples=300, suppress_health_check=UNHURRIED)
@given(st.lists(st.tuples(st.integers(16 * BLOCK, 40 * BLOCK), st.binary(min_size=1, max_size=8)), max_size=9))
def test_no_disc_breaks_the_import_nor_the_layout_that_follows(changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(CONTENT)
    for at, data in changes:
        content[at : at + len(data)] = data
    manifest = Manifest.of([a_file("new", 1)])

    try:
        session = import_session(reading(content[: len(CONTENT)]), 0, SMALL_BLOCKS)
        image = layout(manifest, CD, previous=session)
    except (InvalidImage, AlreadyStaged) as fault:
        assert str(fault)  # noqa: PT017  (either is right; anything else is not)
    else:
        inspect(image, manifest, previous=session)


@settings(deadline=None, max_examples=100, suppress_health_check=UNHURRIED)
@given(st.binary(max_size=4 * BLOCK), st.integers(0, 100), st.integers(0, 400))
def test_no_rubbish_breaks_the_import(rubbish: bytes, last: int, following: int) -> None:
    with pytest.raises(InvalidImage):
        import_session(reading(bytes(16 * BLOCK) + rubbish), last, min(following, SMALL_BLOCKS))


# --- any sessions --------------------------------------------------------------------------------------------

NAMES = st.text(st.sampled_from("abAB. ~ж文"), min_size=1, max_size=5).filter(lambda name: name not in {".", ".."})
TREES = st.dictionaries(NAMES, st.one_of(st.integers(0, 9000), st.dictionaries(NAMES, st.integers(0, 5000))))


def manifest_from(tree: dict[str, int | dict[str, int]]) -> Manifest:
    entries = []
    for name, inner in tree.items():
        entries.append(a_folder(name) if isinstance(inner, dict) else a_file(name, inner))
        if isinstance(inner, dict):
            entries += [a_file(f"{name}/{below}", size) for below, size in inner.items()]
    return Manifest.of(entries)


@settings(deadline=None, max_examples=60, suppress_health_check=UNHURRIED)
@given(TREES.filter(bool), TREES.filter(bool))
def test_any_two_sessions_show_what_was_staged_last(
    one: dict[str, int | dict[str, int]], two: dict[str, int | dict[str, int]]
) -> None:
    disc = a_disc(manifest_from(one))
    session = import_session(disc.read, 0, disc.blocks)
    second = manifest_from(two)
    wanted = {entry.path: entry.size for entry in (*manifest_from(one).entries, *second.entries)}

    try:
        image = layout(second, CD, previous=session)
    except AlreadyStaged:
        assert any(isinstance(one.get(name), dict) is not isinstance(two[name], dict) for name in two if name in one)
        return

    inspect(image, second, previous=session)
    disc.burn(image)
    assert {path: found.size for path, found in disc.listed(session.start).items()} == wanted


def test_an_earlier_entry_is_an_entry_without_a_source(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (entry,) = manifest_of(tmp_path).entries

    earlier = EarlierEntry("file", folder=False, size=7, seconds=entry.mtime_ns // 10**9, parts=((1, 7),)).entry

    assert (earlier.path, earlier.size, earlier.source, earlier.sha256) == ("file", 7, "", "")
