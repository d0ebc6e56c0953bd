"""A file that is written in order and put on the disk as it grows, so that its last fsync is short.

Zeros become holes: what is read back is the same, and what is only padding, or a source's own hole, takes no room.
"""

import contextlib
import os
import threading
from pathlib import Path
from queue import SimpleQueue

#: Bytes between two flushes.
_STEP = 1 << 27
_FLUSH, _STOP = "flush", "stop"
#: As much as is looked at at a time.
_ZEROS = bytes(1 << 16)


class FlushedFile:
    """A file being written from an offset on; what it held from there is cut off first."""

    def __init__(self, path: Path, offset: int) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.ftruncate(self._handle, offset)
        os.lseek(self._handle, offset, os.SEEK_SET)
        self._size = offset
        self._unflushed = 0
        self._wanted: SimpleQueue[str] = SimpleQueue()
        self._thread = threading.Thread(target=self._flush, name="flush", daemon=True)
        self._thread.start()

    def write(self, data: memoryview | bytearray) -> None:
        """Write all of it.

        Raises:
            OSError: the file system refuses.
        """
        for start in range(0, len(data), len(_ZEROS)):
            self._put(memoryview(data)[start : start + len(_ZEROS)])
        if self._unflushed >= _STEP and self._wanted.empty():
            self._unflushed = 0
            self._wanted.put(_FLUSH)

    def _put(self, piece: memoryview) -> None:
        self._size += len(piece)
        if not piece[0] and bytes(piece) == _ZEROS[: len(piece)]:
            os.ftruncate(self._handle, self._size)
            os.lseek(self._handle, self._size, os.SEEK_SET)
            return
        self._unflushed += len(piece)
        while piece:
            piece = piece[os.write(self._handle, piece) :]

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
