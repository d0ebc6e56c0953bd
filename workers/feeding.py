"""Feeds an image to a drive: hashed on its way, or unseen where reading the disc back will be the proof."""

from collections.abc import Callable
from typing import TypeVar

from jobs.errors import WriteFailed
from jobs.mastering.image import CHUNK_BLOCKS, ImageReader
from workers.digest import FedDigest
from workers.sink import Sink

T = TypeVar("T")

#: Bytes read at a time, at most, where they are hashed in another thread.
_STRIDE = 1 << 20
#: Chunks fed at a time where nobody looks at them.
_CHUNKS = 2


class Feeder:
    """Feeds an image from its beginning; `before` and `after` are called around each piece."""

    def __init__(self, reader: ImageReader, sink: Sink, before: Callable[[], None], after: Callable[[], None]) -> None:
        self._reader = reader
        self._sink = sink
        self._before = before
        self._after = after
        self._chunk = CHUNK_BLOCKS * reader.image.block_size

    def feed_hashed(self, digest: FedDigest) -> None:
        """Feed all of it; a digest hears what was fed, also when that ends early.

        Raises:
            DiscError: what happened.
        """
        size = self._reader.image.size
        while self._sink.written < size:
            position, buffer = self._sink.written, digest.buffer()
            part = buffer[: min(len(buffer), size - position)]
            self._reader.readinto(position, part)
            try:
                for start in range(0, len(part), self._chunk):
                    self._step(self._sink.write, part[start : start + self._chunk])
            finally:
                digest.take(buffer, self._sink.written - position)

    def feed_unseen(self) -> None:
        """Feed all of it; what lies in files goes from file to drive without a look where the system can do that.

        Raises:
            DiscError: what happened.
        """
        piece = _CHUNKS * self._chunk
        buffer = memoryview(bytearray(piece))
        size = self._reader.image.size
        while self._sink.written < size:
            position = self._sink.written
            run = self._reader.run_at(position)
            if run is not None:
                for start in range(0, run.length, piece):
                    self._step(self._sink.write_file, run.part(start, piece))
                continue
            part = buffer[: min(piece, size - position)]
            self._reader.readinto(position, part)
            self._step(self._sink.write, part)

    def _step(self, write: Callable[[T], None], piece: T) -> None:
        self._before()
        try:
            write(piece)
        except OSError as error:
            raise WriteFailed(f"block {self._sink.block} can't be written: {error.strerror}") from error
        self._after()


def new_digest(block_size: int) -> FedDigest:
    """Make a digest with buffers of whole chunks."""
    return FedDigest(_STRIDE - _STRIDE % (CHUNK_BLOCKS * block_size))
