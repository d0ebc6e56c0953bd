"""An emulated medium: a folder with the bytes on it, what a drive would say of it, and a log of its writes.

| file | |
|---|---|
| `data` | the blocks, each at its address, between sessions a hole; missing while nothing was ever written |
| `medium.json` | kind, status, sessions; replaced durably before the first block of a session and after the last |
| `writes.jsonl` | append-only: a session is `opened` before its first block and `closed` after its last |
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from jobs.mastering.medium import AUDIO_BLOCK, MediumInfo, MediumKind, MediumStatus
from workers.durable import append_durably, open_to_append, write_durably

DATA, MEDIUM, WRITES = "data", "medium.json", "writes.jsonl"


@dataclass(frozen=True, slots=True)
class Session:
    """A session: its blocks on the medium, and the programme of an audio one, as canonical text."""

    number: int
    first: int
    last: int
    block_size: int
    label: str
    programme: str = ""

    @property
    def blocks(self) -> int:
        """Blocks of the session when all of it is written."""
        return self.last - self.first + 1

    @property
    def offset(self) -> int:
        """Where in the data file its bytes begin."""
        return self.first * self.block_size

    @property
    def size(self) -> int:
        """Bytes of the session when all of it is written."""
        return self.blocks * self.block_size

    @property
    def is_audio(self) -> bool:
        """True if it holds audio."""
        return self.block_size == AUDIO_BLOCK

    @property
    def tracks(self) -> int:
        """Tracks of the session: of data there is one."""
        return len(json.loads(self.programme)["tracks"]) if self.programme else 1


@dataclass(frozen=True, slots=True)
class Medium:
    """What is known of an emulated medium. `damaged` is true while a session is open, and for ever if it is cut.

    `remains` are the sessions that lie on it and that nothing leads to any more: it was blanked, but not all of it.
    """

    id: str
    kind: MediumKind
    status: MediumStatus
    capacity: int
    used: bool = False
    damaged: bool = False
    erases: int = 0
    sessions: tuple[Session, ...] = ()
    next_writable: int = 0
    open_session: Session | None = None
    remains: tuple[Session, ...] = ()

    @property
    def free_blocks(self) -> int:
        """Blocks that the next session may take."""
        if self.status is MediumStatus.COMPLETE:
            return 0
        return self.capacity - self.next_writable

    @property
    def written(self) -> tuple[Session, ...]:
        """The sessions on it, one that is open or was cut among them."""
        return self.sessions if self.open_session is None else (*self.sessions, self.open_session)

    @property
    def has_audio(self) -> bool:
        """True if any session holds audio."""
        return any(session.is_audio for session in self.written)

    def info(self, load: str) -> MediumInfo:
        """Say what a drive says of it."""
        return MediumInfo(
            kind=self.kind,
            status=self.status,
            capacity=self.capacity,
            free_blocks=self.free_blocks,
            used=self.used,
            sessions=len(self.sessions),
            next_writable=self.next_writable,
            last_session=self.sessions[-1].first if self.sessions else 0,
            tracks=sum(session.tracks for session in self.sessions),
            load=load,
        )


class MediumFolder:
    """A medium's files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def data(self) -> Path:
        """The bytes on the medium."""
        return self.path / DATA

    def load(self) -> Medium:
        """Read what is known of the medium.

        Raises:
            FileNotFoundError: it is not here any more.
        """
        return _medium(json.loads((self.path / MEDIUM).read_text(encoding="utf-8")))

    def save(self, medium: Medium) -> None:
        """Write down what is known of the medium, on the disk when this returns."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_durably(self.path / MEDIUM, json.dumps(asdict(medium), indent=1) + "\n")

    def log(self, event: str, **facts: object) -> None:
        """Append to the log of writes, on the disk when this returns."""
        clock = round(time.clock_gettime(time.CLOCK_BOOTTIME), 6)
        handle = open_to_append(self.path / WRITES)
        try:
            append_durably(handle, json.dumps({"event": event, "pid": os.getpid(), "clock": clock, **facts}))
        finally:
            os.close(handle)

    @property
    def is_untouched(self) -> bool:
        """True if nobody ever wrote to it."""
        return not (self.path / WRITES).exists() and not self.data.exists()


def _medium(facts: Mapping[str, Any]) -> Medium:
    opened = facts["open_session"]
    return Medium(
        **{
            **_known(Medium, facts),
            "kind": MediumKind(facts["kind"]),
            "status": MediumStatus(facts["status"]),
            "sessions": _sessions(facts["sessions"]),
            "open_session": None if opened is None else _sessions([opened])[0],
            "remains": _sessions(facts.get("remains", [])),
        }
    )


def _sessions(rows: list[Mapping[str, Any]]) -> tuple[Session, ...]:
    return tuple(Session(**_known(Session, row)) for row in rows)


def _known(kind: type[Medium | Session], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Pass over what an earlier version wrote down of a medium that is still in the tray."""
    return {name: facts[name] for name in (field.name for field in fields(kind)) if name in facts}
