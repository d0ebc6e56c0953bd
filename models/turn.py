"""Lets writers of a SQLite database in as they come: SQLite lets in whoever happens to ask at the right moment.

With dozens of workers some would ask in vain for longer than a lease lasts.
"""

import fcntl
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(queue: Path, patience: float) -> Generator[None]:
    """Wait for our turn, at most `patience` seconds, and keep it meanwhile; a process that dies loses its own.

    Who has waited in vain goes on without: SQLite has the last word, and a program that was stopped holds up nobody.
    """
    handle = os.open(queue, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _line_up(handle, patience)
        yield
    finally:
        os.close(handle)


def _line_up(handle: int, patience: float) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # The kernel's queue has an order, but no deadline: it is a thread that waits there, also beyond ours.
        waiting = threading.Thread(target=_wait, args=(os.dup(handle),), name="turn", daemon=True)
        waiting.start()
        waiting.join(patience)


def _wait(handle: int) -> None:
    """Take the lock for whoever has the other handle of the same opening; where nobody has, it is free again."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)
