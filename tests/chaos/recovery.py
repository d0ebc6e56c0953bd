"""How long it takes until all is well again after a fault."""

import contextlib
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import redis
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from models.attempt import Attempt
from models.recorder import Recorder
from models.vocabulary import Condition
from tests.chaos.rig import BrokenRig

#: What a recorder is when its worker is at work or could be.
_WELL = {Condition.READY, Condition.BUSY, Condition.EMPTY, Condition.ATTENTION, Condition.LOADING}
_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class _Watch:
    fault: str
    since: float
    is_over: Callable[[], bool]


@dataclass(slots=True)
class Stopwatch:
    """Looks in a thread of its own whether what was broken works again."""

    rig: BrokenRig
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _watches: list[_Watch] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def worker(self, fault: str, recorder: str, after: float = 0.0, *, new_owner: bool = False) -> None:
        """Time until a recorder's worker beats again, or a new one does, and nothing of an old disc is left to do."""
        with contextlib.suppress(SQLAlchemyError):
            before = self._row(recorder)
            self._begin(fault, lambda: _is_back(self._row(recorder), before, new_owner=new_owner), after)

    def attempt(self, fault: str, recorder: str) -> None:
        """Time until the attempt under way has its verdict."""
        with contextlib.suppress(SQLAlchemyError), self.rig.database.read() as db:
            mine = db.scalar(select(Attempt.id).where(Attempt.recorder == recorder, Attempt.outcome.is_(None)))
            if mine is not None:
                self._begin(fault, lambda: self._is_settled(mine))

    def program(self, fault: str, name: str) -> None:
        """Time until a program runs again and says so in its log."""
        log, before = self.rig.settings.home / "logs" / f"{name}.log", self.rig.pid(name)
        size = log.stat().st_size
        self._begin(fault, lambda: self.rig.pid(name) not in {None, before} and log.stat().st_size > size)

    def redis(self, fault: str) -> None:
        """Time until Redis answers again."""
        before = self.rig.rig._redis.pid
        self._begin(fault, lambda: self.rig.rig._redis.pid != before and self._redis_answers())

    def database(self, fault: str) -> None:
        """Time until every recorder's heartbeat moves again."""
        before: dict[str, int] = {}
        self._begin(fault, lambda: self._all_beat(before))

    def run(self) -> None:
        """Look until `stop`."""
        while not self._stop.wait(_LOOK):
            for watch in list(self._watches):
                if time.monotonic() < watch.since:
                    continue
                with contextlib.suppress(SQLAlchemyError, redis.RedisError, OSError):
                    if watch.is_over():
                        self.seconds[watch.fault].append(time.monotonic() - watch.since)
                        self._watches.remove(watch)

    def stop(self) -> None:
        """End the looking."""
        self._stop.set()

    def figures(self) -> dict[str, tuple[int, float, float]]:
        """Return for each kind of fault how often it was timed, the median and the worst, in seconds."""
        return {
            fault: (len(times), statistics.median(times), max(times)) for fault, times in sorted(self.seconds.items())
        }

    def _begin(self, fault: str, is_over: Callable[[], bool], after: float = 0.0) -> None:
        self._watches.append(_Watch(fault, time.monotonic() + after, is_over))

    def _row(self, recorder: str) -> Recorder:
        with self.rig.database.read() as db:
            return db.get_one(Recorder, recorder)

    def _is_settled(self, attempt: str) -> bool:
        with self.rig.database.read() as db:
            return db.get_one(Attempt, attempt).outcome is not None

    def _redis_answers(self) -> bool:
        with self.rig.redis() as client:
            return bool(client.ping())

    def _all_beat(self, before: dict[str, int]) -> bool:
        with self.rig.database.read() as db:
            now = {row.name: row.heartbeat for row in db.scalars(select(Recorder))}
        if not before:
            before.update(now)
        return all(now[name] != before[name] for name in before)


def _is_back(now: Recorder, before: Recorder, *, new_owner: bool) -> bool:
    beats = now.epoch > before.epoch if new_owner else now.heartbeat > before.heartbeat
    return beats and now.condition in _WELL
