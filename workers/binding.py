"""One worker = one recorder: the owner's lock, the heartbeat, and the idle drive's caretaker."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Self, TypeVar

from celery import Celery
from sqlalchemy import select

from jobs.dispatch import CeleryBell
from jobs.errors import Fenced
from jobs.ledger import withdraw
from jobs.mastering.recorder import Device
from jobs.schema import revision_of
from jobs.settings import Settings
from models.attempt import Attempt
from models.database import Database
from models.vocabulary import Stage
from workers import caretaker
from workers.attempt import run_attempt
from workers.flower_events import Voice
from workers.locks import FileLock
from workers.recorders import open_device
from workers.registry import beat, register, retire
from workers.station import Station

log = logging.getLogger(__name__)
T = TypeVar("T")


class Binding:
    """A worker's hold on its recorder, from the first lock to the last goodbye.

    Raises on entry:
        RecorderBusy: another worker owns the device, or the name.
        RecorderMissing: the device is gone.
    """

    def __init__(self, settings: Settings, name: str, uri: str, app: Celery) -> None:
        device = open_device(uri, stall_after=settings.stall_after, home=settings.home)
        self._lock = FileLock(device.recorder.locks / "owner")
        self._lock.acquire()
        try:
            self.station = _station(settings, name, device, app)
        except BaseException:
            self._lock.close()
            raise
        with self.station.database.read() as db:
            self._schema = revision_of(db)
        self._in_use = threading.Lock()
        self._stop = self.station.stopping
        self._gone = threading.Event()
        self._threads = [
            threading.Thread(target=self._beat, name="heartbeat", daemon=True),
            threading.Thread(target=self._care, name="caretaker", daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the disc under way be finished, then say goodbye; the heart beats until then."""
        self._stop.set()
        heartbeat, caretaker = self._threads
        caretaker.join()
        self._gone.set()
        heartbeat.join()
        self.station.device.recorder.expect(None)
        self._guarded(self._goodbye)
        self.station.voice.close()
        self.station.database.close()
        self._lock.close()

    def wind_down(self) -> None:
        """Start nothing new and wait for nobody; a disc under way is finished. May be called by a signal handler."""
        threading.Thread(target=self._stop.set, name="wind-down").start()  # the event's lock may be held right here

    def burn(self, attempt_id: str) -> str:
        """Make the disc of an attempt, when the drive is free; return the ledger's verdict as text."""
        with self._in_use:
            if self._stop.is_set():
                return f"the worker of {self.station.name} is stopping"
            try:
                return run_attempt(self.station, attempt_id)
            finally:
                self._tend(caretaker.go_on)

    def _care(self) -> None:
        """Start up, then make one round after the other; between discs only, since the drive is one."""
        step = caretaker.start_up
        while not self._stop.is_set():
            if self._in_use.acquire(timeout=self.station.settings.watch):
                try:
                    if self._tend(step):
                        step = caretaker.patrol
                finally:
                    self._in_use.release()
            self._stop.wait(self.station.settings.watch)

    def _tend(self, step: Callable[[Station], None]) -> bool:
        return self._guarded(partial(caretaker.tend, self.station, step)) is True

    def _beat(self) -> None:
        """Beat at a steady rate: what a beat had to wait for is no reason to put the next one off."""
        while not self._gone.is_set():
            began = time.monotonic()
            self._guarded(self._one_beat)
            interval = self.station.settings.heartbeat
            self._gone.wait(max(interval / 5, interval - (time.monotonic() - began)))

    def _one_beat(self) -> None:
        station = self.station
        if not beat(station.database, station.owner):
            log.warning("recorder %s was fenced off; taking it over anew", station.name)
            uri, identity = station.device.recorder.uri, station.device.recorder.identify()
            station.owner = register(station.database, station.settings, station.name, uri, identity)
        self._heed_schema()

    def _heed_schema(self) -> None:
        """End in good order once the tables are another version's; the disc under way is finished first.

        Migrations only add, so that this works; a new disc is left to a worker that knows what was added.
        """
        with self.station.database.read() as db:
            found = revision_of(db)
        if found != self._schema and not self._stop.is_set():
            log.warning("the schema went from %s to %s; the disc under way is the last one", self._schema, found)
            self._schema = found
            os.kill(os.getpid(), signal.SIGTERM)

    def _goodbye(self) -> None:
        station = self.station
        mine = select(Attempt.id).where(Attempt.recorder == station.name, Attempt.stage == Stage.ASSIGNED)
        with station.database.write() as db:
            for attempt_id in db.scalars(mine).all():
                withdraw(db, attempt_id, "the worker stops")
        retire(station.database, station.owner)

    def _guarded(self, step: Callable[[], T]) -> T | None:
        """Take a step whose failure must not end the thread: it is logged, and the next round tries again."""
        try:
            return step()
        except Fenced as error:
            log.info("%s", error)
        except Exception:
            log.exception("recorder %s: a round failed; the next one tries again", self.station.name)
        return None


def _station(settings: Settings, name: str, device: Device, app: Celery) -> Station:
    database = Database(settings.database_url)
    owner = register(database, settings, name, device.recorder.uri, device.recorder.identify())
    voice = Voice(app, f"{name}@{settings.host}")
    return Station(name, settings, database, device, CeleryBell(settings.broker_url), voice, owner)
