"""A modelled drive for tests: real burn programs reach it through the shim, our own SG_IO layer directly."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jobs.errors import RecorderMissing
from jobs.mastering.medium import MediumKind
from workers.mmc.drive import Drive
from workers.mmc.faults import parse_fault
from workers.mmc.mechanism import Unplugged
from workers.mmc.medium import Medium
from workers.mmc.refusals import fixed_sense
from workers.mmc.server import DriveServer
from workers.mmc.shelf import Shelf
from workers.mmc.shim import environment
from workers.recorders.scsi import Answer, Command, ScsiDevice
from workers.recorders.scsi_drive import ScsiDrive
from workers.recorders.scsi_sense import parse_sense

#: Where real recorders' locks are.
LOCKS = Path("/run/lock/discmill" if Path("/run/lock").is_dir() else "/tmp/discmill")  # noqa: S108
#: The device file that programs see, and seconds that one may take.
NODE, DEADLINE = "/dev/sr0", 90.0


class Direct:
    """Carries commands to a modelled drive in this process."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive

    def execute(self, command: Command) -> Answer:
        try:
            reply = self._drive.execute(command.cdb, command.send)
        except Unplugged:
            raise RecorderMissing("the modelled drive is unplugged") from None
        if reply.sense is not None:
            return Answer(b"", parse_sense(fixed_sense(reply.sense)))
        return Answer(reply.data[: command.receive])

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        return self.out + self.err


@dataclass
class ScsiRig:
    """A drive, its shelf of blanks, and the environment in which programs find it at `NODE`."""

    drive: Drive
    shelf: Shelf
    variables: dict[str, str]
    folder: Path
    running: list["subprocess.Popen[str]"] = field(default_factory=list)

    @property
    def scsi(self) -> ScsiDrive:
        return ScsiDrive(ScsiDevice(Direct(self.drive)))

    def insert(self, kind: MediumKind, capacity: int | None = None) -> Medium:
        medium = self.shelf.blank(kind, capacity)
        self.drive.mechanism.insert(medium)
        return medium

    def reload(self, medium: Medium) -> None:
        self.drive.mechanism.insert(medium)

    def fault(self, *specs: str) -> None:
        self.drive.mechanism.script(*map(parse_fault, specs))

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.variables, "LC_ALL": "C"}

    def start_talking(self, *command: str) -> "subprocess.Popen[str]":
        """Start a program that lives until its input ends, and wait for its first line."""
        program = self.start(*command, stdin=subprocess.PIPE)
        assert program.stdout is not None
        assert program.stdout.readline(), ended(program).err
        return program

    def start(
        self, *command: str, stdin: int = subprocess.DEVNULL, folder: Path | None = None
    ) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        program = subprocess.Popen(
            command,
            env=self.environment,
            cwd=folder or self.folder,
            stdin=stdin,
            stdout=pipe,
            stderr=pipe,
            text=True,
        )
        self.running.append(program)
        return program

    def run(self, *command: str) -> Ran:
        return ended(self.start(*command))

    def read(self, size: int, first: int = 0) -> bytes:
        return b"".join(self.scsi.read(first, size))

    def read_audio(self, size: int, first: int = 0) -> bytes:
        return b"".join(self.scsi.read_audio(first, size))


def ended(program: "subprocess.Popen[str]") -> Ran:
    out, err = program.communicate(timeout=DEADLINE)
    return Ran(program.returncode, out, err)


def forget_locks(drive: Drive) -> None:
    """Remove what a real recorder's driver keeps of a drive on this host."""
    for locks in LOCKS.glob(f"*{drive.serial}"):
        shutil.rmtree(locks)


@contextmanager
def scsi_rig(shim: Path, folder: Path, rate: float | None = None) -> Iterator[ScsiRig]:
    """Serve a drive; programs that still run at the end are killed, by their ids."""
    drive = Drive(f"MM{secrets.token_hex(4).upper()}", rate)  # drives are told apart, and locked, by their serials
    socket = folder / "drive"
    with DriveServer(drive, socket), Shelf(folder / "media") as shelf:
        rig = ScsiRig(drive, shelf, environment(shim, {NODE: socket}), folder)
        try:
            yield rig
        finally:
            drive.mechanism.script()
            forget_locks(drive)
            for program in rig.running:
                if program.poll() is None:
                    program.kill()
                    program.communicate()
