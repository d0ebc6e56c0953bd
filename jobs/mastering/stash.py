"""The stash: the folder in which a mastering session keeps what was staged until it is burnt (IMAPI MSDiscStashObj).

IMAPI v1 has one for the whole system. Here each session has its own, so that recorders burn in parallel; two sessions
that are given the same folder exclude each other as IMAPI's clients do.
"""

import array
import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import StashCompressed, StashEncrypted, StashError, StashFull, StashInUse, StashRemovable

#: ioctl_iflags(2): the attributes of a file, and two of them.
_FS_IOC_GETFLAGS, _FS_COMPR_FL, _FS_ENCRYPT_FL = 0x8008_6601, 0x4, 0x800
#: The lock that the session with the stash holds.
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Volume:
    """What a folder lies on."""

    compressed: bool
    encrypted: bool
    removable: bool
    free: int  #: bytes


def look_at(folder: Path) -> Volume:
    """Say what a folder lies on: flags of its file system, whether its disk can be pulled out, bytes that are free."""
    flags = _flags(folder)
    usage = os.statvfs(folder)
    return Volume(
        compressed=bool(flags & _FS_COMPR_FL),
        encrypted=bool(flags & _FS_ENCRYPT_FL),
        removable=_is_removable(folder.stat().st_dev),
        free=usage.f_bavail * usage.f_frsize,
    )


def _flags(folder: Path) -> int:
    flags = array.array("l", [0])
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(handle, _FS_IOC_GETFLAGS, flags)
    except OSError:  # a file system without such flags
        return 0
    finally:
        os.close(handle)
    return flags[0]


def _is_removable(device: int) -> bool:
    """Ask sysfs about a disk, or about the disk that a partition is of."""
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    for place in (block / "removable", block / ".." / "removable"):
        with contextlib.suppress(OSError):
            return place.read_text(encoding="ascii").strip() == "1"
    return False


class Stash:
    """A folder of one session's own; everything in it is gone when it is closed."""

    def __init__(self, folder: Path | None = None, look: Callable[[Path], Volume] = look_at) -> None:
        """Take a folder, made if missing; None: one of the system's folder for temporary files, with a new name.

        Raises:
            StashInUse: another session has it.
            StashCompressed, StashEncrypted, StashRemovable: it lies where a burn could not rely on it.
            StashError: it can't be made.
        """
        self._look = look
        self._lock = -1
        self._is_private = folder is None
        with told("made"):
            self.folder = Path(tempfile.mkdtemp(prefix="discmill-stash-")) if folder is None else folder.absolute()
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._check_place()
            self._take()
        except BaseException:
            if folder is None:
                self.folder.rmdir()
            raise
        self.empty()

    def _check_place(self) -> None:
        volume = self._look(self.folder)
        for is_so, error, word in (
            (volume.compressed, StashCompressed, "compressed"),
            (volume.encrypted, StashEncrypted, "encrypted"),
            (volume.removable, StashRemovable, "on a removable disk"),
        ):
            if is_so:
                raise error(f"the stash {self.folder} is {word}; choose a folder on a plain local disk")

    def _take(self) -> None:
        with told(str(self.folder)):
            handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            message = f"another mastering session has the stash {self.folder}; close that one, or choose another folder"
            raise StashInUse(message) from error
        self._lock = handle

    def reserve(self, size: int) -> None:
        """Make sure that there is room for so many bytes more.

        Raises:
            StashFull: there is not.
        """
        free = self._look(self.folder).free
        if size > free:
            raise StashFull(f"the stash {self.folder} needs {size:,} bytes and has {free:,}; make room there")

    def part(self, name: str) -> Path:
        """Return the place of a file or folder in the stash; folders above it are made."""
        path = self.folder / name
        with told(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def empty(self) -> None:
        """Remove all that was staged, for good."""
        with told(str(self.folder)):
            for entry in self.folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                elif entry.name != _LOCK:
                    entry.unlink()

    def close(self) -> None:
        """Empty the stash and let others have it. Closing twice is fine."""
        if self._lock >= 0:
            self.empty()
            os.close(self._lock)
            self._lock = -1
            if self._is_private:  # a shared one keeps its lock's file: somebody may have it open
                shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def told(place: str) -> Iterator[None]:
    """Turn the system's errors into the stash's."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StashFull(f"the stash is full at {place}; make room there") from error
        raise StashError(f"the stash can't be used at {place} ({error.strerror}); choose another folder") from error
