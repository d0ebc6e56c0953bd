"""What grows with the queue and the history, and what does not: the databases' own word on the questions asked most."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, event, func, insert, select, text
from sqlalchemy.orm import Session

from jobs import ledger
from jobs.figures import discs_by_recorder, jobs_by_state, queued_by_class
from jobs.ledger import Owner
from jobs.mastering.medium import MediumKind
from jobs.overview import Document, attempts_of, find_documents, job_document, job_documents
from jobs.rollup import roll_up
from jobs.scheduling import assign_to, fresh, next_copy
from models.attempt import Attempt
from models.base import Base, now
from models.database import Database
from models.delivery import IS_DUE, Delivery
from models.job import Copy, Job
from models.manifest import ManifestEntry
from tests.builders import a_job, a_recorder, fresh_database
from tests.servers import PostgresServer

QUEUED, DONE, ENTRIES = 100_000, 20_000, 20_000
#: Discs of one job, and the values that a statement may have, whatever it is about: PostgreSQL takes 65,535 at most.
LARGE, VALUES = 5_000, 1_500
MEDIA = ("cd", "dvd", "dvd-r", "bd")
DIGEST = "d" * 64
Values = tuple[object, ...] | dict[str, object]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def full(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give a database with a long queue, a long history and a large manifest."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans') / 'discmill.db'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.url(server.new_database())
    with fresh_database(url) as database:
        with database.write() as db:
            fill(db)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            if not database.is_sqlite:
                db.execute(text("ANALYZE"))
        yield database


def fill(db: Session) -> None:
    """Queue copies of four kinds of media; beside them, thousands of jobs that are done, each with its disc."""
    a_recorder(db)
    a_recorder(db, "right")
    jobs = [a_job(db, medium=medium) for medium in MEDIA]
    for job in jobs:
        repeat(db, Copy, QUEUED // len(MEDIA), like=f"job_id = '{job.id}'", number="n + 1", priority="n % 10")
    first = jobs[0]
    repeat(db, Job, DONE, like=f"id = '{first.id}'", id="'done-' || n", state="'completed'")
    repeat(db, Copy, DONE, like=f"job_id = '{first.id}'", job_id="'done-' || n", number="1", state="'done'")
    attempt = Attempt(job_id=first.id, copy_id=_copy_of(db, first), recorder="right", stage="settled", outcome="good")
    entry = ManifestEntry(manifest_id=jobs[1].manifest_id, path="wanted", name="wanted", sha256=DIGEST, **_ENTRY)
    common = ManifestEntry(manifest_id=first.manifest_id, path="common", name="common", **_ENTRY)
    db.add_all([attempt, entry, common])
    db.flush()
    done = "(SELECT id, job_id FROM copy WHERE state = 'done' AND job_id != 'large') AS done"
    of = {"id": "'good-' || done.id", "job_id": "done.job_id", "copy_id": "done.id"}
    repeat(db, Attempt, DONE, like=f"id = '{attempt.id}'", source=done, **of)
    repeat(db, Job, 1, like=f"id = '{first.id}'", id="'large'", state="'completed'")
    repeat(db, Copy, LARGE, like=f"job_id = '{first.id}'", job_id="'large'", number="n", state="'done'")
    made = "(SELECT id FROM copy WHERE job_id = 'large') AS made"
    of = {"id": "'large-' || made.id", "job_id": "'large'", "copy_id": "made.id"}
    repeat(db, Attempt, LARGE, like=f"id = '{attempt.id}'", source=made, **of)
    told = {"job_id": first.id, "state": "completed", "delivered": now()}
    db.execute(insert(Delivery), [told for _ in range(DONE)])
    repeat(db, ManifestEntry, ENTRIES, like="name = 'wanted'", position="n", name="'other-' || n", sha256="'' || n")


_ENTRY = {"position": 0, "folder": False, "size": 1, "mtime_ns": 0, "source_mtime_ns": 0, "inode": 0}


def repeat(db: Session, model: type[Base], times: int, like: str, source: str = "numbers", **over: str) -> None:
    """Add rows that are like one that is there, but for what is SQL in terms of n = 1, 2, … or of another source."""
    table = model.metadata.tables[model.__tablename__]
    columns = [column.name for column in table.columns if column.name != "id" or "id" in over]
    values = [over.get(name, f"t.{name}") for name in columns]
    db.execute(
        text(
            f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {times}) "  # noqa: S608
            f"INSERT INTO {table.name} ({', '.join(columns)}) SELECT {', '.join(values)} "
            f"FROM (SELECT * FROM {table.name} WHERE {like} LIMIT 1) AS t, {source}"
        )
    )


def _copy_of(db: Session, job: Job) -> int:
    return db.scalars(select(func.min(Copy.id)).where(Copy.job_id == job.id)).one()


class Plans:
    """How a database goes about the statements of an act, which leaves no trace."""

    def __init__(self, database: Database, act: Callable[[Session], object]) -> None:
        statements: list[tuple[str, Values]] = []

        def note(_connection: object, _cursor: object, statement: str, values: Values, *_more: object) -> None:
            if statement.lstrip().startswith(("SELECT", "UPDATE", "WITH")):
                statements.append((statement, values))

        with Session(database.engine) as db:
            event.listen(database.engine, "before_cursor_execute", note)
            act(db)
            event.remove(database.engine, "before_cursor_execute", note)
            db.rollback()
            self.values = max(len(values) for _, values in statements)
            self.steps = [step for words, values in statements for step in _explain(db.connection(), words, values)]

    def uses(self, index: str) -> bool:
        return any(index in step for step in self.steps)

    def scans(self, table: str) -> list[str]:
        """List the steps that read a table from its first row to its last."""
        whole = (f"SCAN {table} ", f"Seq Scan on {table} ")
        return [step for step in self.steps if any(words in f"{step} " for words in whole)]

    @property
    def sorts(self) -> bool:
        return any("TEMP B-TREE" in step or "Sort  (" in step for step in self.steps)


def _explain(db: Connection, statement: str, values: Values) -> list[str]:
    how = "EXPLAIN QUERY PLAN " if db.dialect.name == "sqlite" else "EXPLAIN "
    return [str(row[-1]) for row in db.exec_driver_sql(how + statement, values)]


def test_the_next_copy_is_found_through_its_index(full: Database) -> None:
    found: list[int] = []

    def look(db: Session) -> None:
        copy = next_copy(db, "left", fresh(MediumKind.DVD_R))
        assert copy is not None
        found.append(copy.priority)

    plans = Plans(full, look)

    assert found == [9]
    assert plans.uses("ix_copy_next")
    assert not plans.sorts
    assert plans.scans("copy") + plans.scans("attempt") == []


def test_looking_for_nothing_reads_nothing(full: Database) -> None:
    plans = Plans(full, lambda db: next_copy(db, "left", fresh(MediumKind.CD_R)))

    assert plans.uses("ix_copy_next")
    assert plans.scans("copy") == []


@pytest.mark.parametrize(
    ("what", "index"),
    [
        ("wanted", "ix_manifest_entry_name"),
        (DIGEST, "ix_manifest_entry_sha256"),
        (DIGEST, "ix_manifest_entry_origin_sha256"),
    ],
)
def test_a_file_is_found_through_an_index(full: Database, what: str, index: str) -> None:
    found: list[object] = []

    plans = Plans(full, lambda db: found.extend(find_documents(db, what)))

    assert len(found) == 1
    assert plans.uses(index)
    assert plans.scans("manifest_entry") == []
    assert plans.scans("job") == []


@pytest.mark.parametrize("which", ["queued", "completed"])
def test_a_jobs_state_is_derived_by_seeks(full: Database, which: str) -> None:
    with full.read() as db:
        job = db.scalars(select(Job).where(Job.state == which).limit(1)).one()

    plans = Plans(full, lambda db: roll_up(db, job))

    assert plans.uses("ix_copy_job_id_state")
    assert plans.scans("copy") == []


def test_an_attempt_is_claimed_through_its_key(full: Database) -> None:
    plans = Plans(full, lambda db: ledger.claim(db, "good-7", Owner("left", 1)))

    # PostgreSQL may come from the few that are unsettled instead
    assert any(plans.uses(index) for index in ("sqlite_autoindex_attempt_1", "pk_attempt", "_unsettled"))
    assert plans.scans("attempt") == []


def test_an_assignment_reads_no_table_whole(full: Database) -> None:
    assignment = assign_to(full, "left")
    assert assignment is not None

    for act in (
        lambda db: ledger.lock_rows(db, assignment.attempt),
        lambda db: ledger.withdraw(db, assignment.attempt, "it was only to see how"),
    ):
        plans = Plans(full, act)
        assert plans.scans("copy") + plans.scans("attempt") + plans.scans("job") == []


def test_a_scrape_counts_what_waits_in_one_pass_over_the_queue(full: Database) -> None:
    plans = Plans(full, queued_by_class)

    # Here the queue is most of the table, which PostgreSQL then rather reads whole: once, whatever the media.
    assert plans.uses("ix_copy_next") or not full.is_sqlite
    assert len([step for step in plans.steps if " copy" in step]) == 1
    assert not any("SubPlan" in step or "CORRELATED" in step for step in plans.steps)


@pytest.mark.parametrize(
    ("look", "table", "index"),
    [
        (jobs_by_state, "job", "ix_job_state_id"),
        (discs_by_recorder, "attempt", "ix_attempt_recorder_outcome"),
    ],
)
def test_a_scrape_counts_the_ledger_in_one_pass(
    full: Database, look: Callable[[Session], object], table: str, index: str
) -> None:
    plans = Plans(full, look)

    assert plans.uses(index) or len(plans.scans(table)) == 1  # what reads every row may as well read the table
    assert not any("Nested Loop" in step or "CORRELATED" in step for step in plans.steps)


def test_news_that_is_due_is_found_through_its_index(full: Database) -> None:
    due = select(Delivery.id).where(text(IS_DUE), Delivery.next_at <= now()).order_by(Delivery.next_at).limit(20)

    plans = Plans(full, lambda db: db.scalars(due).all())

    assert plans.uses("ix_delivery_due")


@pytest.mark.parametrize("state", [None, "completed", "active"])
def test_a_list_of_jobs_reads_as_much_as_it_shows(full: Database, state: str | None) -> None:
    plans = Plans(full, lambda db: job_documents(db, state, limit=5))

    whole = plans.scans("job") + plans.scans("copy") + plans.scans("attempt")
    assert [step for step in whole if "USING INDEX" not in step] == []  # SQLite's word for a walk that ends in time
    assert not plans.sorts


def test_the_last_attempts_of_a_large_job_are_found_without_sorting_them_all(full: Database) -> None:
    plans = Plans(full, lambda db: job_document(db, "large", limit=5))

    # PostgreSQL may go back through all attempts instead, where a good part of them is this job's
    assert any(plans.uses(index) for index in ("ix_attempt_job_id_id", "Backward using pk_attempt")), plans.steps
    assert not plans.sorts
    assert plans.scans("attempt") == []


def test_a_large_job_is_shown_whole_by_statements_of_few_values(full: Database) -> None:
    found: list[Document] = []

    plans = Plans(full, lambda db: found.extend([job_document(db, "large"), job_document(db, "large", limit=5)]))

    whole, last = (document["discs"] for document in found)
    assert isinstance(whole, list)
    assert len(whole) == LARGE
    assert last == whole[-5:]
    assert plans.values < VALUES


def test_a_name_that_thousands_of_jobs_have_is_found_with_all_their_discs(full: Database) -> None:
    found: list[Document] = []

    plans = Plans(full, lambda db: found.extend(find_documents(db, "common")))

    assert len(found) == DONE + 2
    assert Counter(document["good"] for document in found) == {1: DONE + 1, LARGE: 1}
    assert plans.values < VALUES


def test_a_look_behind_an_attempt_reads_no_older_one(full: Database) -> None:
    with full.read() as db:
        newest = db.scalars(select(func.max(Attempt.id)).where(Attempt.job_id == "large")).one()

    plans = Plans(full, lambda db: attempts_of(db, "large", after=newest))

    assert plans.scans("attempt") == []
    assert not plans.sorts
