"""The tick: who lives, what is to be taken back, assigned, or rung again. Several may run."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select, update

from jobs import ledger, tally
from jobs.dispatch import CeleryBell
from jobs.rollup import journal
from jobs.scheduling import Assignment, assign, medium_of, suits
from jobs.settings import Settings
from models.attempt import Attempt
from models.database import Database
from models.job import Job
from models.recorder import Recorder
from models.vocabulary import Condition, Intent, Stage

log = logging.getLogger(__name__)

#: Seconds until a bell that nobody answered is rung again; doubles each time.
_FIRST_RING = 2.0


@dataclass(slots=True)
class _Pulse:
    """A recorder's heartbeat counter, and when this observer's own clock first saw it."""

    count: int
    seen: float


@dataclass(slots=True)
class _Ringing:
    next_at: float
    interval: float


@dataclass(slots=True)
class Dispatcher:
    """Observes the rig and keeps it going; everything it does is guarded, so that two of them do no harm."""

    settings: Settings
    database: Database
    bell: CeleryBell
    clock: Callable[[], float] = time.monotonic
    _looked: float = 0.0
    _beat_at: float = -math.inf
    _pulses: dict[str, _Pulse] = field(default_factory=dict)
    _ringing: dict[str, _Ringing] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Tick until `stop` is set; a round that fails is logged and the next one tries again."""
        while not stop.is_set():
            try:
                self.tick()
            except Exception:
                log.exception("a round of the dispatcher failed")
            stop.wait(self.settings.tick)

    def tick(self) -> None:
        """Do one round."""
        with self.database.read() as db:
            recorders = db.scalars(select(Recorder)).all()
        self._forgive_own_absence()
        dead = [recorder for recorder in recorders if self._is_dead(recorder)]
        for recorder in dead:
            self._bury(recorder)
        self._take_back()
        assign(self.database, self.bell.ring)
        self._ring_again({recorder.name for recorder in dead})
        self._beat()

    def _beat(self) -> None:
        """Let `discmill health dispatcher` see that rounds succeed."""
        if self.clock() - self._beat_at >= self.settings.heartbeat:
            with self.database.write(durable=False) as db:
                tally.beat(db, tally.dispatcher_of(self.settings.host))
            self._beat_at = self.clock()

    def _forgive_own_absence(self) -> None:
        """Start all watches anew after a while in which we could not look: nobody may be buried for that."""
        if self.clock() - self._looked > self.settings.lease / 2:
            self._pulses.clear()
        self._looked = self.clock()

    def _is_dead(self, recorder: Recorder) -> bool:
        """Judge a lease by our own monotonic clock: a wall clock that jumps fools nobody."""
        pulse = self._pulses.get(recorder.name)
        if pulse is None or pulse.count != recorder.heartbeat:
            self._pulses[recorder.name] = _Pulse(recorder.heartbeat, self.clock())
            return False
        return self.clock() - pulse.seen > self.settings.lease

    def _bury(self, recorder: Recorder) -> None:
        """Mark a recorder whose worker is gone, and free what it had not begun to write."""
        if recorder.condition is not Condition.OFFLINE:
            self._mark_offline(recorder)
        for attempt in self._unsettled_of(recorder.name):
            self._free(attempt, recorder.heartbeat)

    def _mark_offline(self, recorder: Recorder) -> None:
        with self.database.write() as db:
            gone = db.execute(
                update(Recorder)
                .where(Recorder.name == recorder.name, Recorder.heartbeat == recorder.heartbeat)
                .where(Recorder.condition != Condition.OFFLINE)
                .values(condition=Condition.OFFLINE, message="its worker does not answer", medium_id=None)
                .returning(Recorder.name)
            ).all()
            if gone:
                log.warning("recorder %s: its worker is gone", recorder.name)
                journal(db, "recorder-offline", recorder=recorder.name)
                tally.count(db, tally.LEASES_EXPIRED, recorder.name)

    def _free(self, attempt: Attempt, heartbeat: int) -> None:
        with self.database.write() as db:
            if attempt.stage is Stage.PREPARING:
                ledger.abandon(db, attempt.id, heartbeat)
            elif ledger.let_go(db, attempt.id):
                log.info("attempt %s was called off; its host is away", attempt.id)
            elif attempt.stage is not Stage.ASSIGNED and self._is_overdue(attempt):
                ledger.lose(db, attempt.id, heartbeat)

    def _is_overdue(self, attempt: Attempt) -> bool:
        limit = self.settings.replace_after
        pulse = self._pulses[attempt.recorder]
        return limit is not None and self.clock() - pulse.seen > limit

    def _take_back(self) -> None:
        """Withdraw promises to recorders that can't keep them any more."""
        with self.database.read() as db:
            promised = db.execute(
                select(Attempt.id, Recorder, Job)
                .join(Recorder, Recorder.name == Attempt.recorder)
                .join(Job, Job.id == Attempt.job_id)
                .where(Attempt.stage == Stage.ASSIGNED, Attempt.outcome.is_(None))
            ).all()
        for attempt_id, recorder, job in promised:
            why = _broken_promise(recorder, job)
            if why is not None:
                with self.database.write() as db:
                    ledger.withdraw(db, attempt_id, why)

    def _ring_again(self, dead: set[str]) -> None:
        """Repeat a message that may be lost: only to the living, only when nothing is waiting for them."""
        with self.database.read() as db:
            assigned = (Attempt.stage == Stage.ASSIGNED, Attempt.outcome.is_(None))
            rows = db.execute(select(Attempt.id, Attempt.recorder).where(*assigned)).all()
        promised = {attempt_id: recorder for attempt_id, recorder in rows if recorder not in dead}
        self._ringing = {attempt_id: ring for attempt_id, ring in self._ringing.items() if attempt_id in promised}
        for attempt_id, recorder in promised.items():
            ring = self._ringing.setdefault(attempt_id, _Ringing(self.clock() + _FIRST_RING, _FIRST_RING))
            if self.clock() < ring.next_at:
                continue
            ring.interval *= 2
            ring.next_at = self.clock() + ring.interval
            if self.bell.waiting(recorder) == 0:
                log.info("ringing again for attempt %s", attempt_id)
                self.bell.ring(Assignment(attempt_id, recorder))
                with self.database.write() as db:
                    tally.count(db, tally.MESSAGES_REPUBLISHED, recorder)

    def _unsettled_of(self, recorder: str) -> list[Attempt]:
        with self.database.read() as db:
            query = select(Attempt).where(Attempt.recorder == recorder, Attempt.outcome.is_(None))
            return list(db.scalars(query))


def _broken_promise(recorder: Recorder, job: Job) -> str | None:
    if job.cancel_requested:
        return "the job was called off"
    if recorder.intent is not Intent.ENABLED:
        return f"{recorder.name} is {recorder.intent}"
    if recorder.attention is not None:
        return recorder.attention
    if recorder.condition in {Condition.OFFLINE, Condition.EMPTY, Condition.ATTENTION}:
        return f"{recorder.name} is {recorder.condition}"
    medium = medium_of(recorder)
    if recorder.condition is Condition.READY and (medium is None or not suits(job, medium)):
        return "the medium was changed"
    return None
