"""Reading an emulated medium back, with the faults that reading has."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from jobs.errors import MediumDiffers
from jobs.mastering.medium import BLOCK
from workers.recorders.emulated_faults import FaultName
from workers.recorders.emulated_medium import MediumFolder, Session
from workers.recorders.emulated_watch import Watch
from workers.recorders.throttle import Throttle

#: Bytes a piece, at most; and the seconds that one takes, at most.
_PIECE, _SECONDS = 1 << 20, 0.2


@dataclass(frozen=True, slots=True)
class Reading:
    """A session on its way back: the medium it lies on, who watches the drive, bytes a second.

    Bytes come `late` by so many: what is asked for before the session's first or behind its last byte is zeros.
    """

    medium: MediumFolder
    session: Session
    watch: Watch
    rate: float | None
    late: int = 0

    def pieces(self, size: int) -> Iterator[bytes]:
        """Yield the first `size` bytes, in order.

        Raises:
            MediumDiffers: a block can't be read, or the session ends.
            RecorderMissing, MediumMissing: the drive or the disc was taken away meanwhile.
        """
        throttle = Throttle(self.rate, time.sleep)
        with self.medium.data.open("rb") as data:
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
        piece = self._read(data, done, min(size, (bad - first) * block_size))
        if not piece:
            raise MediumDiffers(f"block {first} can't be read")
        flips = self.watch.blocks((FaultName.READ_FLIP,), first, bad)
        return _flipped(piece, [(block - first) * block_size for block in flips]) if flips else piece

    def _read(self, data: BinaryIO, done: int, size: int) -> bytes:
        """Read bytes of the session as the drive's offset has them."""
        first, end = done - self.late, done - self.late + size
        data.seek(self.session.offset + max(0, first))
        found = data.read(max(0, min(end, self.session.size) - max(0, first)))
        if not self.late:
            return found
        before = bytes(min(size, max(0, -first)))
        return (before + found).ljust(size, b"\0")


def read_blocks(medium: MediumFolder, sessions: tuple[Session, ...], watch: Watch, blocks: range) -> bytes:
    """Read data blocks of whatever session; fewer where what is written ends.

    Raises:
        MediumDiffers: the first block was never written, holds audio, or one can't be read.
    """
    found = bytearray()
    with medium.data.open("rb") as data:
        for session in sessions:
            here = blocks.start + len(found) // BLOCK
            if here < blocks.stop and session.first <= here <= session.last and not session.is_audio:
                data.seek(here * BLOCK)
                found += data.read((min(blocks.stop, session.last + 1) - here) * BLOCK)
    end = blocks.start + len(found) // BLOCK
    bad = watch.blocks((FaultName.READ_ERROR,), blocks.start, end)
    if bad or not found:
        raise MediumDiffers(f"block {min(bad, default=blocks.start)} can't be read")
    flips = watch.blocks((FaultName.READ_FLIP,), blocks.start, end)
    return _flipped(bytes(found), [(block - blocks.start) * BLOCK for block in flips])


def _flipped(piece: bytes, places: list[int]) -> bytes:
    wrong = bytearray(piece)
    for place in places:
        wrong[place] ^= 1
    return bytes(wrong)
