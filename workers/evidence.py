"""The files of one burn: what was planned, how far it is, and proof of what was done, whoever died meanwhile.

| file | written by | |
|---|---|---|
| `plan.json` | the worker, durably, before the burner starts | all the burner is told |
| `evidence.jsonl` | the burner, each line on the disk before it goes on | what became of the burn |
| `progress.jsonl` | the burner, a few lines a second | what the worker's listeners hear |
| `burner.log` | the burner and its burn program | what they print |
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jobs.errors import DiscError
from workers.durable import open_to_append, sync_folder, write_durably
from workers.failure import Failure

PLAN, EVIDENCE, PROGRESS, LOG = "plan.json", "evidence.jsonl", "progress.jsonl", "burner.log"
#: The samples of an audio burn, for burn programs that read a file: up to 800 MB, of no use once it is over.
SAMPLES = "disc.bin"
#: Bytes kept for a burn's evidence; all of its lines take a few hundred, and a message with a long path some more.
_ROOM = 1 << 14


@dataclass(frozen=True, slots=True)
class Plan:
    """All a burner is told.

    `image` is a saved `ExtentMap`, `size` its bytes, `sha256` the digest of all of them. `lock` is the descriptor of
    the drive's lock, known in the burner alone. `digest` says whether what is fed is hashed. `speed_1x` is bytes a
    second at 1x. `sink` says what to write to: its `type`, and what that needs. `start`, `leave_open` and
    `guard_underrun` are the order's; `programme` is that of an audio disc as canonical text, empty for data.
    """

    image: str
    size: int
    block_size: int
    sha256: str
    label: str
    simulate: bool
    speed_1x: int
    sink: dict[str, Any]
    start: int = 0
    leave_open: bool = False
    programme: str = ""
    guard_underrun: bool = True
    digest: bool = True
    lock: int = -1

    @property
    def blocks(self) -> int:
        """Blocks to burn."""
        return -(-self.size // self.block_size)


def write_plan(folder: Path, plan: Plan) -> Path:
    """Put a plan on the disk; return its file."""
    path = folder / PLAN
    write_durably(path, json.dumps(asdict(plan), indent=1) + "\n")
    return path


def read_plan(path: Path) -> Plan:
    """Read what `write_plan` wrote.

    Raises:
        OSError: there is none.
        ValueError: it is not a plan.
    """
    try:
        return Plan(**json.loads(path.read_text(encoding="utf-8", errors="surrogateescape")))
    except TypeError as error:
        message = f"{path} is not a plan: {error}"
        raise ValueError(message) from error


class EvidenceWriter:
    """Writes a burn's evidence line by line; each is on the disk when its method returns. One a burn, ever.

    Room for all of it is taken before anything is written: a disk that fills up meanwhile spoils no disc.

    Raises:
        FileExistsError: the burn was begun before.
        OSError: the disk has no room.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / EVIDENCE
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        os.posix_fallocate(self._handle, 0, _ROOM)
        sync_folder(folder)
        self._end = 0

    def started(self) -> None:
        """Say that the burner runs; nothing is written yet."""
        self._tell("started", pid=os.getpid(), clock=boot_clock())

    def opened(self, block: int) -> None:
        """Announce the first byte: from here the medium may be written from `block` on."""
        self._tell("opened", block=block, clock=boot_clock())

    def fed(self, size: int, sha256: str) -> None:
        """Say how many bytes the drive was given, and their digest; empty where none was taken."""
        self._tell("fed", bytes=size, sha256=sha256)

    def closed(self) -> None:
        """Say that the session is closed and on the medium."""
        self._tell("closed", clock=boot_clock())

    def failed(self, error: DiscError, block: int) -> None:
        """Say what went wrong, at which block of the medium."""
        self._tell("failed", **asdict(Failure.of(error, block)))

    def cancelled(self, block: int) -> None:
        """Say that somebody called the burn off, before which block."""
        self._tell("cancelled", block=block)

    def ended(self, exit_code: int) -> None:
        """Say that the burner is done."""
        self._tell("ended", exit_code=exit_code, clock=boot_clock())
        os.ftruncate(self._handle, self._end)

    def _tell(self, event: str, **facts: object) -> None:
        line = f"{json.dumps({'event': event, **facts})}\n".encode(errors="surrogateescape")
        while line:
            written = os.pwrite(self._handle, line, self._end)
            line, self._end = line[written:], self._end + written
        os.fsync(self._handle)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a burn from its files alone; a missing file proves that its step was not reached."""

    plan: Plan | None = None
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def started(self) -> bool:
        """True if a burner ran."""
        return "started" in self.facts

    @property
    def pid(self) -> int | None:
        """The burner's process id."""
        return self.facts.get("started", {}).get("pid")

    @property
    def wrote(self) -> bool:
        """True if a byte may have been written."""
        return "opened" in self.facts

    @property
    def wrote_nothing(self) -> bool:
        """True if the burner lived to say that it ended before its first byte: proof, also of a disc out of sight."""
        return self.ended and not self.wrote

    @property
    def bytes_fed(self) -> int:
        """Bytes the drive was given, as far as the burner lived to tell."""
        return int(self.facts.get("fed", {}).get("bytes", 0))

    @property
    def sha256_fed(self) -> str:
        """The digest of those bytes; empty if none was taken, or the burner did not live to tell."""
        return str(self.facts.get("fed", {}).get("sha256", ""))

    @property
    def fed_all(self) -> bool:
        """True if the drive was given exactly what was planned; whether it was the right bytes only a digest tells."""
        plan = self.plan
        if plan is None or "fed" not in self.facts:
            return False
        return (self.bytes_fed, self.sha256_fed) == (plan.size, plan.sha256 if plan.digest else "")

    @property
    def closed(self) -> bool:
        """True if the session was closed."""
        return "closed" in self.facts

    @property
    def seconds(self) -> float | None:
        """Seconds from the first byte to the closed session, by the burner's clock; None if it did not get there."""
        clocks = [self.facts.get(event, {}).get("clock") for event in ("opened", "closed")]
        first, last = (float(clock) if isinstance(clock, int | float) else None for clock in clocks)
        return None if first is None or last is None else last - first

    @property
    def failure(self) -> Failure | None:
        """What went wrong, if the burner lived to tell."""
        facts = self.facts.get("failed")
        return None if facts is None else Failure(**{key: facts[key] for key in facts if key != "event"})

    @property
    def cancelled(self) -> bool:
        """True if the burner stopped because it was told to."""
        return "cancelled" in self.facts

    @property
    def ended(self) -> bool:
        """True if the burner came to its own end, good or bad."""
        return "ended" in self.facts


def read_evidence(folder: Path) -> Evidence:
    """Read the files of a burn, as they are right now."""
    try:
        plan = read_plan(folder / PLAN)
    except (OSError, ValueError):
        plan = None
    facts = {str(line["event"]): line for line in LineTail(folder / EVIDENCE).read() if "event" in line}
    return Evidence(plan, facts)


class ProgressWriter:
    """Appends to a burn's progress. Nothing depends on it, so it is not forced to the disk."""

    def __init__(self, folder: Path) -> None:
        self._handle = open_to_append(folder / PROGRESS)

    def phase(self, name: str, **facts: object) -> None:
        """Say what is done now: "preparing", "writing", "closing" or "tracing"."""
        self._tell({"phase": name, **facts})

    def blocks(self, done: int, speed_x: float, buffer: float | None = None) -> None:
        """Say how many blocks are done, at which multiple of 1x, and which share of the drive's buffer is full."""
        self._tell({"done": done, "speed_x": speed_x, "buffer": buffer})

    def _tell(self, facts: dict[str, object]) -> None:
        with contextlib.suppress(OSError):  # a full disk costs news, not the disc
            os.write(self._handle, f"{json.dumps(facts)}\n".encode())


class LineTail:
    """Reads the JSON lines of a file that may still grow, or may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield the whole lines since the last call; a torn or damaged one is passed over."""
        try:
            with self._path.open("rb") as lines:
                lines.seek(self._position)
                data = lines.read()
        except FileNotFoundError:
            return
        whole = data.rpartition(b"\n")[0]
        self._position += len(whole) + 1 if whole else 0
        for line in whole.split(b"\n"):
            facts = _parse(line)
            if facts is not None:
                yield facts


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        facts = json.loads(line)
    except ValueError:
        return None
    return facts if isinstance(facts, dict) else None


def boot_clock() -> float:
    """Return seconds since the host started, the time it slept included: one clock for all its processes."""
    return round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)
