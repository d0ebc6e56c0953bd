"""The buffer of an emulated drive: the laser empties it at its speed, and the host keeps it full or is late."""

import time
from collections.abc import Callable

#: Bytes of the buffer: what drives have.
SIZE = 1 << 21


class Buffer:
    """A buffer that the laser empties at `rate` bytes a second. Who gives to a full one waits for room.

    How late the host ever was is kept in bytes: `deficit` is what was missing in the buffer at worst, and `starved`
    how often that was more than it holds, so that the laser had nothing to write.
    """

    def __init__(
        self, rate: float, wait: Callable[[float], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._wait = wait
        self._clock = clock
        self._given = 0
        self._due = clock()
        self.deficit = 0.0
        self.starved = 0

    @property
    def fill(self) -> float:
        """The share that is full, 0 to 1."""
        return max(0.0, min(SIZE, self._given) - self._missing) / SIZE

    @property
    def _missing(self) -> float:
        """Bytes that the laser has taken and the host has not replaced, though there was room."""
        return max(0.0, self._clock() - self._due) * self._rate

    def take(self, size: int) -> None:
        """Take bytes, and wait until there is room for as many."""
        missing = self._missing
        self.deficit = max(self.deficit, missing)
        if missing > SIZE:
            self.starved += 1
            self._due = self._clock() - SIZE / self._rate  # it is empty, and the laser goes on with what comes
        self._given += size
        self._due += size / self._rate
        ahead = self._due - self._clock()
        if ahead > 0:
            self._wait(ahead)

    def pause(self) -> None:
        """Let the laser rest and the buffer be full again: whatever held the burn up, it was not the host."""
        self._due = max(self._due, self._clock())

    def run_dry(self) -> None:
        """Let the buffer be empty."""
        self._given, self._due = 0, max(self._due, self._clock())
