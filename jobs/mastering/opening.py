"""Opens content by its real path and follows no link on the way to it, however folders are swapped meanwhile.

`O_NOFOLLOW` guards the last part of a path alone: a folder that became a link leads anywhere.
The burner imports this module and the standard library alone.
"""

import ctypes
import errno
import os
import stat
from collections.abc import Callable
from functools import cache
from typing import Self

#: openat2(2): its number (the same on every architecture but alpha), and what a path may not have in it.
_OPENAT2 = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
#: A kernel without the call (before 5.6), or a container whose filter does not know it.
_NOT_THERE = {errno.ENOSYS, errno.EPERM}
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_BY_ALL = 0o444
#: What no real path ends with.
_NO_NAMES = {"", ".", ".."}
_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_unlinked(path: str, flags: int = os.O_RDONLY | os.O_NONBLOCK) -> int:
    """Open an absolute path in which no part is a link; the handle is not inherited.

    Raises:
        OSError: it can't be opened; with ELOOP, a part of it is a link, or is "." or "..".
    """
    parts = path.split("/")[1:]
    if not path.startswith("/") or any(part in {".", ".."} for part in parts):
        raise OSError(errno.ELOOP, "not a real path", path)
    relative = "/".join(part for part in parts if part) or "."
    how = flags | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = _open_at_once(relative, how) if has_openat2() else open_by_parts(relative, how)
    if stat.S_ISLNK(os.fstat(handle).st_mode):  # with O_PATH a link at the end is opened itself
        os.close(handle)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return handle


def look_at(path: str) -> os.stat_result:
    """Return what is at an absolute path, without following a link anywhere in it.

    Raises:
        OSError: nothing is there, or a part of the path is a link.
    """
    handle = open_unlinked(path, os.O_PATH)
    try:
        return os.fstat(handle)
    finally:
        os.close(handle)


def is_for_all(found: os.stat_result) -> bool:
    """Say whether a file's mode lets everybody read it; only where it does not, need the kernel be asked."""
    return found.st_mode & _READ_BY_ALL == _READ_BY_ALL


class Folders:
    """Opens content like `open_unlinked` and keeps the folder open: the next file mostly lies in it too.

    Two system calls for a file instead of six. Not for several threads at once. `entered` hears the handle of each
    folder and may refuse it.
    """

    def __init__(self, entered: Callable[[int], object] = lambda _: None) -> None:
        self._entered = entered
        self._path: str | None = None
        self._handle = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the folder."""
        if self._handle >= 0:
            os.close(self._handle)
        self._path, self._handle = None, -1

    def open(self, path: str) -> int:
        """Open a file by its absolute path, in which no part may be a link.

        Raises:
            OSError: as `open_unlinked`.
        """
        return os.open(self._name(path), _READ, dir_fd=self._handle)

    def look_at(self, path: str) -> os.stat_result:
        """Return what is at a path; a link at its end is not followed, and shows by its mode.

        Raises:
            OSError: nothing is there, or a folder of the path is a link.
        """
        return os.stat(self._name(path), dir_fd=self._handle, follow_symlinks=False)

    def may_read(self, path: str, found: os.stat_result) -> bool:
        """Say whether a file that was looked at may be read."""
        return is_for_all(found) or os.access(self._name(path), os.R_OK, dir_fd=self._handle, effective_ids=True)

    def _name(self, path: str) -> str:
        """Enter the folder of a path; return the rest."""
        folder, _, name = path.rpartition("/")
        if name in _NO_NAMES:
            raise OSError(errno.ELOOP, "not a real path", path)
        if folder != self._path:
            self.close()
            self._handle = open_unlinked(folder or "/", os.O_PATH)
            self._entered(self._handle)
            self._path = folder
        return name


@cache
def has_openat2() -> bool:
    """Say whether the kernel resolves a path without links in one call."""
    try:
        os.close(_openat2("/", ".", os.O_PATH | os.O_CLOEXEC))
    except OSError as error:
        if error.errno in _NOT_THERE:
            return False
        raise
    return True


def _open_at_once(relative: str, flags: int) -> int:
    return _openat2("/", relative, flags)


def _openat2(folder: str, relative: str, flags: int) -> int:
    how = _How(flags, 0, _NO_MAGICLINKS | _NO_SYMLINKS | _BENEATH)
    start = os.open(folder, _FOLDER)
    try:
        while True:
            words = os.fsencode(relative)
            handle = _libc.syscall(_OPENAT2, start, words, ctypes.byref(how), ctypes.sizeof(how))
            if handle >= 0:
                return int(handle)
            number = ctypes.get_errno()
            if number not in {errno.EAGAIN, errno.EINTR}:  # renamed on the way, or a signal: once more
                raise OSError(number, os.strerror(number), f"{folder}{relative}")
    finally:
        os.close(start)


def open_by_parts(relative: str, flags: int) -> int:
    """Open a path below / one part after the other, each relative to the handle of the folder before it.

    Raises:
        OSError: as `open_unlinked`.
    """
    *folders, name = relative.split("/")
    here = os.open("/", _FOLDER)
    try:
        for folder in folders:
            inner = _enter(here, folder)
            os.close(here)
            here = inner
        return os.open(name, flags, dir_fd=here)
    finally:
        os.close(here)


def _enter(here: int, folder: str) -> int:
    try:
        return os.open(folder, _FOLDER, dir_fd=here)
    except NotADirectoryError:
        if stat.S_ISLNK(os.stat(folder, dir_fd=here, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), folder) from None
        raise
