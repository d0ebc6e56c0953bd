"""Keeps the cyclic garbage collector away while much is made that stays: it would look through it over and over.

A quarter of a layout's time is such looking. Manifests and extent maps have no cycles, so nothing is missed.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside: list[None] = []  # one for each that is inside; several threads may be


@contextmanager
def uncollected() -> Iterator[None]:
    """Turn the collector off; whoever leaves last turns it on again, if it was on."""
    with _lock:
        was_on = gc.isenabled() or bool(_inside)
        _inside.append(None)
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _inside.pop()
            if was_on and not _inside:
                gc.enable()
