"""How fast a disc is written or read, and when it is worth telling."""

import time
from collections.abc import Callable

#: Seconds between two reports of a speed.
INTERVAL = 0.25


class SpeedMeter:
    """Measures speed over the last reports, in multiples of a medium's 1x."""

    def __init__(self, speed_1x: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed_1x = speed_1x
        self._clock = clock
        self._told_at, self._told_bytes = clock(), 0
        self._speed = 0.0

    def is_due(self, done: int) -> bool:
        """Say whether it is time to tell again; `done` is in bytes."""
        elapsed = self._clock() - self._told_at
        if elapsed < INTERVAL:
            return False
        self._speed = (done - self._told_bytes) / elapsed / self._speed_1x
        self._told_at, self._told_bytes = self._clock(), done
        return True

    def speed_x(self, done: int) -> float:
        """Return the speed of the last interval; before there was one, the speed so far."""
        if self._speed:
            return round(self._speed, 1)
        elapsed = self._clock() - self._told_at
        return round((done - self._told_bytes) / elapsed / self._speed_1x, 1) if elapsed > 0 else 0.0
