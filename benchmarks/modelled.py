"""A modelled drive, and the driver of real recorders at it in a process of its own, loaded with the shim.

`python -m benchmarks.modelled MASTER EVIDENCE burn|burn-hashed|read` prints what it took as one JSON document.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.images import order_of
from benchmarks.measuring import seconds
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import Family, MediumInfo, MediumKind
from jobs.mastering.progress import ProgressEvent
from jobs.mastering.verification import compare
from workers.mmc.drive import Drive
from workers.mmc.server import DriveServer
from workers.mmc.shelf import Shelf
from workers.mmc.shim import build_shim, environment
from workers.recorders import open_device

NODE = "/dev/sr0"
_PROJECT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of the wall clock, and of processors."""

    wall: float
    cpu: float


class Silence:
    """A listener with nothing to say."""

    def notify(self, event: ProgressEvent) -> None:
        """Hear an event."""

    def query_cancel(self) -> bool:
        """Never cancel."""
        return False


@dataclass(frozen=True, slots=True)
class ModelledDrive:
    """A drive that programs with its environment find at `NODE`."""

    drive: Drive
    shelf: Shelf
    environment: dict[str, str]

    def load(self) -> None:
        """Put a blank in; what was burnt before is thrown away."""
        for old in self.shelf.folder.glob("*.sectors"):
            old.unlink()
        self.drive.mechanism.insert(self.shelf.blank(MediumKind.BD_R))

    def run(self, what: str, master: StoredMaster, evidence: Path) -> Took:
        """Let the driver burn or read a master in a process of its own."""
        command = [sys.executable, "-m", "benchmarks.modelled", str(master.folder), str(evidence), what]
        told = subprocess.run(command, env=self.environment, cwd=_PROJECT, stdout=subprocess.PIPE, check=True)
        return Took(**json.loads(told.stdout))


@contextmanager
def modelled_drive(folder: Path) -> Iterator[ModelledDrive]:
    """Serve a drive in threads of this process, as fast as it can."""
    drive = Drive("BENCH")
    library = build_shim(folder)
    with DriveServer(drive, folder / "drive"), Shelf(folder / "media") as shelf:
        yield ModelledDrive(drive, shelf, {**os.environ, **environment(library, {NODE: folder / "drive"})})


def cpu(who: int = resource.RUSAGE_CHILDREN) -> float:
    """Return the processors' seconds of programs that ended, with those that they started; or of this process."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def _permit(_: MediumInfo) -> None:
    """Permit any medium."""


def _burn(master: StoredMaster, evidence: Path, *, digest: bool) -> Took:
    device, order = open_device(f"scsi:{NODE}"), order_of(master, evidence, digest=digest)
    before = cpu()
    wall = seconds(lambda: device.recorder.record(order, Silence(), _permit))
    return Took(wall, cpu() - before)


def _read(master: StoredMaster) -> Took:
    device, before = open_device(f"scsi:{NODE}"), cpu(resource.RUSAGE_SELF)

    def verify() -> None:
        if not compare(device.recorder.read_back(master.size), master, Silence(), Family.BD).equal:
            raise RuntimeError("the modelled drive reads something else than was burnt")

    wall = seconds(verify)
    return Took(wall, cpu(resource.RUSAGE_SELF) - before)


def main(folder: str, evidence: str, what: str) -> None:
    """Do it, and print what it took."""
    master = StoredMaster(Path(folder))
    took = _read(master) if what == "read" else _burn(master, Path(evidence), digest=what == "burn-hashed")
    print(json.dumps({"wall": took.wall, "cpu": took.cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
