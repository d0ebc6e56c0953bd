"""What lies in the sources is found, and everything that is wrong with it is said at once."""

import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs import scanning
from jobs.errors import OrderError, OutsideRoots
from jobs.manifest import Entry, Manifest
from jobs.roots import ContentRoots, shown
from jobs.scanning import Scan, scan, scan_image

Tree = dict[str, "bytes | Tree"]

_NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=60).filter(
    lambda name: name not in {".", ".."}
)
_TREES: st.SearchStrategy[Tree] = st.recursive(
    st.dictionaries(_NAMES, st.binary(max_size=9), max_size=4),
    lambda inner: st.dictionaries(_NAMES, st.binary(max_size=9) | inner, max_size=4),
    max_leaves=12,
)


def grow(folder: Path, tree: Tree) -> Path:
    """Make a folder with this content."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            grow(folder / name, content)
    return folder


def scanned(*paths: Path) -> Scan:
    return scan(paths, ContentRoots([path.parent for path in paths]))


def places(found: Scan) -> list[str]:
    return [entry.path for entry in found.entries]


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Give a folder, and take the rights of root away where the tests have them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        user = os.geteuid()
        yield Path(folder)
        os.seteuid(user)


def become_nobody() -> None:
    if os.geteuid() == 0:
        os.seteuid(65534)


def test_a_folder_gives_its_content_and_a_file_lands_in_the_root(tmp_path: Path) -> None:
    folder = grow(tmp_path / "photos", {"a.txt": b"1", "sub": {"b.txt": b"22"}})
    file = tmp_path / "c.txt"
    file.write_bytes(b"333")

    found = scanned(folder, file)

    assert found.faults == ()
    assert [(entry.path, entry.size, entry.folder) for entry in found.entries] == [
        ("a.txt", 1, False),
        ("c.txt", 3, False),
        ("sub", 0, True),
        ("sub/b.txt", 2, False),
    ]


def test_a_file_is_described_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"content")
    os.utime(file, ns=(0, 1_234_567_890_123_456_789))

    found = scanned(file)

    assert found.entries == (
        Entry(
            path="a.txt",
            size=7,
            mtime_ns=1_234_567_890_123_456_789,
            source=str(file),
            inode=file.stat().st_ino,
            source_mtime_ns=1_234_567_890_123_456_789,
        ),
    )


def test_folders_merge_and_the_first_gives_the_time(tmp_path: Path) -> None:
    one = grow(tmp_path / "one", {"sub": {"a": b""}})
    two = grow(tmp_path / "two", {"sub": {"b": b""}})
    os.utime(one / "sub", ns=(0, 111))
    os.utime(two / "sub", ns=(0, 222))

    found = scanned(one, two)

    assert found.faults == ()
    assert places(found) == ["sub", "sub/a", "sub/b"]
    assert found.entries[0].mtime_ns == 111


def test_the_same_source_twice_is_there_once(tmp_path: Path) -> None:
    folder = grow(tmp_path / "one", {"sub": {"a": b""}})

    found = scanned(folder, folder)

    assert (places(found), found.faults) == (["sub", "sub/a"], ())


@pytest.mark.parametrize(("first", "second"), [(b"x", b"x"), (b"x", {}), ({}, b"x")])
def test_two_things_for_one_place_are_named_both(tmp_path: Path, first: bytes | Tree, second: bytes | Tree) -> None:
    one = grow(tmp_path / "one", {"same": first})
    two = grow(tmp_path / "two", {"same": second})

    found = scanned(one, two)

    assert found.faults == (f"two things want the place same: {one}/same and {two}/same; rename or leave out one",)


def test_a_link_gives_what_it_leads_to(tmp_path: Path) -> None:
    folder = grow(tmp_path / "one", {"real": {"a": b"1"}})
    (folder / "file-link").symlink_to("real/a")
    (folder / "folder-link").symlink_to(folder / "real")

    found = scanned(folder)

    assert found.faults == ()
    assert places(found) == ["file-link", "folder-link", "folder-link/a", "real", "real/a"]
    assert found.entries[0].source == f"{folder}/real/a"


def test_a_link_as_a_source_lands_by_its_own_name(tmp_path: Path) -> None:
    grow(tmp_path, {"real": b"1"})
    (tmp_path / "link").symlink_to("real")

    assert places(scanned(tmp_path / "link")) == ["link"]


def test_a_link_that_leaves_the_roots_is_refused(tmp_path: Path) -> None:
    grow(tmp_path, {"outside": b"secret", "in": {}})
    (tmp_path / "in" / "link").symlink_to("../outside")

    found = scan([tmp_path / "in"], ContentRoots([tmp_path / "in"]))

    assert found.entries == ()
    [fault] = found.faults
    assert fault == (
        f"{tmp_path}/in/link leads to {tmp_path}/outside, which is outside the content roots ({tmp_path}/in); "
        "move it there, or add its folder to them"
    )


def test_links_to_nowhere_and_in_circles_are_faults(tmp_path: Path) -> None:
    folder = grow(tmp_path / "one", {"deep": {}})
    (folder / "a-dangling").symlink_to("nothing")
    (folder / "b-self").symlink_to("b-self")
    (folder / "deep" / "up").symlink_to("..")

    found = scanned(folder)

    assert found.faults == (
        f"{folder}/a-dangling is a link to nothing, which does not exist",
        f"{folder}/b-self is a link that leads back to itself",
        f"the link deep/up leads back to {folder}, which holds it; remove that link",
    )


def test_links_that_multiply_a_tree_come_to_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MAX_ENTRIES", 100)
    for level in range(20):
        folder = grow(tmp_path / f"d{level}", {})
        for name in "abc":
            (folder / name).symlink_to(f"../d{level + 1}")
    grow(tmp_path / "d20", {})

    found = scanned(tmp_path / "d0")

    assert found.faults == ("there are more than 100 files and folders; make several orders of it",)


def test_special_files_are_faults(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a-fifo")
    os.mknod(tmp_path / "b-socket", stat.S_IFSOCK | 0o600)
    (tmp_path / "c-null").symlink_to("/dev/null")

    found = scan([tmp_path], ContentRoots([tmp_path, Path("/dev")]))

    assert found.faults == (
        f"{tmp_path}/a-fifo is a fifo; only files and folders go on a disc",
        f"{tmp_path}/b-socket is a socket; only files and folders go on a disc",
        "/dev/null is a device; only files and folders go on a disc",
    )


def test_a_name_that_is_not_utf8_is_a_fault_and_readable(tmp_path: Path) -> None:
    name = os.fsdecode(b"bad-\xff\n")
    (tmp_path / name).write_bytes(b"")

    found = scanned(tmp_path)

    assert found.faults == (f"{str(tmp_path / name)!r} has a name that is not UTF-8; rename it",)


def test_what_may_not_be_read_is_a_fault(unprivileged: Path) -> None:
    grow(unprivileged, {"file": b"1", "folder": {"inner": b""}})
    (unprivileged / "file").chmod(0)
    (unprivileged / "folder").chmod(0)
    become_nobody()

    found = scanned(unprivileged)

    assert found.faults == (
        f"{unprivileged}/file can't be read (permission denied)",
        f"{unprivileged}/folder can't be read (Permission denied)",
    )


def test_a_time_no_disc_can_hold_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "old"
    file.write_bytes(b"")
    os.utime(file, (0, scanning.LATEST_NS // 10**9 + 1))

    assert scanned(file).faults == (f"{file} has a time outside the years 1900 to 2155; give it another (touch)",)


def test_all_faults_of_all_sources_come_together(tmp_path: Path) -> None:
    sources = [tmp_path / "missing", tmp_path / "a\0b", tmp_path / "file" / "x", Path("/proc/version")]
    (tmp_path / "file").write_bytes(b"")

    found = scan(sources, ContentRoots([tmp_path]))

    assert [fault.removeprefix(f"{tmp_path}/") for fault in found.faults] == [
        "missing does not exist",
        f"{str(sources[1])!r} can't be a path: it has a NUL in it",
        "file/x does not exist",
        f"/proc/version is outside the content roots ({tmp_path}); move it there, or add its folder to them",
    ]


def test_an_empty_order_is_a_fault(tmp_path: Path) -> None:
    fault = ("there is nothing to burn: no file and no folder in the sources",)

    assert scanned(tmp_path).faults == fault
    assert scan([], ContentRoots([tmp_path])).faults == fault


def test_an_image_is_one_file(tmp_path: Path) -> None:
    roots = ContentRoots([tmp_path])
    (tmp_path / "disc.iso").write_bytes(b"image")

    assert places(scan_image(tmp_path / "disc.iso", roots)) == ["disc.iso"]
    assert scan_image(tmp_path, roots).faults == (f"{tmp_path} is a folder; an image is one file",)
    assert scan_image(tmp_path / "no.iso", roots).faults == (f"{tmp_path}/no.iso does not exist",)


def test_roots_know_their_own_and_no_neighbours(tmp_path: Path) -> None:
    roots = ContentRoots([tmp_path / "a", Path("/srv/")])

    assert roots.contains(tmp_path / "a")
    assert roots.contains(f"{tmp_path}/a/b")
    assert roots.contains("/srv/x")
    assert not roots.contains(f"{tmp_path}/ab")
    assert not ContentRoots([]).contains("/")
    assert ContentRoots([Path("/")]).contains("/anything")
    with pytest.raises(OutsideRoots):
        roots.resolve(tmp_path)
    with pytest.raises(OrderError, match="does not exist"):
        roots.resolve(tmp_path / "a")


def test_what_could_garble_a_terminal_is_shown_escaped() -> None:
    assert shown("plain näme.txt") == "plain näme.txt"
    assert shown("\x1b[2J\n") == r"'\x1b[2J\n'"


@settings(deadline=None, max_examples=60)
@given(_TREES)
def test_any_tree_is_found_as_the_system_walks_it(tree: Tree) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = grow(Path(name).resolve(), tree)
        walked = {
            os.path.relpath(os.path.join(folder, child), root)  # noqa: PTH118  (os.walk gives texts)
            for folder, folders, files in os.walk(root)
            for child in folders + files
        }

        found = scanned(root)

    assert set(places(found)) == walked
    assert not found.faults or not walked
    assert all(entry.source == f"{root}/{entry.path}" for entry in found.entries if not entry.folder)


_ENTRIES = st.lists(
    st.builds(
        Entry,
        path=_NAMES,
        size=st.integers(0, 2**40),
        mtime_ns=st.integers(0, 2**62),
        folder=st.booleans(),
        source=_NAMES,
    ),
    unique_by=lambda entry: entry.path,
    max_size=8,
)


@given(_ENTRIES.flatmap(lambda entries: st.tuples(st.just(entries), st.permutations(entries))))
def test_a_manifest_does_not_depend_on_the_order_of_its_entries(orders: tuple[list[Entry], list[Entry]]) -> None:
    assert Manifest.of(orders[0]) == Manifest.of(orders[1])


def test_a_manifest_is_another_one_when_anything_differs() -> None:
    entry = Entry("path", 1, 2, source="source", inode=3, sha256="4", source_mtime_ns=5)
    others = [
        replace(entry, path="other"),
        replace(entry, size=9),
        replace(entry, mtime_ns=9),
        replace(entry, source="other"),
        replace(entry, inode=9),
        replace(entry, sha256="9"),
        replace(entry, source_mtime_ns=9),
        replace(entry, folder=True),
    ]

    assert len({Manifest.of([each]).sha256 for each in [entry, *others]}) == 9
