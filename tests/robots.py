"""A modelled robot for tests: a changer around modelled drives, moved by the real `mtx`."""

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import MediumMissing
from jobs.mastering.medium import MediumInfo, MediumKind
from tests.scsi_rig import LOCKS, Direct, forget_locks
from workers.loaders.changer import Changer, Rig
from workers.loaders.changer_uri import Shelving
from workers.loaders.mtx import Mtx
from workers.loaders.robot_journal import Journal
from workers.mmc import changer as smc
from workers.mmc.drive import Drive
from workers.mmc.medium import Medium
from workers.mmc.server import DriveServer
from workers.mmc.shelf import Shelf
from workers.mmc.shim import environment
from workers.recorders.scsi import ScsiDevice, Transport
from workers.recorders.scsi_drive import ScsiDrive

if TYPE_CHECKING:  # processes that are started to be killed want to start soon
    import pytest

CD, DVD = MediumKind.CD_R, MediumKind.DVD_R
CHANGER = Path("/dev/sg2")
NODES = ("/dev/sr0", "/dev/sr1")
#: Slots 1 to 6 for blanks, 7 to 9 for good discs, 10 for others; slot 11 is a port.
SLOTS, PORTS = 10, 1
INPUTS = {1: CD, 2: CD, 3: CD, 4: DVD, 5: DVD, 6: DVD}
ACCEPT, REJECT = (7, 8, 9), (10,)


class ServedDrive:
    """A drive as a changer needs it, over a transport."""

    def __init__(self, transport: Transport) -> None:
        self._drive = ScsiDrive(ScsiDevice(transport))

    def probe(self) -> MediumInfo | None:
        return self._drive.medium()

    def eject(self) -> None:
        self._drive.open_tray()

    def load(self) -> None:
        with contextlib.suppress(MediumMissing):
            self._drive.close_tray()


@dataclass
class ModelledRobot:
    """A changer, its drives, and what they are moved with."""

    changer: smc.Changer
    drives: list[Drive]
    shelf: Shelf
    folder: Path
    variables: dict[str, str]

    def fill(self, **kinds: MediumKind) -> list[Medium]:
        """Put blanks into slots, named `s1`, `s2`…"""
        media = {int(name[1:]): self.shelf.blank(kind) for name, kind in kinds.items()}
        for slot, medium in media.items():
            self.changer.put(slot, medium)
        return list(media.values())

    def shelving(self, drive: int = 0) -> Shelving:
        return Shelving(str(CHANGER), drive, dict(INPUTS), ACCEPT, REJECT)

    def journal(self) -> Journal:
        return Journal(self.folder / "robot")

    @property
    def lock(self) -> Path:
        return self.folder / "robot.lock"

    def loader(self, drive: int = 0, *, patience: float | None = None, wait: float = 20.0) -> Changer:
        rig = Rig("the robot", Mtx(lambda: CHANGER, patience), self.journal(), self.lock)
        return Changer(ServedDrive(Direct(self.drives[drive])), self.shelving(drive), rig, wait)

    def where(self, medium: Medium) -> Sequence[str]:
        """List the places that a medium is in: one, if nothing is wrong."""
        contents = self.changer.contents
        slots = {f"slot {number}": place.disc for number, place in enumerate([*contents.slots, *contents.ports], 1)}
        drives = {f"drive {number}": drive.mechanism.loaded for number, drive in enumerate(self.drives)}
        places = {**slots, **drives, "arm": contents.arm.disc}
        return [place for place, disc in places.items() if disc is medium]

    def in_slots(self, slots: Sequence[int]) -> list[Medium]:
        return [disc for slot in slots if (disc := self.changer.place(slot).disc) is not None]

    def moves(self) -> Counter[int]:
        """Count the moves that the changer was asked for, by the address they start at."""
        return Counter(int.from_bytes(cdb[4:6], "big") for cdb in self.changer.history if cdb[0] == 0xA5)


@contextmanager
def modelled_robot(shim: Path, folder: Path, monkeypatch: "pytest.MonkeyPatch") -> Iterator[ModelledRobot]:
    """Serve a robot with two drives; programs started meanwhile find them as device files."""
    with ExitStack() as stack:
        drives = [Drive(f"MM{secrets.token_hex(4).upper()}") for _ in NODES]
        changer = smc.Changer(f"MC{secrets.token_hex(4).upper()}", drives, SLOTS, PORTS)
        sockets = {str(CHANGER): stack.enter_context(DriveServer(changer, folder / "c")).path}
        for number, (node, drive) in enumerate(zip(NODES, drives, strict=True)):
            stack.callback(forget_locks, drive)
            sockets[node] = stack.enter_context(DriveServer(drive, folder / f"d{number}")).path
        stack.callback(_forget_locks, changer)
        variables = environment(shim, sockets)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        shelf = stack.enter_context(Shelf(folder / "media"))
        yield ModelledRobot(changer, drives, shelf, folder, variables)


def _forget_locks(changer: smc.Changer) -> None:
    for folder in LOCKS.glob(f"*{changer.serial}"):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
