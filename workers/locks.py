"""The operating system's locks that keep two programs off one device, whatever a database says.

Each device has two, in the folder that its recorder names. `owner` is held by a worker for its life and never
inherited. `drive` is opened afresh for each burn or access; the burner and its burn program inherit it. A lock
belongs to the open file, not to a process: it is free when the last process that has the file open is gone.
"""

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from jobs.errors import RecorderBusy

if TYPE_CHECKING:  # the burner imports this module and has no use for the ports
    from jobs.mastering.recorder import DiscRecorder

#: Seconds between two looks at a lock that is taken.
_LOOK = 0.02
#: Everybody may make files there, and nobody remove those of others.
_SHARED = 0o1777


class FileLock:
    """A lock on a file; the file holds the process id of the last holder, for messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def __enter__(self) -> Self:
        """Take the lock, or refuse at once."""
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the lock."""
        self.close()

    @property
    def is_held(self) -> bool:
        """True while this very object has the lock."""
        return self._handle is not None

    @property
    def fd(self) -> int:
        """The descriptor; whoever inherits it holds the lock too."""
        if self._handle is None:
            message = f"{self.path} is not locked"
            raise ValueError(message)
        return self._handle

    def acquire(self, wait: float = 0.0) -> None:
        """Take the lock, waiting up to `wait` seconds for it.

        Raises:
            RecorderBusy: somebody else has it.
        """
        deadline = time.monotonic() + wait
        while not self._try():
            if time.monotonic() >= deadline:
                raise RecorderBusy(f"{self.path} is locked by {_holder(self.path)}; wait until it is done")
            time.sleep(_LOOK)
        record_holder(self.fd)

    def close(self) -> None:
        """Let go of the lock without unlocking it: a child that inherited the descriptor keeps it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _try(self) -> bool:
        handle = _open(self.path)
        if _flock(handle, fcntl.LOCK_EX) and _is_at(handle, self.path):
            self.close()
            self._handle = handle
            return True
        os.close(handle)
        return False


def record_holder(handle: int) -> None:
    """Write this process's id into a locked file; another user's keeps what it says."""
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)


def share_folder(folder: Path) -> Path:
    """Make a folder that all users of this host may keep locks in, as /run/lock is one; return it.

    Whoever is first makes it: without this, locks that root once took would keep everybody else away for good.
    """
    if not folder.is_dir():
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
            folder.chmod(_SHARED)
    return folder


def drive_lock(recorder: "DiscRecorder") -> FileLock:
    """Return the lock of one burn or one access."""
    return FileLock(recorder.locks / "drive")


def drive_is_free(recorder: "DiscRecorder") -> bool:
    """Say whether nobody burns or uses the drive right now."""
    return is_free(recorder.locks / "drive")


def is_free(path: Path) -> bool:
    """Say whether nobody has a lock; those who ask do not get in each other's way."""
    handle = _open(path)
    try:
        return _flock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    """Open a lock's file, made if missing; another user's for reading alone, which is enough to lock it."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)


def _flock(handle: int, mode: int) -> bool:
    try:
        fcntl.flock(handle, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Say whether the open file still has its name: a lock on a file that was deleted keeps nobody out."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _holder(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        text = ""
    return f"process {text}" if text.isdigit() else "another process"
