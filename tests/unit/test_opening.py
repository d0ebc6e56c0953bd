import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mastering import opening
from jobs.mastering.opening import Folders, has_openat2, look_at, open_unlinked

WAYS = ["in one call", "part by part"]
#: What a name may be made of: all but NUL and the slash.
NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=40)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Open with openat2(2), and as on a kernel that does not have it."""
    if request.param == "part by part":
        monkeypatch.setattr(opening, "has_openat2", lambda: False)
    else:
        assert has_openat2(), "this kernel has no openat2(2): the first way can't be tested here"
    return str(request.param)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Give a real folder with a file, an outside file and links to it."""
    folder = tmp_path.resolve()
    (folder / "in" / "deep").mkdir(parents=True)
    (folder / "in" / "deep" / "file").write_text("ours")
    (folder / "out").mkdir()
    (folder / "out" / "file").write_text("theirs")
    return folder


def read(path: Path) -> str:
    handle = open_unlinked(str(path))
    with os.fdopen(handle, encoding="utf-8") as file:
        return file.read()


@pytest.mark.usefixtures("way")
def test_a_plain_path_is_opened(place: Path) -> None:
    assert read(place / "in" / "deep" / "file") == "ours"
    assert look_at(str(place / "in")).st_ino == (place / "in").stat().st_ino
    assert look_at("/").st_ino == Path("/").stat().st_ino


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("link", ["in/deep/link", "in/link/file", "link/deep/file"])
def test_a_link_anywhere_in_the_path_is_refused(place: Path, link: str) -> None:
    (place / "in" / "deep" / "link").symlink_to("file")
    (place / "in" / "link").symlink_to(place / "out")
    (place / "link").symlink_to("in")

    for act in (open_unlinked, look_at):
        with pytest.raises(OSError, match=r"link|real path") as refusal:
            act(str(place / link))

        assert refusal.value.errno == errno.ELOOP


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("path", ["in/../in/deep/file", "in/./deep/file", "in/deep/file/.."])
def test_a_path_that_is_not_a_real_one_is_refused(place: Path, path: str) -> None:
    with pytest.raises(OSError, match="not a real path"):
        open_unlinked(f"{place}/{path}")


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(OSError, match="not a real path"):
        open_unlinked("etc/passwd")


@pytest.mark.usefixtures("way")
def test_a_handle_is_not_inherited(place: Path) -> None:
    handle = open_unlinked(str(place / "in" / "deep" / "file"))

    assert not os.get_inheritable(handle)
    os.close(handle)


@pytest.mark.usefixtures("way")
def test_what_is_missing_is_told_from_what_is_a_link(place: Path) -> None:
    for path in ("nowhere", "in/nowhere/file", "in/deep/file/inner"):
        with pytest.raises((FileNotFoundError, NotADirectoryError)):
            open_unlinked(str(place / path))


@given(NAMES)
def test_both_ways_open_whatever_a_name_is_made_of(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("names").resolve()
    if name in {".", ".."} or len(name.encode()) > 255:
        return
    (folder / name).write_text("ours")

    handles = [open_unlinked(str(folder / name)), opening.open_by_parts(f"{folder}/{name}"[1:], os.O_RDONLY)]

    assert [os.read(handle, 9) for handle in handles] == [b"ours", b"ours"]
    for handle in handles:
        os.close(handle)


# --- folder by folder ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("way")
def test_files_are_opened_through_their_folder_and_each_folder_is_heard_of_once(place: Path) -> None:
    (place / "in" / "deep" / "second").write_text("ours too")
    heard: list[int] = []

    with Folders(lambda handle: heard.append(os.fstat(handle).st_ino)) as folders:
        handles = [folders.open(f"{place}/{path}") for path in ("in/deep/file", "in/deep/second", "out/file")]
        size = folders.look_at(f"{place}/out/file").st_size

    assert [os.read(handle, 20) for handle in handles] == [b"ours", b"ours too", b"theirs"]
    assert size == len("theirs")
    assert heard == [(place / "in" / "deep").stat().st_ino, (place / "out").stat().st_ino]
    for handle in handles:
        os.close(handle)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("path", ["in/deep/link", "in/link/file", "in/deep/..", "in/deep/.", "in/deep/"])
def test_through_its_folder_no_link_is_opened_either(place: Path, path: str) -> None:
    (place / "in" / "deep" / "link").symlink_to("file")
    (place / "in" / "link").symlink_to(place / "out")

    with Folders() as folders, pytest.raises(OSError, match=r"link|real path") as refusal:
        folders.open(f"{place}/{path}")

    assert refusal.value.errno == errno.ELOOP


def test_a_folder_that_was_refused_is_refused_for_its_next_file_too(place: Path) -> None:
    def refuse(_handle: int) -> None:
        raise PermissionError("not here")

    with Folders(refuse) as folders:
        for _ in range(2):
            with pytest.raises(PermissionError, match="not here"):
                folders.open(f"{place}/in/deep/file")


def test_a_link_shows_by_its_mode_when_it_is_looked_at(place: Path) -> None:
    (place / "in" / "deep" / "link").symlink_to("file")

    with Folders() as folders:
        found = folders.look_at(f"{place}/in/deep/link")

    assert stat.S_ISLNK(found.st_mode)


def test_a_file_that_is_not_for_all_is_asked_for(place: Path) -> None:
    secret = place / "in" / "deep" / "file"
    secret.chmod(0o600)

    with Folders() as folders:
        found = folders.look_at(str(secret))

        assert folders.may_read(str(secret), found) is os.access(secret, os.R_OK, effective_ids=True)
