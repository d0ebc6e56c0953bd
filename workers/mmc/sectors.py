"""Where a modelled medium's blocks are: one sparse file, a slot a block."""

import os
from pathlib import Path
from typing import Protocol

#: Blocks before block 0 that a CD has room for: the first pregap (MSF 00:00:00 to 00:02:00).
PREGAP = 150


class Store(Protocol):
    """Keeps blocks by their address."""

    def write(self, first: int, data: bytes, size: int) -> None:
        """Keep blocks of `size` bytes."""

    def read(self, first: int, count: int, size: int) -> bytes:
        """Return blocks, `size` bytes of each; zeros where nothing was written."""

    def erase(self) -> None:
        """Forget all of them."""


class SectorFile:
    """Blocks in a file. A CD's slots hold 2352 bytes, whatever its tracks use of them; others hold 2048."""

    def __init__(self, path: Path, slot: int) -> None:
        self.path = path
        self._slot = slot
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, first: int, data: bytes, size: int) -> None:
        """Keep blocks of `size` bytes."""
        if size != self._slot:
            pad = bytes(self._slot - size)
            data = b"".join(data[at : at + size] + pad for at in range(0, len(data), size))
        os.pwrite(self._handle, data, (first + PREGAP) * self._slot)

    def read(self, first: int, count: int, size: int) -> bytes:
        """Return blocks, `size` bytes of each; zeros where nothing was written."""
        length = count * self._slot
        data = os.pread(self._handle, length, (first + PREGAP) * self._slot).ljust(length, b"\0")
        if size == self._slot:
            return data
        return b"".join(data[at : at + size] for at in range(0, length, self._slot))

    def erase(self) -> None:
        """Forget all of them."""
        os.ftruncate(self._handle, 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._handle)


class NoSectors:
    """Keeps nothing: what a simulated burn writes to."""

    def write(self, first: int, data: bytes, size: int) -> None:
        """Forget them at once."""

    def read(self, first: int, count: int, size: int) -> bytes:  # noqa: ARG002  (the protocol's)
        """Return zeros."""
        return bytes(count * size)

    def erase(self) -> None:
        """There is nothing to forget."""
