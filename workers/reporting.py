"""Progress of a burn on its way to the ledger and to Flower, off the burn's path."""

import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import Self

from jobs.errors import DiscError
from jobs.ledger import Progress, enter, is_called_off, report_progress
from jobs.mastering.progress import (
    AddProgress,
    BlockProgress,
    ClosingDisc,
    EraseProgress,
    PreparingBurn,
    ProgressEvent,
    VerifyProgress,
)
from models.vocabulary import Stage
from workers.station import Station

log = logging.getLogger(__name__)

#: Seconds between two looks at whether the job was called off, and between two writes of progress.
_LOOK, _WRITE = 0.4, 1.0


@dataclass(frozen=True, slots=True)
class Work:
    """What an attempt is about, as a worker needs it."""

    attempt: str
    job: str
    copy: int
    copies: int
    title: str
    blocks: int


@dataclass(frozen=True, slots=True)
class _Snapshot:
    phase: str = "preparing"
    done: int = 0
    total: int = 0
    speed_x: float = 0.0
    note: str = ""  #: what is to be told besides


class Reporter:
    """A `ProgressListener` whose news a side thread writes down; the burn never waits for it."""

    def __init__(self, station: Station, work: Work) -> None:
        self._station = station
        self._work = work
        self._now = _Snapshot(total=work.blocks)
        self._cancelled = False
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="reporting", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._wake.set()
        self._thread.join()

    def notify(self, event: ProgressEvent) -> None:
        """Hear an event: remember the newest state, wake the side thread when the phase changes."""
        news = _read(event, self._now)
        changed = news.phase != self._now.phase
        self._now = news
        if changed:
            self._wake.set()

    def query_cancel(self) -> bool:
        """Say whether the job was called off, as the side thread last saw it."""
        return self._cancelled

    def _run(self) -> None:
        written = _Snapshot(phase="")
        written_at = 0.0
        while not self._stop:
            now = self._now
            due = now.phase != written.phase or time.monotonic() - written_at >= _WRITE
            if due and now != written:
                self._tell(now, written)
                written, written_at = now, time.monotonic()
            else:
                self._look()
            self._wake.wait(_LOOK)
            self._wake.clear()
        if self._now != written:
            self._tell(self._now, written)

    def _tell(self, now: _Snapshot, before: _Snapshot) -> None:
        if now.phase == Stage.CLOSING != before.phase:
            self._enter_closing()
        self._store(now)
        self._station.voice.phase(self._work.attempt, now.phase, _sentence(self._station.name, self._work, now))

    def _enter_closing(self) -> None:
        try:
            with self._station.database.write() as db:
                enter(db, self._work.attempt, self._station.owner, Stage.CLOSING)
        except DiscError as refusal:
            log.debug("closing was not noted: %s", refusal)
        except Exception as error:  # noqa: BLE001  (a database that is away must not end the reports)
            log.warning("progress was not stored: %s", error)

    def _look(self) -> None:
        """See whether the job was called off."""
        try:
            with self._station.database.read() as db:
                self._cancelled = is_called_off(db, self._work.attempt)
        except Exception as error:  # noqa: BLE001  (a database that is away must not end the reports)
            log.warning("whether to cancel could not be read: %s", error)

    def _store(self, now: _Snapshot) -> None:
        try:
            with self._station.database.write(durable=False) as db:
                progress = Progress(now.done, now.total, now.speed_x or None)
                self._cancelled = report_progress(db, self._work.attempt, self._station.owner, progress)
        except Exception as error:  # noqa: BLE001  (a database that is away must not end the reports)
            log.warning("progress was not stored: %s", error)


def _read(event: ProgressEvent, now: _Snapshot) -> _Snapshot:
    match event:
        case AddProgress(done=done, total=total):
            return _Snapshot("staging", done, total)
        case BlockProgress(done=done, total=total, speed_x=speed_x):
            return _Snapshot("writing", done, total, speed_x)
        case VerifyProgress(done=done, total=total, speed_x=speed_x):
            return _Snapshot("verifying", done, total, speed_x)
        case ClosingDisc() | PreparingBurn():
            return _between(event, now)
        case EraseProgress(elapsed_seconds=elapsed, estimated_seconds=estimated):
            note = f" {elapsed:.0f} of some {estimated:.0f} seconds" if estimated else ""
            return _Snapshot("blanking", total=now.total, note=note)
        case _:
            return now


def _between(event: ClosingDisc | PreparingBurn, now: _Snapshot) -> _Snapshot:
    if isinstance(event, ClosingDisc):
        return replace(now, phase="closing", done=now.total)
    return replace(now, phase="preparing", done=0, note="")


def _sentence(recorder: str, work: Work, now: _Snapshot) -> str:
    percent = f" {100 * now.done // now.total} %" if now.total and not now.note else ""
    speed = f" {now.speed_x:.1f}x" if now.speed_x else ""
    about = f"job {work.job} copy {work.copy}/{work.copies} {work.title!r}"
    return f"{now.phase}{percent}{speed}{now.note} on {recorder}: {about}"
