"""Reading an emulated medium back, with the faults that reading has."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from jobs.errors import MediumDiffers
from workers.recorders.emulated_faults import FaultName
from workers.recorders.emulated_medium import MediumFolder, Session
from workers.recorders.emulated_watch import Watch
from workers.recorders.throttle import Throttle

#: Bytes a piece, at most; and the seconds that one takes, at most.
_PIECE, _SECONDS = 1 << 20, 0.2


@dataclass(frozen=True, slots=True)
class Reading:
    """A session on its way back: the medium it lies on, who watches the drive, bytes a second."""

    medium: MediumFolder
    session: Session
    watch: Watch
    rate: float | None

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the first `size` bytes, in order.

        Raises:
            MediumDiffers: a block can't be read, or the session ends.
            RecorderMissing, MediumMissing: the drive or the disc was taken away meanwhile.
        """
        throttle = Throttle(self.rate, time.sleep)
        with self.medium.data.open("rb") as data:
            data.seek(self.session.offset)
            done = 0
            while done < size:
                self.watch.look_now_and_then()
                piece = self._piece(data, done, min(self._step, size - done, self.session.size - done))
                done += len(piece)
                throttle.pace(len(piece))
                yield piece

    @property
    def _step(self) -> int:
        """Bytes a piece: whole blocks, fewer where the drive is slow."""
        blocks = _PIECE // self.session.block_size
        if self.rate is not None:
            blocks = min(blocks, int(self.rate * _SECONDS) // self.session.block_size)
        return max(1, blocks) * self.session.block_size

    def _piece(self, data: BinaryIO, done: int, size: int) -> bytes:
        """Read the next bytes, up to the first block that can't be read."""
        block_size = self.session.block_size
        first = self.session.first + done // block_size
        end = first - (-size // block_size)
        bad = min(self.watch.blocks((FaultName.READ_ERROR,), first, end), default=end)
        piece = data.read(min(size, (bad - first) * block_size))
        if not piece:
            raise MediumDiffers(f"block {first} can't be read")
        flips = self.watch.blocks((FaultName.READ_FLIP,), first, bad)
        return _flipped(piece, [(block - first) * block_size for block in flips]) if flips else piece


def _flipped(piece: bytes, places: list[int]) -> bytes:
    wrong = bytearray(piece)
    for place in places:
        wrong[place] ^= 1
    return bytes(wrong)
