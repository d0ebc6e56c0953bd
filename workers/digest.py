"""SHA-256 of what is fed to a drive, taken beside the feeding: hashing costs twice as much as reading and writing."""

import hashlib
import threading
from queue import SimpleQueue

#: Buffers on their way: one is filled and fed while others are hashed.
_BUFFERS = 4


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
