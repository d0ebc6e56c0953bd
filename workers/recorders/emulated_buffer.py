"""The buffer of an emulated drive: how full it is while the host feeds it and the laser takes."""

import time
from collections.abc import Callable

#: Bytes of the buffer: what drives have.
SIZE = 1 << 21


class Buffer:
    """A buffer that the laser empties at `rate` bytes a second, and that the host keeps full while it is in time.

    The host is never faster than the throttle lets it, so all that can be seen of it is that it is late.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._level = 0.0
        self._seen = clock()

    @property
    def fill(self) -> float:
        """The share that is full, 0 to 1."""
        late = self._clock() - self._seen
        return max(0.0, self._level - late * self._rate) / SIZE

    def take(self, size: int) -> None:
        """Note that the host gave so many bytes, and waited for as long as the laser needs for them."""
        self._level = min(SIZE, self.fill * SIZE + size)
        self._seen = self._clock()

    def run_dry(self) -> None:
        """Note that the host was late for longer than the buffer lasts."""
        self._level = 0.0
