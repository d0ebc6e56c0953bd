"""Opens and reads sources so that what was scanned is what is staged, and nothing else is read."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from jobs.errors import OrderError, SourceChanged
from jobs.manifest import Entry
from jobs.mastering.extents import Source
from jobs.mastering.opening import look_at, open_unlinked
from jobs.roots import ContentRoots, shown

#: Bytes read at once; more is not faster, hashlib takes them in one go without the interpreter's lock.
_BUFFER = 1 << 20


class Stopped(Exception):
    """The staging was given up; nobody wants the rest."""


@contextmanager
def opened(entry: Entry, roots: ContentRoots) -> Iterator[int]:
    """Open an entry's source, and check before and after use that it is what was scanned.

    Raises:
        SourceChanged: it is not.
        OutsideRoots: it now lies outside the roots.
        OrderError: it can't be read.
    """
    scanned = Source(entry.source, entry.size, entry.source_mtime_ns, entry.inode, "")
    try:
        handle = open_unlinked(entry.source)
        try:
            roots.check_handle(handle)
            scanned.check(os.fstat(handle))
            yield handle
            scanned.check(look_at(entry.source))  # by its path: a file put in its place shows as well
        finally:
            os.close(handle)
    except OSError as error:
        raise _explained(error, shown(entry.source)) from error


class Reader:
    """Reads files through one buffer, telling `hear` of the bytes. For one thread at a time."""

    def __init__(self, hear: Callable[[int], None] = lambda _: None, stopped: Event | None = None) -> None:
        self._hear = hear
        self._stopped = stopped or Event()
        self._buffer = memoryview(bytearray(_BUFFER))

    def pieces(self, handle: int, entry: Entry) -> Iterator[memoryview]:
        """Give the bytes of an open source piece by piece; each piece is gone when the next is asked for.

        Raises:
            SourceChanged: there are fewer than were scanned.
            OSError: they can't be read.
            Stopped: the staging was given up.
        """
        left = entry.size
        while left:
            if self._stopped.is_set():
                raise Stopped
            count = os.readv(handle, [self._buffer[:left]])
            if not count:
                raise SourceChanged(shown(entry.source), "became shorter")
            left -= count
            self._hear(count)
            yield self._buffer[:count]


def read_small(path: Path, most: int, remedy: str) -> bytes:
    """Read a file that says what to order, whole.

    Raises:
        OSError: it can't be read.
        ValueError: it is no file, or larger than `most` bytes, where `remedy` helps.
    """
    with open(path, "rb", opener=_open_unblocked) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is not a file")
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most:,} bytes; {remedy}")
    return content


def _open_unblocked(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a fifo would keep us waiting for its other end


def _explained(error: OSError, path: str) -> OrderError:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return SourceChanged(path, "was removed")
    if error.errno == errno.ELOOP:
        return SourceChanged(path, "was replaced")
    return OrderError(f"{path} can't be read ({error.strerror})")
