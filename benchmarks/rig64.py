"""64 recorders on two cores that each make a disc of a CD's size at once: heartbeats go on, no lease is lost."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.crew import Crew
from benchmarks.measuring import Scale, boot_clock, fill, wait_until
from benchmarks.pulses import leases_lost, watching_pulses
from benchmarks.rigs import BenchRig, running_rig
from benchmarks.table import Row, Sample, skipped
from jobs import control
from jobs.client import JobHandle
from jobs.ordering import data_disc
from models.attempt import Attempt
from models.database import Database
from models.event import Event

#: Seconds that all discs may take together.
_DEADLINE = 3600.0


@dataclass(frozen=True, slots=True)
class _Disc:
    """What each recorder burns: zeros, which are read, fed and hashed but take no room on the shelf, or content."""

    size: int
    zeros: bool

    def __str__(self) -> str:
        return f"{self.size / 1e6:,.0f} MB of {'zeros' if self.zeros else 'content'}"


def run(scale: Scale) -> list[Row]:
    """Make a job of as many copies as there are recorders, all begun at once; SQLite, as `discmill up` has it."""
    recorders = scale.pick(64, 3)
    zeros = _Disc(scale.pick(700_000_000, 20_000_000), zeros=True)
    content = _Disc(scale.pick(200_000_000, 5_000_000), zeros=False)
    rows: list[Row] = []
    with running_rig(scale, recorders) as rig:
        for disc in (zeros, content):
            lack = "" if disc.zeros else scale.lacks_room(disc.size * (recorders + 1))
            rows += [skipped(str(disc), lack)] if lack else _burn(rig, disc, recorders)
    return rows


def _burn(rig: BenchRig, disc: _Disc, recorders: int) -> list[Row]:
    """Order while every recorder is paused, so that all begin together."""
    database = rig.mill.database
    names = [each.name for each in rig.rig.recorders]
    rig.until_ready()
    control.pause(database, names)
    job = rig.mill.submit(data_disc(_content(rig.root / str(disc), disc), volume_id="RIG"), copies=recorders)
    events = _events(database)
    with watching_pulses(database) as pulses, _removing(rig, job):
        began = boot_clock()
        control.resume(database, names)
        memory = _until_made(job)
        took = boot_clock() - began
    rig.until_ready()
    outcomes = Counter(str(each["outcome"]) for each in job.report().discs)
    beat = Sample.of([rig.settings.heartbeat])
    return [
        _figure(f"{recorders} recorders, a disc of {disc} each", "s", took),
        _figure("  all of them together", "MB/s", recorders * disc.size / 1e6 / took),
        Row("  longest silence between two heartbeats", "s", Sample.of(pulses.worst.values()), "a heartbeat", beat),
        _figure("  leases lost", "", leases_lost(database)),
        _figure("  discs that are good", "", outcomes["good"]),
        _figure("  attempts that are not", "", outcomes.total() - outcomes["good"]),
        _figure("  rows of the journal, a disc", "", (_events(database) - events) / recorders),
        Row("  memory of all processes (PSS)", "MB", memory),
    ]


def _content(folder: Path, disc: _Disc) -> Path:
    folder.mkdir()
    if disc.zeros:
        with (folder / "zeros.bin").open("wb") as out:
            out.truncate(disc.size)
    else:
        fill(folder / "content.bin", disc.size)
    return folder


def _until_made(job: JobHandle) -> Sample:
    """Wait until the job is over; return what all processes took of the memory at each look."""
    looks: list[float] = []

    def is_made() -> bool:
        looks.append(sum(sum(sizes) for sizes in Crew.muster().memory().values()))
        return not job.report().needs_nobody

    wait_until(is_made, f"all discs of {job.id}", deadline=_DEADLINE, pause=5.0)
    return Sample.of(looks)


@contextmanager
def _removing(rig: BenchRig, job: JobHandle) -> Iterator[None]:
    """Throw discs away as they reach the shelf: all of them together would not fit on many a disk."""
    stop = threading.Event()

    def sweep() -> None:
        while not stop.wait(1.0):
            for path in _finished(rig.mill.database, job):
                path.unlink(missing_ok=True)

    thread = threading.Thread(target=sweep, name="sweeper")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        rig.clear_shelf()


def _finished(database: Database, job: JobHandle) -> list[Path]:
    with database.read() as db:
        query = select(Attempt.path).where(Attempt.job_id == job.id, Attempt.ejected.is_not(None))
        return [Path(path) for path in db.scalars(query) if path is not None]


def _events(database: Database) -> int:
    with database.read() as db:
        return db.scalar(select(func.count()).select_from(Event)) or 0


def _figure(name: str, unit: str, value: float) -> Row:
    return Row(name, unit, Sample.of([value]))
