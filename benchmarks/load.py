"""A long queue and 64 recorders on one box: what waits for what, what it all takes, and whether a lease is lost."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path

from sqlalchemy import select, text

from benchmarks.crew import Crew
from benchmarks.measuring import Scale, seconds, tiny_content
from benchmarks.postgres import new_database, running_postgres
from benchmarks.pulses import Pulses, leases_lost, watching_pulses
from benchmarks.rigs import BenchRig, running_rig
from benchmarks.table import Row, Sample, skipped
from jobs import control
from jobs.ordering import data_disc
from models.attempt import Attempt
from models.base import now
from models.database import Database

_MS = 1000.0
#: Orders that the queue is made of.
_ORDERS = 10
#: Seconds between two looks at the memory of all processes.
_LOOK = 10.0


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How large it is to be: recorders, copies queued, seconds of idling and of work that are measured."""

    recorders: int
    copies: int
    idle: float
    work: float


def run(scale: Scale) -> list[Row]:
    """Run the rig on SQLite, then on PostgreSQL if there is one."""
    sizes = scale.pick(_Sizes(64, 100_000, 30, 120), _Sizes(3, 300, 3, 10))
    rows = list(_measure(Scale(_inner(scale, "sqlite"), scale.quick), "SQLite", sizes, None))
    with running_postgres(scale.folder, connections=4 * sizes.recorders + 20) as server:
        if server is None:
            return [*rows, skipped("PostgreSQL", "its programs (initdb, postgres) are not here")]
        place = Scale(_inner(scale, "postgresql"), scale.quick)
        return [*rows, *_measure(place, "PostgreSQL", sizes, new_database(server, "load"))]


def _measure(scale: Scale, kind: str, sizes: _Sizes, url: str | None) -> Iterator[Row]:
    began = time.monotonic()
    with running_rig(scale, sizes.recorders, database_url=url) as rig:
        database = rig.mill.database
        yield _figure(f"{kind}: {sizes.recorders} recorders, from nothing to ready", "s", time.monotonic() - began)
        yield from _idle(sizes)
        names = [each.name for each in rig.rig.recorders]
        control.pause(database, names)
        yield _figure(f"{sizes.copies:,} copies ordered, {_ORDERS} orders", "s", seconds(lambda: _order(rig, sizes)))
        yield _figure("the database then", "MB", _megabytes(database))
        with watching_pulses(database) as pulses:
            control.resume(database, names)
            since, memory = now(), _work(sizes.work)
        yield from _flow(database, since, sizes.work)
        yield from _leases(rig, pulses)
        yield from (Row(f"{name}, PSS", "MB", sample) for name, sample in memory.items())
        yield _figure("the database at the end", "MB", _megabytes(database))


def _idle(sizes: _Sizes) -> Iterator[Row]:
    time.sleep(sizes.idle / 3)
    crew, began = Crew.muster(), time.monotonic()
    before = crew.processor_seconds()
    time.sleep(sizes.idle)
    passed, after = time.monotonic() - began, crew.processor_seconds()
    for kind in ("worker", "dispatcher", "Redis", "PostgreSQL"):
        if crew.pids[kind]:
            share = 100 * (after[kind] - before[kind]) / passed
            yield _figure(f"idle: {len(crew.pids[kind])} x {kind}, together", "% CPU", share)


def _order(rig: BenchRig, sizes: _Sizes) -> None:
    for number in range(_ORDERS):
        content = data_disc(tiny_content(rig.root / f"order {number}", f"order {number}"))
        rig.mill.submit(content, copies=sizes.copies // _ORDERS, max_spoiled=sizes.copies)


def _work(duration: float) -> dict[str, Sample]:
    """Let the rig work; return what each kind of process took of the memory, each process at each look a value."""
    found: dict[str, list[float]] = {}
    end = time.monotonic() + duration
    while time.monotonic() < end:
        time.sleep(max(0.0, min(_LOOK, end - time.monotonic())))
        for kind, sizes in Crew.muster().memory().items():
            found.setdefault(f"one {kind}", []).extend(sizes)
            found.setdefault(f"all of kind {kind}", []).append(sum(sizes))
    return {name: Sample.of(values) for name, values in found.items() if any(values)}


def _flow(database: Database, since: datetime, duration: float) -> Iterator[Row]:
    with database.read() as db:
        made = db.scalars(select(Attempt).where(Attempt.created >= since).order_by(Attempt.recorder, Attempt.id)).all()
    settled = [attempt for attempt in made if attempt.finished is not None]
    bad = [attempt for attempt in settled if str(attempt.outcome) != "good"]
    yield _figure("discs settled a minute", "", 60 * len(settled) / duration)
    yield _figure("of these not good", "", len(bad))
    pauses = [pause for _, mine in groupby(made, lambda attempt: attempt.recorder) for pause in _pauses(list(mine))]
    claims = [(each.started - each.created).total_seconds() for each in made if each.started is not None]
    for name, values in (("a disc has left -> its recorder's next copy is assigned", pauses), ("-> claimed", claims)):
        sample = Sample.of(values).scaled(_MS)
        yield Row(f"{name}, p50", "ms", sample)
        yield _figure(f"{name}, p99", "ms", sample.percentile(99))


def _pauses(mine: Sequence[Attempt]) -> list[float]:
    pairs = pairwise(mine)
    return [(after.created - before.ejected).total_seconds() for before, after in pairs if before.ejected is not None]


def _leases(rig: BenchRig, pulses: Pulses) -> Iterator[Row]:
    beat = Sample.of([rig.settings.heartbeat])
    yield Row("longest silence between two heartbeats", "s", Sample.of(pulses.worst.values()), "a heartbeat", beat)
    yield _figure("leases lost", "", leases_lost(rig.mill.database))


def _megabytes(database: Database) -> float:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        if not database.is_sqlite:
            return float(db.scalar(text("SELECT pg_database_size(current_database())")) or 0) / 1e6
    with database.read() as reader:
        pages = reader.scalar(text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"))
    return float(pages or 0) / 1e6


def _inner(scale: Scale, name: str) -> Path:
    folder = scale.folder / name
    folder.mkdir()
    return folder


def _figure(name: str, unit: str, value: float) -> Row:
    return Row(name, unit, Sample.of([value]))
