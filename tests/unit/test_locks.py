"""The locks that keep two programs off one device."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.errors import RecorderBusy
from workers.doctor.examination import fetch
from workers.locks import FileLock, is_free, share_folder

NOBODY = 65534


def test_a_lock_is_taken_once(tmp_path: Path) -> None:
    with FileLock(tmp_path / "drive"), pytest.raises(RecorderBusy, match=f"process {os.getpid()}"):
        FileLock(tmp_path / "drive").acquire()


def test_a_closed_lock_is_free(tmp_path: Path) -> None:
    with FileLock(tmp_path / "drive"):
        assert not is_free(tmp_path / "drive")

    assert is_free(tmp_path / "drive")
    FileLock(tmp_path / "drive").acquire()


def test_who_asks_keeps_nobody_out(tmp_path: Path) -> None:
    assert is_free(tmp_path / "drive")
    assert is_free(tmp_path / "drive")

    with FileLock(tmp_path / "drive") as lock:
        assert lock.fd > 0


def test_a_wait_ends_when_the_lock_is_free(tmp_path: Path) -> None:
    holder = FileLock(tmp_path / "drive")
    holder.acquire()
    waiter = subprocess.Popen(
        [sys.executable, "-c", _WAIT, str(tmp_path / "drive")], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    with waiter:
        assert waiter.stdout is not None
        assert waiter.stdout.readline() == b"waiting\n"
        holder.close()

        assert waiter.stdout.readline() == b"got it\n"
    assert waiter.returncode == 0


_WAIT = """
import sys
from collections.abc import Iterator
from pathlib import Path
from workers.locks import FileLock

print("waiting", flush=True)
FileLock(Path(sys.argv[1])).acquire(wait=60)
print("got it", flush=True)
"""


def test_a_child_that_inherited_the_lock_keeps_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "drive")
    lock.acquire()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lock.fd]) as child:
        lock.close()

        assert not is_free(tmp_path / "drive")
        assert child.stdin is not None
        child.stdin.close()
    assert is_free(tmp_path / "drive")


def test_a_child_does_not_inherit_it_by_default(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "drive")
    lock.acquire()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False):
        lock.close()

        assert is_free(tmp_path / "drive")


def test_a_deleted_lock_file_lets_nobody_in_twice(tmp_path: Path) -> None:
    path = tmp_path / "drive"
    stale = FileLock(path)
    stale.acquire()
    path.unlink()

    with FileLock(path), pytest.raises(RecorderBusy):
        FileLock(path).acquire()


def test_the_descriptor_of_no_lock_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not locked"):
        _ = FileLock(tmp_path / "drive").fd


def test_a_lock_of_another_user_keeps_out_and_is_taken_as_ones_own(short_path: Path) -> None:
    """Root looked at a drive once; a worker that is not root comes to it later."""
    short_path.chmod(0o755)
    folder = share_folder(short_path / "locks")
    path = folder / "drive"
    path.touch()
    path.chmod(0o444)

    def take() -> Iterator[dict[str, object]]:
        if os.geteuid() == 0:
            os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            with FileLock(path), FileLock(folder / "own"):
                yield {"taken": True}
        except RecorderBusy:
            yield {"taken": False}

    free = fetch(take, 30)
    with FileLock(path):
        held = fetch(take, 30)

    assert (free, held) == ([{"taken": True}], [{"taken": False}])


def test_a_folder_of_locks_is_open_to_all_and_nobody_removes_what_is_another_s(short_path: Path) -> None:
    folder = share_folder(short_path / "locks")

    assert folder.stat().st_mode & 0o7777 == 0o1777
    assert share_folder(folder) == folder
