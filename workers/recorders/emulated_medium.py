"""An emulated medium: a folder with the bytes on it, what a drive would say of it, and a log of its writes.

| file | |
|---|---|
| `data` | the blocks, one after the other; missing while nothing was ever written |
| `medium.json` | kind, status, sessions; replaced durably before the first block of a session and after the last |
| `writes.jsonl` | append-only: a session is `opened` before its first block and `closed` after its last |
"""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from jobs.errors import MediumNotWritable, MediumTooSmall, MediumUnsuitable
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from workers.durable import append_durably, open_to_append, write_durably

DATA, MEDIUM, WRITES = "data", "medium.json", "writes.jsonl"
_OVERWRITABLE = {MediumKind.DVD_PLUS_RW, MediumKind.BD_RE}


@dataclass(frozen=True, slots=True)
class Session:
    """A session: its blocks on the medium, and where its bytes lie in the data file."""

    number: int
    first: int
    last: int
    block_size: int
    offset: int
    label: str

    @property
    def size(self) -> int:
        """Bytes of the session when all of it is written."""
        return (self.last - self.first + 1) * self.block_size


@dataclass(frozen=True, slots=True)
class Medium:
    """What is known of an emulated medium. `damaged` is true while a session is open, and for ever if it is cut."""

    id: str
    kind: MediumKind
    status: MediumStatus
    capacity: int
    used: bool = False
    damaged: bool = False
    erases: int = 0
    sessions: tuple[Session, ...] = ()
    next_writable: int = 0
    next_offset: int = 0
    open_session: Session | None = field(default=None)

    @property
    def free_blocks(self) -> int:
        """Blocks that the next session may take."""
        if self.status is MediumStatus.COMPLETE:
            return 0
        return self.capacity - self.next_writable

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
            load=load,
        )


def new_medium(medium_id: str, kind: MediumKind) -> Medium:
    """Make a medium as it comes out of its wrapping."""
    status = MediumStatus.OVERWRITABLE if kind in _OVERWRITABLE else MediumStatus.BLANK
    return Medium(medium_id, kind, status, kind.capacity)


def erased(medium: Medium) -> Medium:
    """Make a rewritable medium blank again.

    Raises:
        MediumUnsuitable: it is write-once.
    """
    if not medium.kind.is_rewritable:
        raise MediumUnsuitable(f"the {medium.kind} in the tray is write-once; load a blank one")
    return replace(new_medium(medium.id, medium.kind), erases=medium.erases + 1)


def begun(medium: Medium, blocks: int, block_size: int, label: str) -> Medium:
    """Open a session for so many blocks. If nothing follows, this is what a cut burn leaves: a spoiled medium.

    Raises:
        MediumNotWritable: it is complete.
        MediumTooSmall: it has less room.
    """
    if medium.status is MediumStatus.COMPLETE:
        raise MediumNotWritable(f"the {medium.kind} in the tray is complete; load a blank one")
    if blocks > medium.free_blocks:
        raise MediumTooSmall(f"{blocks} blocks do not fit: the {medium.kind} has {medium.free_blocks} free")
    fresh = medium.status is MediumStatus.OVERWRITABLE
    number = 1 if fresh else len(medium.sessions) + 1
    first, offset = medium.next_writable, medium.next_offset
    session = Session(number, first, first + blocks - 1, block_size, offset, label)
    status = medium.status if fresh else MediumStatus.COMPLETE
    kept = () if fresh else medium.sessions
    return replace(medium, status=status, used=True, damaged=True, sessions=kept, open_session=session)


def ended(medium: Medium) -> Medium:
    """Close the open session; a medium that is not overwritable is complete then."""
    if medium.open_session is None:
        return medium
    return replace(medium, damaged=False, sessions=(*medium.sessions, medium.open_session), open_session=None)


def left_appendable(medium: Medium) -> Medium:
    """Make a complete medium one whose last session was closed so that another may follow."""
    last = medium.sessions[-1]
    return replace(
        medium, status=MediumStatus.APPENDABLE, next_writable=last.last + 1, next_offset=last.offset + last.size
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
            **facts,
            "kind": MediumKind(facts["kind"]),
            "status": MediumStatus(facts["status"]),
            "sessions": tuple(Session(**session) for session in facts["sessions"]),
            "open_session": None if opened is None else Session(**opened),
        }
    )
