"""Where content may be read: nothing whose real place lies outside these folders reaches a disc."""

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from jobs.errors import OrderError, OutsideRoots


def shown(path: str | Path) -> str:
    """Return a path as a person may be shown it: escaped where it could garble a terminal or a list."""
    text = str(path)
    return text if text.isprintable() else repr(text)


class ContentRoots:
    """The folders that content may be read from, by their real places."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(Path(_plain(os.path.realpath(path))) for path in paths)
        self._prefixes = tuple(f"{path}".rstrip("/") + "/" for path in self.paths)

    def contains(self, real: str | Path) -> bool:
        """Say whether a real path (no links in it) lies in the roots."""
        return f"{real}/".startswith(self._prefixes)

    def resolve(self, path: Path) -> Path:
        """Follow every link of a path that has to exist.

        Raises:
            OutsideRoots: its real place is outside the roots.
            OrderError: it does not exist, dangles, runs in a circle or can't be reached.
        """
        try:
            real = _plain(os.path.realpath(path, strict=True))
        except (OSError, ValueError) as error:
            raise OrderError(_unresolved(path, error)) from error
        self._check(real, path)
        return Path(real)

    def check_handle(self, handle: int) -> None:
        """Check an open file by the place the kernel knows it at, whatever was swapped on the way to it.

        Raises:
            OutsideRoots: that place is outside the roots.
        """
        real = os.readlink(f"/proc/self/fd/{handle}")  # noqa: PTH115  (a Path costs twice the call)
        self._check(real, real)

    def _check(self, real: str, path: str | Path) -> None:
        if self.contains(real):
            return
        named = shown(path) if str(path) == real else f"{shown(path)} leads to {shown(real)}, which"
        roots = ", ".join(map(shown, self.paths)) or "none"
        raise OutsideRoots(f"{named} is outside the content roots ({roots}); move it there, or add its folder to them")


def _plain(real: str) -> str:
    return "/" + real.lstrip("/")  # POSIX lets two leading slashes mean something else; Linux does not


def _unresolved(path: Path, error: OSError | ValueError) -> str:
    named = shown(path)
    if isinstance(error, ValueError):
        return f"{named} can't be a path: it has a NUL in it"
    if error.errno == errno.ELOOP:
        return f"{named} is a link that leads back to itself"
    if error.errno == errno.ENOENT and path.is_symlink():
        return f"{named} is a link to {shown(path.readlink())}, which does not exist"
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return f"{named} does not exist"
    return f"{named} can't be read ({error.strerror})"
