"""What `jobs`, `show` and `find` take while a million copies are queued, beside a job with 100,000 discs."""

from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy.orm import Session

from benchmarks.crowd import Crowd, a_recorder, add_history, add_queue, job_id, settle_down
from benchmarks.measuring import Scale, seconds
from benchmarks.postgres import new_database, running_postgres
from benchmarks.table import Row, Sample, skipped
from jobs.following import Follower
from jobs.overview import find_documents, job_document, job_documents, recorder_documents
from jobs.schema import upgrade
from models.database import Database

_MS = 1000.0
#: Milliseconds that a look may take.
_GOAL = Sample.of([100.0])
_RECORDERS = [f"r{number}" for number in range(1, 65)]

Look = Callable[[Session], object]


def run(scale: Scale) -> list[Row]:
    """Measure on SQLite, then on PostgreSQL if there is one."""
    rows = _measure("SQLite", f"sqlite:///{scale.folder / 'overview.db'}", scale)
    with running_postgres(scale.folder) as server:
        if server is None:
            return [*rows, skipped("PostgreSQL", "its programs (initdb, postgres) are not here")]
        return rows + _measure("PostgreSQL", new_database(server, "overview"), scale)


def _measure(kind: str, url: str, scale: Scale) -> list[Row]:
    upgrade(url)
    database = Database(url)
    waiting = Crowd(scale.pick(1_000_000, 10_000), files_a_job=9)
    made = scale.pick(100_000, 1_000)
    with database.write() as db:
        db.add_all(map(a_recorder, _RECORDERS))
        db.flush()
        add_history(db, Crowd(made, made), _RECORDERS, "large")
        add_queue(db, Crowd(made, made), "waits")
        add_queue(db, waiting)
    settle_down(database)
    rows = [_row(f"{kind}: {name}", database, look, scale.pick(15, 3)) for name, look in _looks(waiting, made)]
    database.close()
    return rows


def _looks(waiting: Crowd, made: int) -> Iterator[tuple[str, Look]]:
    yield f"jobs, {waiting}", job_documents
    yield "jobs --state queued", partial(job_documents, state="queued")
    yield "jobs --state active, there is none", partial(job_documents, state="active")
    yield "show, a job of 10 copies", partial(job_document, job_id=job_id("queued", waiting.jobs // 2))
    yield f"show, a job with {made:,} copies queued", partial(job_document, job_id=job_id("waits", 0))
    yield f"show, a job with {made:,} discs, the last 100", partial(job_document, job_id=job_id("large", 0), limit=100)
    yield f"show --json, a job with {made:,} discs, all", partial(job_document, job_id=job_id("large", 0))
    yield f"watch, a look at a job with {made:,} discs", _following(job_id("large", 0))
    yield "find, a name that one job has", partial(find_documents, what=f"file {waiting.jobs // 2}-5")
    yield "find, a digest that one file has", partial(find_documents, what=f"{waiting.jobs // 2:056x}{5:08x}")
    yield f"find, a name that {waiting.jobs:,} jobs have", partial(find_documents, what="README.TXT")
    yield f"recorders, {len(_RECORDERS)}, {made:,} discs", recorder_documents


def _following(job: str) -> Look:
    return Follower(job).look


def _row(name: str, database: Database, look: Look, rounds: int) -> Row:
    """Measure looks, from the first query to the last document."""

    def once() -> None:
        with database.read() as db:
            look(db)

    once()  # the first of a connection plans its queries
    return Row(name, "ms", Sample.of(seconds(once) for _ in range(rounds)).scaled(_MS), "the goal", _GOAL)
