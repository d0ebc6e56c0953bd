"""What an emulated drive knows: `drive.json` in its folder, changed under a lock by whoever acts on the drive."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from jobs.errors import RecorderMissing
from workers.durable import write_durably
from workers.recorders.emulated_medium import MediumFolder

STATE = "drive.json"


@dataclass(slots=True)
class Leaving:
    """A medium on its way out: files to rename, from where to where; then its folder goes."""

    medium: str
    moves: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class State:
    """All of it. `feed` and `script` are what the URI last said; `left` and `faults` are what became of them.

    `changes` counts media changes, `discs` the discs loaded; `medium` is the id of the one in the tray.
    """

    serial: str
    changes: int = 0
    discs: int = 0
    medium: str | None = None
    from_feeder: bool = False
    unplugged: bool = False
    feed: str | None = None
    left: dict[str, int | None] = field(default_factory=dict)
    script: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    leaving: Leaving | None = None

    @property
    def load(self) -> str:
        """The identity of the last media change."""
        return f"{self.serial}-{self.changes}"

    def check_plugged(self) -> None:
        """Refuse while the drive is unplugged.

        Raises:
            RecorderMissing: it is.
        """
        if self.unplugged:
            raise RecorderMissing("the emulated drive is unplugged")


class DriveFolder:
    """The folder that an emulated drive is made of."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def state_file(self) -> Path:
        """The file of the state; replaced whenever anything changes."""
        return self.path / STATE

    @property
    def drive_lock(self) -> Path:
        """The lock of a burn or another use of the medium."""
        return self.path / "locks" / "drive"

    def medium(self, medium_id: str) -> MediumFolder:
        """Return the folder of a medium that is in the drive."""
        return MediumFolder(self.path / "media" / medium_id)

    def create(self) -> None:
        """Make the drive if it is not there; its serial number is minted once."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not self.state_file.exists():
                self._save(State(f"EM{secrets.token_hex(4).upper()}"))

    def read(self) -> State:
        """Read the state without waiting for anybody.

        Raises:
            RecorderMissing: there is no drive.
        """
        try:
            facts = json.loads(self.state_file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RecorderMissing(f"{self.path} holds no emulated drive") from error
        leaving = facts["leaving"]
        return State(**{**facts, "leaving": None if leaving is None else Leaving(**leaving)})

    @contextlib.contextmanager
    def change(self) -> Iterator[State]:
        """Give the state to look at and to change, alone; what was changed is kept unless something is raised.

        Raises:
            RecorderMissing: there is no drive.
        """
        with self._locked():
            before, state = self.read(), self.read()
            self._move_out(state)
            yield state
            if state != before:
                self._save(state)
            self._move_out(state)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError as error:
            raise RecorderMissing(f"{self.path} holds no emulated drive") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _save(self, state: State) -> None:
        write_durably(self.state_file, json.dumps(asdict(state), indent=1) + "\n")

    def _move_out(self, state: State) -> None:
        """Finish what is leaving; the state says so first, so a process that dies in between loses no disc."""
        if state.leaving is None:
            return
        for source, target in state.leaving.moves:
            if Path(source).exists():
                Path(source).rename(target)
        shutil.rmtree(self.medium(state.leaving.medium).path, ignore_errors=True)
        state.leaving = None
