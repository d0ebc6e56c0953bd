"""Keeps a flow of bytes at a drive's speed."""

import time
from collections.abc import Callable

#: Seconds that a flow may be late and still catch up; after a longer stop it goes on at its pace, as a drive does.
_CATCH_UP = 0.25


class Throttle:
    """Waits so that bytes flow no faster than `rate` a second; None is as fast as they come."""

    def __init__(
        self, rate: float | None, wait: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._wait = wait
        self._clock = clock
        self._due = clock()

    def pace(self, size: int) -> None:
        """Wait until `size` more bytes may have passed; what interrupts the wait lets them pass at once."""
        if self._rate is None:
            return
        now = self._clock()
        self._due = max(self._due, now - _CATCH_UP) + size / self._rate
        if self._due > now:
            self._wait(self._due - now)
