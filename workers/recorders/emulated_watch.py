"""The emulated drive's state during a burn or a reading: faults are scripted and plugs pulled meanwhile."""

import time
from collections.abc import Iterable

from jobs.errors import MediumMissing, RecorderMissing
from workers.recorders.emulated_faults import Fault, FaultName, parse_fault
from workers.recorders.emulated_state import DriveFolder

#: Seconds between two looks.
LOOK = 0.05


class Watch:
    """What somebody does to the drive while one of its media is in use, and the faults that bite it."""

    def __init__(self, folder: DriveFolder, medium: str) -> None:
        self._folder = folder
        self._medium = medium
        self._looked = 0.0
        self._faults: list[Fault] = []

    def look_now_and_then(self) -> None:
        """Look, unless that was a moment ago."""
        if time.monotonic() - self._looked >= LOOK:
            self.look()

    def look(self) -> None:
        """Learn what is so now.

        Raises:
            RecorderMissing: the drive is unplugged.
            MediumMissing: the medium is gone.
        """
        self._looked = time.monotonic()
        state = self._folder.read()
        state.check_plugged()
        if state.medium != self._medium:
            raise MediumMissing("the medium was taken out")
        self._faults = [fault for fault in map(parse_fault, state.faults) if fault.bites(state.discs)]

    def bites(self, name: FaultName) -> bool:
        """Say whether a fault of this name waits for the medium, at whatever block."""
        return any(fault.name is name for fault in self._faults)

    def blocks(self, names: Iterable[FaultName], first: int, end: int) -> list[int]:
        """List the blocks from `first` up to `end` at which a fault of these names waits."""
        return [
            fault.block
            for fault in self._faults
            if fault.name in names and fault.block is not None and first <= fault.block < end
        ]

    def unplug(self) -> None:
        """Make the drive vanish.

        Raises:
            RecorderMissing: always.
        """
        with self._folder.change() as state:
            state.unplugged = True
        raise RecorderMissing("the emulated drive was unplugged")
