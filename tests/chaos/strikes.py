"""Blows that meet a rig where a defect does most harm, repeated until the harm is done: no matter of luck or load."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from models.attempt import Attempt
from models.recorder import Recorder
from models.vocabulary import Condition, Outcome, Stage
from tests.chaos.faults import Hand
from tests.chaos.plan import Kind, Step
from tests.chaos.rig import send
from tests.rigs import wait_until

#: Says whether the harm is done; strikes if it is not.
Aim = Callable[[Hand], bool]
#: Seconds between two blows of the same kind.
_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Log:
    """What a defect notes: lines of a process id and of what it did."""

    file: Path

    def notes(self) -> list[tuple[int, str]]:
        """Return the whole lines so far."""
        text = self.file.read_text(encoding="utf-8") if self.file.exists() else ""
        lines = [line.partition(" ") for line in text.rpartition("\n")[0].splitlines()]
        return [(int(pid), what) for pid, _, what in lines]

    def has(self, beginning: str) -> bool:
        """Say whether something was noted."""
        return any(what.startswith(beginning) for _, what in self.notes())


@dataclass(slots=True)
class Until:
    """Strikes now and then until something is so."""

    is_done: Callable[[Hand], bool]
    strike: Callable[[Hand], object]
    _next: float = 0.0

    def __call__(self, hand: Hand) -> bool:
        if self.is_done(hand):
            return True
        if time.monotonic() >= self._next and self.strike(hand):
            hand.done["strike"] += 1
            self._next = time.monotonic() + _PAUSE
        return False


def noted(log: Log, beginning: str) -> Callable[[Hand], bool]:
    return lambda _: log.has(beginning)


def has(outcome: Outcome, count: int = 1) -> Callable[[Hand], bool]:
    """Wait for so many discs with an outcome."""

    def look(hand: Hand) -> bool:
        with hand.rig.database.read() as db:
            return int(db.scalar(select(func.count()).where(Attempt.outcome == outcome)) or 0) >= count

    return look


def amid_writing(hand: Hand) -> tuple[str, str] | None:
    """Name an attempt whose disc is being written, and its recorder."""
    writing = select(Attempt.id, Attempt.recorder).where(Attempt.stage == Stage.WRITING, Attempt.blocks_done > 0)
    with hand.rig.database.read() as db:
        row = db.execute(writing.order_by(Attempt.id.desc()).limit(1)).one_or_none()
        return None if row is None else (row.id, row.recorder)


@dataclass(slots=True)
class KillTheWorker:
    """Kills the worker of a disc that is being written; of each disc once, so that the next one can see to it."""

    struck: set[str] = field(default_factory=set)

    def __call__(self, hand: Hand) -> bool:
        found = amid_writing(hand)
        if found is None or found[0] in self.struck:
            return False
        self.struck.add(found[0])
        return send(hand.rig.pid(found[1]), signal.SIGKILL)


def kill_the_burners(hand: Hand) -> bool:
    before = hand.done[Kind.KILL_BURNER]
    for number in range(len(hand.rig.recorders)):
        hand.do(Step(0, Kind.KILL_BURNER, number, 0))
    return hand.done[Kind.KILL_BURNER] > before


def replay_everything(hand: Hand) -> bool:
    before = hand.done[Kind.REPLAY]
    if len(hand.jobs) > 1 and amid_writing(hand):
        hand.do(Step(0, Kind.REPLAY, 0, 0))
    return hand.done[Kind.REPLAY] > before


def flip_bits(hand: Hand) -> bool:
    """Let every disc have a wrong bit."""
    sound = [name for name in hand.rig.recorders if not hand.rig.drive(name).status()["faults"]]
    for name in sound:
        hand.rig.drive(name).add_fault("flip@200")
    return bool(sound)


@dataclass(slots=True)
class StopWhoNotes:
    """Stops whoever notes something until it has been taken for dead and nothing is left of what it was at."""

    log: Log
    what: str
    read: int = 0

    def __call__(self, hand: Hand) -> bool:
        notes = self.log.notes()
        fresh = [pid for pid, what in notes[self.read :] if what == self.what]
        self.read = len(notes)
        recorder = next((name for name in hand.rig.recorders if fresh and hand.rig.pid(name) == fresh[-1]), None)
        if recorder is None or not send(fresh[-1], signal.SIGSTOP):
            return False
        try:
            wait_until(lambda: _is_given_up(hand, recorder), f"the worker of {recorder} is given up")
        finally:
            send(fresh[-1], signal.SIGCONT)
        return True


def _is_given_up(hand: Hand, recorder: str) -> bool:
    with hand.rig.database.read() as db:
        left = select(Attempt.id).where(Attempt.recorder == recorder, Attempt.outcome.is_(None))
        return db.get_one(Recorder, recorder).condition is Condition.OFFLINE and db.scalar(left) is None


@dataclass(frozen=True, slots=True)
class KillBetween:
    """Kills whoever noted one thing, before it notes the next: done once somebody died in between."""

    log: Log
    first: str

    def __call__(self, hand: Hand) -> bool:
        latest = dict(self.log.notes())
        waiting = [pid for pid, what in latest.items() if what == self.first]
        for pid in waiting:
            send(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: pid not in map(hand.rig.pid, hand.rig.recorders), "who was killed is gone")  # type: ignore[misc]
            hand.done["strike"] += 1
        return any(dict(self.log.notes())[pid] == self.first for pid in waiting)
