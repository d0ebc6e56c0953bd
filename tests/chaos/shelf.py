"""The discs themselves: what lies on the emulated shelves and in the trays, read without asking the ledger."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCEPT, REJECT, TRAY = "accept", "reject", "tray"
_DATA = (".iso", ".bin")


@dataclass(frozen=True, slots=True)
class Writing:
    """One session from the log of writes: when the laser was on, by the host's boot-time clock."""

    recorder: str
    medium: str
    erases: int
    session: int
    label: str
    begun: float
    ended: float
    cut: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A session whose bytes are on a disc; `sha256` is of all of them."""

    label: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Disc:
    """A medium that was written to: where it lies, what was written when, which sessions can be read."""

    recorder: str
    place: str
    medium: str
    file: Path
    writings: tuple[Writing, ...]
    sessions: tuple[Session, ...]
    damaged: bool


def read_discs(recorders: Path) -> list[Disc]:
    """Read every disc of every emulated recorder below a folder."""
    return [disc for drive in sorted(recorders.iterdir()) for disc in _discs_of(drive)]


def _discs_of(drive: Path) -> Iterator[Disc]:
    for place in (ACCEPT, REJECT):
        for side in sorted((drive / "shelf" / place).glob("*.json")):
            data = next((side.with_suffix(each) for each in _DATA if side.with_suffix(each).exists()), Path())
            yield _disc(drive.name, place, side, data, side.with_name(f"{side.stem}.writes.jsonl"))
    for side in sorted((drive / "media").glob("*/medium.json")):
        data, writes = side.with_name("data"), side.with_name("writes.jsonl")
        if data.exists() or writes.exists():
            yield _disc(drive.name, TRAY, side, data, writes)


def _disc(recorder: str, place: str, side: Path, data: Path, writes: Path) -> Disc:
    facts: dict[str, Any] = json.loads(side.read_text(encoding="utf-8"))
    sessions = tuple(Session(str(session["label"]), _digest(data, session)) for session in facts["sessions"])
    writings = tuple(_writings(recorder, str(facts["id"]), data, writes))
    return Disc(recorder, place, str(facts["id"]), data, writings, sessions, bool(facts["damaged"]))


def _digest(data: Path, session: dict[str, Any]) -> str:
    size = (session["last"] - session["first"] + 1) * session["block_size"]
    with data.open("rb") as file:
        file.seek(session["first"] * session["block_size"])
        return hashlib.sha256(file.read(size)).hexdigest()


def _writings(recorder: str, medium: str, data: Path, writes: Path) -> Iterator[Writing]:
    lines = [json.loads(line) for line in writes.read_text().splitlines()] if writes.exists() else []
    opened = None
    for line in [*lines, None]:
        if opened is not None and (line is None or line["event"] in {"opened", "closed"}):
            yield _writing(recorder, medium, data, opened, line)
            opened = None
        if line is not None and line["event"] == "opened":
            opened = line


def _writing(recorder: str, medium: str, data: Path, opened: dict[str, Any], end: dict[str, Any] | None) -> Writing:
    """Put a session's begin and end together; whose burner was killed, ended with the last byte in its file."""
    closed = end is not None and end["event"] == "closed"
    ended = float(end["clock"]) if end is not None and closed else max(float(opened["clock"]), _last_byte(data))
    return Writing(
        recorder,
        medium,
        int(opened["erases"]),
        int(opened["session"]),
        str(opened["label"]),
        float(opened["clock"]),
        ended,
        cut=not closed or bool(end and end["cut"]),
    )


def _last_byte(data: Path) -> float:
    """Return when a file was last written to, by the boot-time clock; 0 if it is not there."""
    if not data.exists():
        return 0.0
    return data.stat().st_mtime - time.time() + time.clock_gettime(time.CLOCK_BOOTTIME)
