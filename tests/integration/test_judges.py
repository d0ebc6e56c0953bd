"""Images are judged by programs we did not write: each tree is extracted or listed, and compared with its sources."""

import hashlib
import os
import shutil
import subprocess
import sysconfig
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycdlib import PyCdlib

from jobs.manifest import Entry, Manifest
from jobs.mastering.boot import BootImage, Emulation, Platform
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.inspection import inspect, inspect_iso, iso_entries
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.joliet_names import Node, plan
from jobs.mastering.medium import BLOCK, Family
from jobs.mastering.session_import import import_session
from tests.manifests import NOON, a_file, a_folder, entry_of, manifest_of

#: No test depends on how long drawing its examples takes.
UNHURRIED = [HealthCheck.too_slow]
#: Bytes of real files that are mastered: enough to mean something, little enough to be quick.
BUDGET = 100_000_000


#: What to install for a program that is not named like its package.
PACKAGES = {"xorrisofs": "xorriso", "bsdtar": "libarchive-tools", "isoinfo": "genisoimage", "7zz": "7zip"}


def run(*command: str | Path) -> str:
    """Run a judge and return what it says; what is missing fails, and says what to install."""
    program = str(command[0])
    found = shutil.which(program) or (shutil.which("7z") if program == "7zz" else None)
    if found is None:
        pytest.fail(f"{program} is missing: install the package {PACKAGES.get(program, program)}")
    done = subprocess.run(
        [found, *command[1:]], capture_output=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    )
    said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{said[-3000:]}"
    return said


@dataclass(frozen=True)
class Case:
    """A manifest, its image, and the file it was written to."""

    manifest: Manifest
    image: ExtentMap
    file: Path


def write(image: ExtentMap, file: Path, *, skip_above: int = 1 << 40) -> None:
    """Write an image to a file; contents larger than `skip_above` stay holes."""
    with ImageReader(image) as reader, file.open("wb") as out:
        out.truncate(image.size)
        for extent in image.extents:
            if extent.source is not None and extent.length > skip_above:
                continue
            out.seek(extent.offset)
            for start in range(extent.offset, extent.offset + extent.length, 1 << 20):
                out.write(reader.read(start, min(1 << 20, extent.offset + extent.length - start)))


def case(folder: Path, manifest: Manifest, family: Family) -> Case:
    image = layout(manifest, LayoutOptions(family, "Judges' disc"))
    inspect(image, manifest)
    file = folder / f"{family}.iso"
    write(image, file)
    return Case(manifest, image, file)


def awkward_tree(folder: Path) -> None:
    """Fill a folder with what discs have trouble with."""
    names = [
        "README", "readme", "Readme", "a.b.c.d.txt", ".hidden", "no ending", "MP", "x.mp", "x.mp3", "x.mp4", "tail.",
        "Ünïcödé.txt", "日本語のファイル.txt", "файл.дат", "smile 😀.txt", "combining e\u0301.txt", "䅂", "AB",
        "x" * 251 + ".txt", "x" * 250 + "y.txt", "文" * 80 + ".dat", "文" * 80 + "2.dat", "ж" * 100 + ".one",
        "ж" * 99 + ".two", "what:is*this?.txt", "semi;colon.txt", "ctrl\x07.txt", "question?", "question*", "-dash",
        "#hash", "two  spaces", " leading", "percent%41", "quote'\"", "UPPER.TXT", "upper.txt", "upper~1.txt",
    ]  # fmt: skip
    for number, name in enumerate(names):
        (folder / name).write_bytes(bytes([number]) * number * 300)
    for name in ("empty folder", "many", "CASE", "case", "Ordner Ü", "x" * 255):
        (folder / name).mkdir()
    for number in range(300):
        (folder / "many" / f"file with a longer name {number:04}.text").write_text(f"{number}\n")
    for name in ("one", "One", "empty"):
        (folder / "case" / name).write_text(name * (name != "empty"))
    (folder / "Ordner Ü" / "Datei ß.txt").write_text("ß")
    (folder / "exactly a block").write_bytes(b"b" * BLOCK)
    (folder / "a block and one").write_bytes(b"c" * (BLOCK + 1))
    deep = folder / "deep"
    for level in range(12):
        deep = deep / f"level {level}"
    deep.mkdir(parents=True)
    (deep / "bottom.txt").write_text("bottom")
    for number, path in enumerate(sorted(folder.rglob("*"), reverse=True)):
        os.utime(path, ns=(0, (NOON + 86_400 * 17 * number) * 10**9 + 999_999_999))


def real_tree(root: Path, skip: Sequence[str] = ()) -> Manifest:
    """Make a manifest of the first files below a folder, up to the budget."""
    entries: list[Entry] = []
    spent = 0
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in skip and not Path(place, name).is_symlink())
        for path in (Path(place, name) for name in sorted(folders + files)):
            if path.is_symlink() or not (path.is_dir() or (path.is_file() and os.access(path, os.R_OK))):
                continue
            if spent + (size := 0 if path.is_dir() else path.stat().st_size) > BUDGET:
                continue
            spent += size
            entries.append(entry_of(path, path.relative_to(root).as_posix()))
    return Manifest.of(entries)


def library(folder: Path) -> Manifest:
    del folder
    return real_tree(Path(sysconfig.get_path("stdlib")), skip=("site-packages", "test", "dist-packages"))


def documents(folder: Path) -> Manifest:
    del folder
    roots = (Path("/usr/share/doc"), Path("/usr/share/man"), Path("/usr/include"), Path("/etc"))
    return real_tree(next(root for root in roots if root.is_dir() and sum(1 for _ in root.rglob("*")) > 200))


def awkward(folder: Path) -> Manifest:
    (folder / "tree").mkdir()
    awkward_tree(folder / "tree")
    return manifest_of(folder / "tree")


@pytest.fixture(scope="module", params=[awkward, library, documents])
def manifest(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Give a manifest: of awkward names, and of two trees of real files."""
    made: Manifest = request.param(tmp_path_factory.mktemp("sources"))
    return made


@pytest.fixture(scope="module", params=[Family.CD, Family.BD])
def disc(manifest: Manifest, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Give an image of a manifest, on CD without UDF and on BD with it."""
    return case(tmp_path_factory.mktemp("image"), manifest, request.param)


#: What is compared of an entry: its size (-1 for a folder), the second of its last change, its digest.
Facts = tuple[int, int, str]


def expected(manifest: Manifest, tree: str) -> dict[str, Facts]:
    """Say what a tree must show: "rock_ridge" keeps every name."""
    entries = {entry.path: entry for entry in manifest.entries}
    named = dict(_named(plan(manifest.entries, udf=True), tree))
    return {path: _facts(entries[node.path]) for path, node in named.items()}


def _facts(entry: Entry) -> Facts:
    return (-1 if entry.folder else entry.size), entry.mtime_ns // 10**9, entry.sha256


def _named(root: Node, tree: str) -> Iterator[tuple[str, Node]]:
    names = {root.path: ""}
    for node in root.below():
        parent = names[node.path.rpartition("/")[0]]
        name = {"joliet": node.joliet, "udf": node.udf}.get(tree, node.name)
        names[node.path] = f"{parent}/{name}" if parent else name
        yield names[node.path], node


def found(folder: Path) -> dict[str, Facts]:
    """Say what a judge extracted."""
    return {path: _facts(entry_of(folder / path, path)) for path in _paths(folder)}


def _paths(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*")]


def composed(facts: dict[str, Facts]) -> dict[str, Facts]:
    """Name entries as bsdtar does, which composes the letters and accents of Joliet's names."""
    return {unicodedata.normalize("NFC", path): fact for path, fact in facts.items()}


def assert_same(judged: dict[str, Facts], right: dict[str, Facts]) -> None:
    assert sorted(judged) == sorted(right)
    assert {path: (judged[path], facts) for path, facts in right.items() if judged[path] != facts} == {}


def test_bsdtar_extracts_rock_ridge(disc: Case, tmp_path: Path) -> None:
    run("bsdtar", "-xf", disc.file, "-C", tmp_path)

    assert_same(found(tmp_path), expected(disc.manifest, "rock_ridge"))


def test_bsdtar_extracts_joliet(disc: Case, tmp_path: Path) -> None:
    run("bsdtar", "-xf", disc.file, "--options", "iso9660:!rockridge", "-C", tmp_path)

    assert_same(composed(found(tmp_path)), composed(expected(disc.manifest, "joliet")))


def test_xorriso_extracts_rock_ridge(disc: Case, tmp_path: Path) -> None:
    out = tmp_path / "out"

    run("xorriso", "-osirrox", "on:auto_chmod_on", "-indev", f"stdio:{disc.file}", "-extract", "/", out)

    assert_same(found(out), expected(disc.manifest, "rock_ridge"))


def test_xorriso_extracts_joliet(disc: Case, tmp_path: Path) -> None:
    out = tmp_path / "out"

    run("xorriso", "-read_fs", "norock", "-osirrox", "on", "-indev", f"stdio:{disc.file}", "-extract", "/", out)

    assert_same(found(out), expected(disc.manifest, "joliet"))


def test_7zip_extracts_joliet(disc: Case, tmp_path: Path) -> None:
    run("7zz", "x", "-tiso", f"-o{tmp_path}", disc.file)

    assert_same(found(tmp_path), expected(disc.manifest, "joliet"))


def test_7zip_extracts_udf(disc: Case, tmp_path: Path) -> None:
    if disc.file.stem != Family.BD:
        with pytest.raises(AssertionError, match="Cannot open the file as"):
            run("7zz", "t", "-tudf", disc.file)
        return

    run("7zz", "x", "-tudf", f"-o{tmp_path}", disc.file)

    assert_same(found(tmp_path), expected(disc.manifest, "udf"))


def test_7zip_has_nothing_to_complain_of(disc: Case) -> None:
    said = run("7zz", "t", disc.file)

    assert "Everything is Ok" in said
    assert "arning" not in said


def test_isoinfo_sees_the_volume_and_all_of_rock_ridge(disc: Case) -> None:
    about = run("isoinfo", "-d", "-i", disc.file)
    listed = run("isoinfo", "-f", "-R", "-i", disc.file).split("\n/")

    assert f"Volume size is: {disc.image.blocks}" in about
    assert "Volume id: JUDGES__DISC" in about
    assert "Joliet with UCS level 3 found" in about
    assert "Rock Ridge signatures version 1 found" in about
    assert sorted(path.strip("/\n") for path in listed) == sorted(entry.path for entry in disc.manifest.entries)


@pytest.mark.parametrize("tree", ["rock_ridge", "joliet", "udf"])
def test_pycdlib_walks_every_tree(disc: Case, tree: str) -> None:
    start = {"rock_ridge": "rr_path", "joliet": "joliet_path", "udf": "udf_path"}[tree]
    has_tree = tree != "udf" or disc.file.stem == Family.BD
    with opened(disc.file) as iso:
        assert iso.has_udf() is (disc.file.stem == Family.BD)
        walk = iso.walk(**{start: "/"}) if has_tree else ()
        walked = {f"{folder}/{name}".lstrip("/") for folder, folders, files in walk for name in (*folders, *files)}

    assert sorted(walked) == (sorted(expected(disc.manifest, tree)) if has_tree else [])


@contextmanager
def opened(file: Path) -> Iterator[PyCdlib]:
    iso = PyCdlib()
    iso.open(str(file))
    try:
        yield iso
    finally:
        iso.close()


def test_our_own_reader_agrees_with_the_judges(disc: Case) -> None:
    summary = inspect_iso(disc.file)
    files = {entry.path: entry for entry in disc.manifest.entries if not entry.folder}

    listed = {entry.path: entry for entry in iso_entries(disc.file)}

    assert (summary.volume_id, summary.blocks) == ("JUDGES__DISC", disc.image.blocks)
    assert (summary.files, summary.bytes) == (len(files), disc.manifest.bytes)
    assert {path: (entry.size, entry.mtime) for path, entry in listed.items()} == {
        path: (entry.size, entry.mtime_ns // 10**9) for path, entry in files.items()
    }
    assert {path: digest(disc.file, entry.parts) for path, entry in listed.items()} == {
        path: entry.sha256 for path, entry in files.items()
    }


def digest(file: Path, parts: Sequence[tuple[int, int]]) -> str:
    taken = hashlib.sha256()
    with file.open("rb") as image:
        for offset, length in parts:
            image.seek(offset)
            taken.update(image.read(length))
    return taken.hexdigest()


@pytest.mark.parametrize(
    ("size", "family"),
    [
        (4_617_089_843, Family.DVD_DL),  # 4.3 GiB, and not a whole number of blocks
        (95_000_000_001, Family.BD),  # all of a BD-R XL; a hole takes no room
    ],
)
def test_a_file_above_4_gib_is_whole_for_every_judge(tmp_path: Path, size: int, family: Family) -> None:
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "after.txt").write_text("after")
    huge = Entry("huge.bin", size, NOON * 10**9, source="/nowhere")
    manifest = Manifest.of([huge, entry_of(sources / "after.txt", "zz after.txt")])
    image = layout(manifest, LayoutOptions(family, "HUGE"))
    inspect(image, manifest)
    file = tmp_path / "huge.iso"
    write(image, file, skip_above=1 << 30)

    xorriso = run("xorriso", "-indev", f"stdio:{file}", "-find", "/huge.bin", "-exec", "lsdl", "--")
    bsdtar = run("bsdtar", "-tvf", file)
    trees = [run("7zz", "l", "-slt", kind, file, "huge.bin") for kind in ("-tiso", "-tudf")]

    assert f" {size} " in xorriso
    assert f" {size} " in bsdtar
    assert [f"\nSize = {size}\n" in tree for tree in trees] == [True, True]
    assert run("bsdtar", "-xOf", file, "zz after.txt") == "after"
    assert [entry.size for entry in iso_entries(file)] == [size, 5]


# --- boot images ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bootable:
    """An image with boot images, its file, and what each tool must find."""

    image: ExtentMap
    file: Path
    blocks: tuple[int, int, int]  #: of the loader, of EFI's partition, of the floppy disc


@pytest.fixture(scope="module", params=[False, True], ids=["ISO 9660", "with UDF"])
def bootable(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bootable:
    """Give a disc that BIOSes start from a loader on it, or from a floppy disc, and EFI from a partition."""
    folder = tmp_path_factory.mktemp("boot")
    (folder / "tree/boot").mkdir(parents=True)
    (folder / "tree/boot/loader.bin").write_bytes(b"loader.." * 512)
    (folder / "tree/README").write_text("read me")
    (folder / "efi.img").write_bytes(b"EFI" * 40_000)
    (folder / "floppy.img").write_bytes(b"disk" * 368_640)
    manifest = manifest_of(folder / "tree")
    (loader,) = [entry for entry in manifest.entries if entry.name == "loader.bin"]
    boot = (
        BootImage(loader, manufacturer="ACME"),
        BootImage(entry_of(folder / "efi.img", ""), Platform.EFI),
        BootImage(entry_of(folder / "floppy.img", ""), emulation=Emulation.FLOPPY_1440),
    )
    image = layout(manifest, LayoutOptions(Family.CD, "BOOT", udf=request.param, boot=boot), superseded=[loader])
    inspect(image, manifest, boot=boot, superseded=[loader])
    write(image, folder / "boot.iso")
    hidden = [extent.offset // BLOCK for extent in image.extents if extent.place == "(boot image)"]
    (shown,) = [extent.offset // BLOCK for extent in image.extents if extent.place == loader.path]
    return Bootable(image, folder / "boot.iso", (shown, *hidden))  # type: ignore[arg-type]


def test_xorriso_finds_every_boot_image(bootable: Bootable) -> None:
    said = run("xorriso", "-indev", f"stdio:{bootable.file}", "-report_el_torito", "plain")

    rows = [line.partition(":")[2].split() for line in said.splitlines() if line.startswith("El Torito boot img")]
    loader, efi, floppy = map(str, bootable.blocks)
    assert rows == [
        ["1", "BIOS", "y", "none", "0x0000", "0x00", "8", loader],
        ["2", "BIOS", "y", "fd1.4", "0x0000", "0x00", "1", floppy],
        ["3", "UEFI", "y", "none", "0x0000", "0x00", "235", efi],
    ]
    assert "/boot/loader.bin" in said


def test_isoinfo_finds_the_default_boot_image(bootable: Bootable) -> None:
    said = run("isoinfo", "-d", "-i", bootable.file)

    assert "El Torito VD version 1 found" in said
    assert "ID 'ACME'" in said
    assert "Nsect 8" in said
    assert f"Bootoff {bootable.blocks[0]:X} {bootable.blocks[0]}" in said


def test_7zip_extracts_every_boot_image(bootable: Bootable, tmp_path: Path) -> None:
    run("7zz", "x", "-tiso", f"-o{tmp_path}", bootable.file)

    content = {path.stem[0]: path.read_bytes() for path in (tmp_path / "[BOOT]").iterdir()}
    assert content["1"] == b"loader.." * 512
    assert content["2"] == b"disk" * 368_640
    assert content["3"] == (b"EFI" * 40_000).ljust(235 * 512, b"\0")


def test_pycdlib_finds_every_boot_image(bootable: Bootable) -> None:
    with opened(bootable.file) as iso:
        catalogue = iso.eltorito_boot_catalog
        assert catalogue is not None
        sections = [entry for section in catalogue.sections for entry in section.section_entries]

    loader, efi, floppy = bootable.blocks
    assert [entry.get_rba() for entry in (catalogue.initial_entry, *sections)] == [loader, floppy, efi]
    assert [section.platform_id for section in catalogue.sections] == [0, 0xEF]


def test_a_bootable_disc_is_a_disc_like_others(bootable: Bootable, tmp_path: Path) -> None:
    assert "Everything is Ok" in run("7zz", "t", bootable.file)

    run("bsdtar", "-xf", bootable.file, "-C", tmp_path)

    assert sorted(_paths(tmp_path)) == ["README", "boot", "boot/loader.bin"]
    assert (tmp_path / "boot/loader.bin").read_bytes() == b"loader.." * 512


# --- sessions that follow others -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Sessions:
    """A disc of two sessions as a file, and what it must show."""

    file: Path
    start: int  #: the block the second session starts at
    manifest: Manifest  #: both together
    session: Path  #: the second session alone


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Sessions:
    """Burn an awkward tree, then another that adds files, folders, and newer ones of the same names."""
    folder = tmp_path_factory.mktemp("sessions")
    (folder / "one").mkdir()
    awkward_tree(folder / "one")
    (folder / "two/many").mkdir(parents=True)
    (folder / "two/README").write_text("a newer file of the same name")
    (folder / "two/many/one more").write_text("added")
    (folder / ("two/" + "ж" * 120)).write_text("a long name")
    first, second = manifest_of(folder / "one"), manifest_of(folder / "two")
    image = layout(first, LayoutOptions(Family.CD, "FIRST"))
    write(image, folder / "disc.iso")
    start = image.blocks + 11_400
    with (folder / "disc.iso").open("r+b") as disc:
        disc.truncate(start * BLOCK)
        session = import_session(lambda block, count: os.pread(disc.fileno(), count * BLOCK, block * BLOCK), 0, start)
    following = layout(second, LayoutOptions(Family.CD, "SECOND"), previous=session)
    inspect(following, second, previous=session)
    write(following, folder / "second.iso")
    with (folder / "disc.iso").open("ab") as disc:
        disc.write((folder / "second.iso").read_bytes())
    newer = {entry.path for entry in second.entries}
    both = Manifest.of([*second.entries, *(entry for entry in first.entries if entry.path not in newer)])
    return Sessions(folder / "disc.iso", start, both, folder / "second.iso")


@pytest.mark.parametrize(("tree", "options"), [("rock_ridge", []), ("joliet", ["-read_fs", "norock"])])
def test_xorriso_extracts_both_sessions(sessions: Sessions, tree: str, options: list[str], tmp_path: Path) -> None:
    load = ["-load", "lba", str(sessions.start), "-osirrox", "on:auto_chmod_on"]

    run("xorriso", *options, *load, "-indev", f"stdio:{sessions.file}", "-extract", "/", tmp_path / "out")

    assert_same(found(tmp_path / "out"), expected(sessions.manifest, tree))


def test_xorriso_still_reads_the_first_session(sessions: Sessions) -> None:
    said = run("xorriso", "-indev", f"stdio:{sessions.file}", "-find", "/README", "-exec", "report_lba", "--")

    assert "'/README'" in said
    assert "Volume id    : 'FIRST'" in said


@pytest.mark.parametrize("option", ["-T", "-N"])
def test_isoinfo_lists_both_sessions(sessions: Sessions, option: str) -> None:
    file = sessions.file if option == "-T" else sessions.session  # -N: the session alone, as it is to be burnt

    listed = run("isoinfo", option, str(sessions.start), "-R", "-f", "-i", file)

    assert sorted(path.strip("/\n") for path in listed.split("\n/")) == sorted(
        entry.path for entry in sessions.manifest.entries
    )


@pytest.fixture(scope="module")
def in_front(sessions: Sessions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the second session's descriptors where readers without sessions look, with the size that is then true."""
    file = tmp_path_factory.mktemp("front") / "disc.iso"
    shutil.copyfile(sessions.file, file)
    with sessions.session.open("rb") as second, file.open("r+b") as disc:
        second.seek(16 * BLOCK)
        descriptors = bytearray(second.read(3 * BLOCK))
        blocks = file.stat().st_size // BLOCK
        for at in (80, BLOCK + 80):
            descriptors[at : at + 8] = blocks.to_bytes(4, "little") + blocks.to_bytes(4, "big")
        disc.seek(16 * BLOCK)
        disc.write(descriptors)
    return file


def test_bsdtar_extracts_both_sessions(sessions: Sessions, in_front: Path, tmp_path: Path) -> None:
    # Of Rock Ridge it refuses names that continue behind their file's content, and earlier files lie before all.
    run("bsdtar", "-xf", in_front, "--options", "iso9660:!rockridge", "-C", tmp_path)

    assert_same(composed(found(tmp_path)), composed(expected(sessions.manifest, "joliet")))


def test_7zip_extracts_both_sessions(sessions: Sessions, in_front: Path, tmp_path: Path) -> None:
    run("7zz", "x", "-tiso", f"-o{tmp_path}", in_front)

    assert_same(found(tmp_path), expected(sessions.manifest, "joliet"))


def test_sessions_of_another_writer_are_continued(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "shared").mkdir(parents=True)
        (tmp_path / name / "shared" / f"{name}.txt").write_text(name * 1000)
    disc, second = tmp_path / "disc.iso", manifest_of(tmp_path / "two")
    run("xorrisofs", "-quiet", "-r", "-J", "-o", disc, tmp_path / "one")
    start = disc.stat().st_size // BLOCK + 100

    with disc.open("r+b") as file:
        file.truncate(start * BLOCK)
        session = import_session(lambda block, count: os.pread(file.fileno(), count * BLOCK, block * BLOCK), 0, start)
    image = layout(second, LayoutOptions(Family.CD, "SECOND"), previous=session)
    inspect(image, second, previous=session)
    write(image, tmp_path / "second.iso")
    with disc.open("ab") as file:
        file.write((tmp_path / "second.iso").read_bytes())
    load = ["-load", "lba", str(start), "-osirrox", "on:auto_chmod_on"]
    run("xorriso", *load, "-indev", f"stdio:{disc}", "-extract", "/", tmp_path / "out")

    assert {
        path.relative_to(tmp_path / "out").as_posix(): path.read_text() for path in (tmp_path / "out").rglob("*.*")
    } == {f"shared/{name}.txt": name * 1000 for name in ("one", "two")}


def test_the_deepest_tree_is_read_by_all(tmp_path: Path) -> None:
    bottom = tmp_path / "bottom.txt"
    bottom.write_text("bottom")
    levels = [Entry("/".join(["d"] * depth), 0, NOON * 10**9, folder=True) for depth in range(1, 256)]
    manifest = Manifest.of([*levels, entry_of(bottom, f"{levels[-1].path}/bottom.txt")])
    judged = case(tmp_path, manifest, Family.BD)
    image, right = judged.file, expected(manifest, "rock_ridge").keys()

    run("xorriso", "-osirrox", "on:auto_chmod_on", "-indev", f"stdio:{image}", "-extract", "/", tmp_path / "x")
    (tmp_path / "tar").mkdir()
    run("bsdtar", "-xf", image, "-C", tmp_path / "tar")  # of Joliet's paths it takes 511 characters
    for tree in ("iso", "udf"):
        run("7zz", "x", f"-t{tree}", f"-o{tmp_path / tree}", image)

    assert [found(tmp_path / folder).keys() == right for folder in ("x", "tar", "iso", "udf")] == [True] * 4


def listed_by_bsdtar(folder: Path, entries: Sequence[Entry]) -> int:
    judged = case(folder, Manifest.of(entries), Family.CD)
    return run("bsdtar", "-tf", judged.file).count("\n") - 1  # less the root


def test_fifty_thousand_files_in_one_folder_are_read(tmp_path: Path) -> None:
    entries = [a_folder("many"), *(a_file(f"many/{number}", 0) for number in range(50_000))]

    assert listed_by_bsdtar(tmp_path, entries) == 50_001


def test_as_many_folders_as_path_tables_can_number_are_read(tmp_path: Path) -> None:
    assert listed_by_bsdtar(tmp_path, [a_folder(f"{number}") for number in range(65_534)]) == 65_534


@pytest.mark.parametrize(
    "command",
    [
        ("xorrisofs", "-quiet", "-r", "-J", "-joliet-long", "-o"),
        ("xorrisofs", "-quiet", "-r", "-o"),
        ("xorrisofs", "-quiet", "-J", "-joliet-long", "-o"),
        ("genisoimage", "-quiet", "-r", "-J", "-joliet-long", "-o"),
        ("genisoimage", "-quiet", "-r", "-udf", "-o"),
        ("bsdtar", "--format", "iso9660", "-cf"),
    ],
    ids=lambda command: " ".join(command[:-1]),
)
def test_images_of_other_writers_are_catalogued(command: tuple[str, ...], tmp_path: Path) -> None:
    tree, image = tmp_path / "tree", tmp_path / "image.iso"
    deep = tree / "1/2/3/4/5/6/7/8/9/10/11"
    deep.mkdir(parents=True)
    (deep / "bottom.txt").write_text("bottom")
    for name in ("plain.txt", "Größe.txt", "a long name " * 4 + ".txt"):
        (tree / name).write_text(name * 1000)
    (tree / "empty").touch()
    (tree / "link").symlink_to("plain.txt")
    files = {entry.path: entry for entry in manifest_of(tree).entries if not entry.folder}

    run(*command, image, *(["-C", tree, "."] if command[0] == "bsdtar" else [tree]))
    listed = {entry.path: entry for entry in iso_entries(image)}

    assert listed.keys() - {"link"} == files.keys()
    assert {path: digest(image, listed[path].parts) for path in files} == {
        path: entry.sha256 for path, entry in files.items()
    }
    assert {path: listed[path].mtime for path in files} == {path: e.mtime_ns // 10**9 for path, e in files.items()}
    assert inspect_iso(image).files == len(listed)


#: Parts of names: what encodings, separators, case and length have trouble with.
LETTERS = st.one_of(
    st.sampled_from("aAbB.~_-;:?*\\ \x01\xff ß\u0131\u017fÄ文😀"),
    st.characters(blacklist_categories=["Cs"], blacklist_characters="/\0"),
)
NAMES = st.text(LETTERS, min_size=1, max_size=80).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) <= 255
)
TREES = st.recursive(
    st.integers(0, 9000), lambda inner: st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
).filter(lambda tree: isinstance(tree, dict) and tree)


def entries_of(tree: dict[str, object], parent: str, source: Path) -> Iterator[Entry]:
    """Make entries of a drawn tree: numbers are files of that size, all read from the start of one source."""
    for name, inner in tree.items():
        path = f"{parent}{name}"
        if isinstance(inner, dict):
            yield Entry(path, 0, NOON * 10**9, folder=True)
            yield from entries_of(inner, f"{path}/", source)
        elif isinstance(inner, int):
            yield Entry(path, inner, NOON * 10**9, source=str(source.with_name(str(inner))), sha256=str(inner))


@settings(max_examples=60, deadline=None, suppress_health_check=UNHURRIED)
@given(TREES, st.booleans())
def test_any_tree_comes_back_from_bsdtar(tree: dict[str, object], udf: bool) -> None:  # noqa: FBT001
    manifest = Manifest.of(entries_of(tree, "", Path("/nowhere/x")))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "image.iso")
        image = layout(manifest, LayoutOptions(Family.CD, "", udf=udf))
        inspect(image, manifest)
        write(image, file, skip_above=0)
        out = Path(folder, "out")
        out.mkdir()

        run("bsdtar", "-xPf", file, "-C", out)  # -P: leave names like "\\x" and "c:x" alone

        assert {path.relative_to(out).as_posix(): -1 if path.is_dir() else path.stat().st_size
                for path in out.rglob("*")} == {
            entry.path: -1 if entry.folder else entry.size for entry in manifest.entries
        }  # fmt: skip
