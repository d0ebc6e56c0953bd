"""The buffer of an emulated drive: how full it is while the host feeds it and the laser takes."""

import time
from collections.abc import Callable

#: Bytes of the buffer: what drives have.
SIZE = 1 << 21


class Buffer:
    """A buffer that the laser empties at `rate` bytes a second, and that the host fills for as long as it is in time.

    The throttle keeps the host from being any faster, so what can be seen of it is that it is late.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._level = 0.0
        self._taken = clock()

    @property
    def fill(self) -> float:
        """The share that is full, 0 to 1."""
        return self._level / SIZE

    def take(self, size: int) -> None:
        """Note that the host gave so many bytes, and waited for as long as the laser needs for them."""
        now = self._clock()
        late = max(0.0, now - self._taken - size / self._rate)
        self._level = min(SIZE, max(0.0, self._level - late * self._rate) + size)
        self._taken = now

    def run_dry(self) -> None:
        """Note that the host was late for longer than the buffer lasts."""
        self._level = 0.0
