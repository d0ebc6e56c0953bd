"""A file that is written in order and put on the disk as it grows, so that its last fsync is short."""

import contextlib
import os
import threading
from pathlib import Path
from queue import SimpleQueue

#: Bytes between two flushes.
_STEP = 1 << 27
_FLUSH, _STOP = "flush", "stop"


class FlushedFile:
    """A file being written from an offset on; what it held from there is cut off first."""

    def __init__(self, path: Path, offset: int) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.ftruncate(self._handle, offset)
        os.lseek(self._handle, offset, os.SEEK_SET)
        self._unflushed = 0
        self._wanted: SimpleQueue[str] = SimpleQueue()
        self._thread = threading.Thread(target=self._flush, name="flush", daemon=True)
        self._thread.start()

    def write(self, data: memoryview | bytearray) -> None:
        """Write all of it.

        Raises:
            OSError: the file system refuses.
        """
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        self._unflushed += len(data)
        if self._unflushed >= _STEP and self._wanted.empty():
            self._unflushed = 0
            self._wanted.put(_FLUSH)

    def close(self) -> None:
        """Close the file; all of it is on the disk.

        Raises:
            OSError: the file system refuses.
        """
        self._stop()
        try:
            os.fsync(self._handle)
        finally:
            os.close(self._handle)

    def abandon(self) -> None:
        """Close the file, whatever has reached the disk."""
        self._stop()
        os.close(self._handle)

    def _stop(self) -> None:
        self._wanted.put(_STOP)
        self._thread.join()

    def _flush(self) -> None:
        while self._wanted.get() is _FLUSH:
            with contextlib.suppress(OSError):  # the fsync that ends the file tells
                os.fdatasync(self._handle)
