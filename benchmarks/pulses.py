"""Watches the heartbeats of a rig: how long recorders kept silent, and which were taken for dead."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import func, select

from jobs.tally import LEASES_EXPIRED
from models.database import Database
from models.figures import Tally
from models.recorder import Recorder

#: Seconds between two looks.
_LOOK = 0.2


@dataclass(slots=True)
class Pulses:
    """What was seen of the heartbeats so far, by recorder."""

    database: Database
    worst: dict[str, float] = field(default_factory=dict)  #: seconds without a beat
    stop: threading.Event = field(default_factory=threading.Event)
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def watch(self) -> None:
        """Look again and again until stopped."""
        while not self.stop.wait(_LOOK):
            with self.database.read() as db:
                rows = db.execute(select(Recorder.name, Recorder.heartbeat)).all()
            now = time.monotonic()
            for name, count in rows:
                self._note(name, count, now)

    def _note(self, name: str, count: int, now: float) -> None:
        before, since = self._seen.get(name, (count, now))
        self.worst[name] = max(self.worst.get(name, 0.0), now - since)
        if count != before or name not in self._seen:
            self._seen[name] = count, now


@contextmanager
def watching_pulses(database: Database) -> Iterator[Pulses]:
    """Watch meanwhile."""
    pulses = Pulses(database)
    thread = threading.Thread(target=pulses.watch, name="pulses")
    thread.start()
    try:
        yield pulses
    finally:
        pulses.stop.set()
        thread.join()


def leases_lost(database: Database) -> int:
    """Count how often a recorder was taken for dead."""
    with database.read() as db:
        return int(db.scalar(select(func.sum(Tally.value)).where(Tally.name == LEASES_EXPIRED)) or 0)
