"""What a disc leaves behind: bytes a row with its indexes, a disc's events, and what a scrape of the metrics takes."""

from collections.abc import Callable, Iterator

from sqlalchemy import select, text, update

from benchmarks.assignment import RECORDER
from benchmarks.crowd import Crowd, a_recorder, add_queue
from benchmarks.measuring import Scale, seconds
from benchmarks.postgres import new_database, running_postgres
from benchmarks.table import Row, Sample, skipped
from jobs import ledger
from jobs.figures import read_figures
from jobs.ledger import Owner, Verdict
from jobs.mastering.medium import MediumKind
from jobs.scheduling import assign_to, fresh
from jobs.schema import upgrade
from models.attempt import Attempt
from models.base import new_id
from models.database import Database
from models.recorder import Recorder
from models.vocabulary import Condition, Outcome, Stage

_TABLES = ("job", "copy", "attempt", "event", "manifest_entry")
_COPIES_A_JOB = 5


def run(scale: Scale) -> list[Row]:
    """Measure on SQLite, then on PostgreSQL if there is one."""
    discs = scale.pick(2_000, 200)
    rows = list(_measure("SQLite", f"sqlite:///{scale.folder / 'growth.db'}", discs))
    with running_postgres(scale.folder) as server:
        if server is None:
            return [*rows, skipped("PostgreSQL", "its programs (initdb, postgres) are not here")]
        return rows + list(_measure("PostgreSQL", new_database(server, "growth"), discs))


def _measure(kind: str, url: str, discs: int) -> Iterator[Row]:
    upgrade(url)
    database = Database(url)
    before = _sizes(database)
    for number in range(discs // _COPIES_A_JOB):
        _make_job(database, number)
    sizes, counts = _sizes(database), _counts(database)
    for table in _TABLES:
        bytes_a_row = (sizes[table] - before[table]) / counts[table]
        yield Row(f"{kind}: {table}, a row with its indexes", "bytes", Sample.of([bytes_a_row]))
    yield Row(f"{kind}: events of a disc", "", Sample.of([counts["event"] / counts["attempt"]]))
    yield Row(f"{kind}: all of a disc", "bytes", Sample.of([_growth(sizes, before) / counts["attempt"]]))
    scrapes = [seconds(_scrape(database)) * 1000 for _ in range(9)]
    yield Row(f"{kind}: a scrape of the metrics, {discs:,} discs", "ms", Sample.of(scrapes))
    database.close()


def _growth(sizes: dict[str, int], before: dict[str, int]) -> int:
    return sum(sizes[table] - before[table] for table in _TABLES if table != "manifest_entry")


def _make_job(database: Database, number: int) -> None:
    """Order discs and make them, with the protocol's own moves; each has content of ten files."""
    with database.write() as db:
        if db.get(Recorder, RECORDER) is None:
            db.add(a_recorder(RECORDER))
        add_queue(db, Crowd(_COPIES_A_JOB, _COPIES_A_JOB, files_a_job=9), f"job {number}")
    for _ in range(_COPIES_A_JOB):
        _make_disc(database)


def _make_disc(database: Database) -> None:
    assignment = assign_to(database, RECORDER)
    if assignment is None:
        raise RuntimeError("nothing was assigned")
    owner, attempt = Owner(RECORDER, 1), assignment.attempt
    with database.write() as db:
        ledger.start(db, attempt, owner)
    with database.write() as db:
        ledger.permit(db, attempt, owner, fresh(MediumKind.DVD_R), f"medium-{new_id()}")
    for stage in (Stage.CLOSING, Stage.VERIFYING):
        with database.write() as db:
            ledger.enter(db, attempt, owner, stage)
    with database.write() as db:
        ledger.settle(db, attempt, owner, Verdict(Outcome.GOOD, verified=True, image_sha256="2" * 64))
        db.execute(update(Recorder).values(condition=Condition.READY))


def _scrape(database: Database) -> Callable[[], object]:
    def look() -> object:
        with database.read() as db:
            return read_figures(db)

    return look


def _counts(database: Database) -> dict[str, int]:
    with database.read() as db:
        found = {table: int(db.scalar(text(f"SELECT count(*) FROM {table}")) or 0) for table in _TABLES}  # noqa: S608
        found["attempt"] = len(db.scalars(select(Attempt.id)).all())
        return found


def _sizes(database: Database) -> dict[str, int]:
    """Return the bytes of each table with its indexes, once nothing of it is only in a log."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        if not database.is_sqlite:
            db.execute(text("VACUUM ANALYZE"))
            return {t: int(db.scalar(text(f"SELECT pg_total_relation_size('{t}')")) or 0) for t in _TABLES}
    with database.read() as db:
        ours = "name = :t OR name IN (SELECT name FROM sqlite_master WHERE tbl_name = :t)"
        pages = text(f"SELECT sum(pgsize) FROM dbstat WHERE {ours}")  # noqa: S608  (made of a constant)
        return {table: int(db.scalar(pages, {"t": table}) or 0) for table in _TABLES}
