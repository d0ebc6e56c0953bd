"""SHA-256 of what is fed to a drive, taken beside the feeding: hashing costs twice as much as reading and writing."""

import hashlib
import threading
from queue import SimpleQueue
from typing import Protocol

#: Buffers on their way: one is filled and fed while others are hashed.
_BUFFERS = 4


class Digest(Protocol):
    """Lends buffers to be filled and fed, one after the other."""

    def buffer(self) -> memoryview:
        """Lend a buffer; `take` gives it back."""

    def take(self, buffer: memoryview, fed: int) -> None:
        """Hear that the first `fed` bytes of a lent buffer were fed."""

    def result(self) -> str:
        """Return the digest of all that was fed, or nothing; nothing can be fed after."""


class NoDigest:
    """Lends the same buffer again and again, and has no digest of it: the disc's own is taken when it is read back."""

    def __init__(self, size: int) -> None:
        self._buffer = memoryview(bytearray(size))

    def buffer(self) -> memoryview:
        """Lend the buffer."""
        return self._buffer

    def take(self, buffer: memoryview, fed: int) -> None:
        """Hear what is not hashed."""

    def result(self) -> str:
        """Return nothing."""
        return ""


class FedDigest:
    """Lends buffers, and hashes what was fed from each in a thread of its own, in order."""

    def __init__(self, size: int) -> None:
        self._free: SimpleQueue[memoryview] = SimpleQueue()
        self._fed: SimpleQueue[tuple[memoryview, int] | None] = SimpleQueue()
        self._digest = hashlib.sha256()
        self._thread = threading.Thread(target=self._run, name="digest", daemon=True)
        for _ in range(_BUFFERS):
            self._free.put(memoryview(bytearray(size)))
        self._thread.start()

    def buffer(self) -> memoryview:
        """Lend a buffer of `size` bytes; `take` gives it back."""
        return self._free.get()

    def take(self, buffer: memoryview, fed: int) -> None:
        """Hash the first `fed` bytes of a lent buffer."""
        self._fed.put((buffer, fed))

    def result(self) -> str:
        """Return the digest of all that was taken; nothing can be taken after."""
        self._fed.put(None)
        self._thread.join()
        return self._digest.hexdigest()

    def _run(self) -> None:
        while (item := self._fed.get()) is not None:
            buffer, fed = item
            self._digest.update(buffer[:fed])
            self._free.put(buffer)
