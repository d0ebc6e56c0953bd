"""Migrations while workers of the version before finish their discs: what a migration may do, and what workers do."""

import io
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import func, select

from jobs import data_disc
from jobs.settings import load_settings, subprocess_environment
from models.attempt import Attempt
from models.base import new_id, now
from models.database import Database
from models.vocabulary import JobState, Outcome
from tests.builders import job_row, order, settle
from tests.integration.test_migrations import REVISIONS, TREE, add_revision, config, fill, reflected, upgrade
from tests.rigs import running_rig, wait_until
from workers.programs import own_command

#: A worker of the version before goes on reading and writing the columns it knows.
ALLOWED = [
    re.compile(r"CREATE TABLE (?P<new>\w+)"),
    re.compile(r"CREATE INDEX \w+ ON \w+"),
    re.compile(r"CREATE UNIQUE INDEX \w+ ON (?P<only_new>\w+)"),
    re.compile(r"ALTER TABLE \w+ ADD COLUMN \w+ (?!.*NOT NULL)"),
    re.compile(r"ALTER TABLE \w+ ADD COLUMN \w+ (?=.*DEFAULT )"),
    re.compile(r"(UPDATE|INSERT INTO) alembic_version|BEGIN|COMMIT|SELECT pg_advisory_xact_lock"),
]


def statements(sql: str) -> list[str]:
    lines = [line for line in sql.splitlines() if not line.startswith("--")]
    return [" ".join(part.split()) for part in "\n".join(lines).split(";") if part.strip()]


def breaches(sql: str) -> list[str]:
    """List the statements that a worker of the version before could not live with."""
    new: set[str] = set()
    found = []
    for statement in statements(sql):
        matches = [match for rule in ALLOWED if (match := rule.match(statement))]
        groups = {name: value for match in matches for name, value in match.groupdict().items() if value}
        new |= {groups["new"]} if "new" in groups else set()
        if not matches or ("only_new" in groups and groups["only_new"] not in new):
            found.append(statement)
    return found


def sql_of(scripts: Path | str = "migrations:", after: str = "0001") -> str:
    """Write the upgrade as PostgreSQL is told it."""
    written = config(Database("postgresql+psycopg://nobody@localhost/nothing"), scripts)
    written.output_buffer = io.StringIO()
    command.upgrade(written, f"{after}:head", sql=True)
    return written.output_buffer.getvalue()


def test_migrations_after_the_first_only_add() -> None:
    assert len(REVISIONS) > 1

    assert breaches(sql_of()) == []


@pytest.mark.parametrize(
    "change",
    [
        'op.drop_table("event")',
        'op.drop_column("job", "title")',
        'op.alter_column("job", "title", new_column_name="name")',
        'op.alter_column("job", "reason", nullable=False)',
        'op.alter_column("copy", "number", type_=sa.BigInteger())',
        'op.add_column("job", sa.Column("note", sa.Text(), nullable=False))',
        'op.create_index("uq_job_title", "job", ["title"], unique=True)',
        'op.create_check_constraint("short", "job", "length(title) < 9")',
        'op.execute("UPDATE attempt SET outcome = NULL")',
    ],
)
def test_a_migration_that_does_more_would_be_found(tmp_path: Path, change: str) -> None:
    scripts = Path(shutil.copytree(TREE, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__")))
    add_revision(scripts, f"    {change}")

    assert breaches(sql_of(scripts, REVISIONS[-1]))


def test_what_adds_is_no_breach(tmp_path: Path) -> None:
    scripts = Path(shutil.copytree(TREE, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__")))
    add_revision(scripts, ADDS)

    assert breaches(sql_of(scripts, REVISIONS[-1])) == []


#: Adds to every table that a worker or a dispatcher writes.
ADDS = """
    op.create_table("note", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("words", sa.Text()))
    op.create_index("uq_note_words", "note", ["words"], unique=True)
    for table in ["recorder", "job", "copy", "attempt", "event", "tally", "delivery", "service"]:
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("note", sa.String(8), nullable=True))
            batch.add_column(sa.Column("weight", sa.Integer(), server_default="1", nullable=False))
        op.create_index(f"ix_{table}_note", table, ["note"])
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_worker_finishes_its_disc_on_newer_tables_and_then_says_that_it_is_too_old(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "content").mkdir()
    scripts = Path(shutil.copytree(TREE, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__")))
    add_revision(scripts, ADDS)
    given = {} if kind == "sqlite" else {"database_url": request.getfixturevalue("postgres_database_url")}

    with running_rig(tmp_path / "rig", tmp_path / "content", options="?speed=1x", **given) as rig:
        job = rig.mill.submit(data_disc(rig.content("slow", size=6 << 20)), medium="dvd")
        rig.halfway(job)
        pid = rig.pid("r1")

        upgrade(rig.mill.database, scripts=scripts)
        rig.disc_in_stage(job, "writing")  # its disc is still being made

        assert job.wait(timeout=60).good == 1
        wait_until(lambda: rig.program("r1").process is None or rig.pid("r1") != pid, "the old worker has ended")
        log = rig.settings.home / "logs" / "r1.log"
        wait_until(lambda: "of a newer version of discmill; install that one" in log.read_text(), "it says why")

    assert f"the schema went from {REVISIONS[-1]} to 9999; the disc under way is the last one" in log.read_text()
    assert len(rig.shelf()) == 1


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_todays_tables_take_what_code_of_an_older_revision_writes(database_url: str, revision: str) -> None:
    database = Database(database_url)
    upgrade(database, revision)
    known = reflected(database)  # all that such code ever names
    upgrade(database)

    fill(database, known)
    with database.engine.begin() as db:
        for table in known:
            changed = {column.name: column for column in table.columns if not column.primary_key}
            assert db.execute(table.update().values(changed)).rowcount == 1
        found = {table.name: db.execute(table.select()).mappings().one() for table in known}
        gone = [db.execute(table.delete()).rowcount for table in reversed(known)]
    database.close()

    assert all(set(found[table.name]) == set(table.columns.keys()) for table in known)
    assert gone == [1] * len(known)


def test_a_disc_that_an_older_revisions_code_began_is_settled_by_todays(database_url: str) -> None:
    database = Database(database_url)
    upgrade(database, "0002")
    known = {table.name: table for table in reflected(database)}
    upgrade(database)
    order(database)
    attempt, before = new_id(), attempts(database)
    with database.engine.begin() as db:  # assigned, claimed and permitted, each in the columns of then
        copy, job = db.execute(select(known["copy"].c.id, known["copy"].c.job_id)).one()
        row = {"id": attempt, "job_id": job, "copy_id": copy, "recorder": "left", "epoch": 1, "stage": "writing"}
        medium = {"medium_kind": "dvd-r", "medium_id": "m", "medium_erases": 0, "medium_session": 1}
        db.execute(known["attempt"].insert().values(**row, **medium, blocks_done=0, blocks_total=9, created=now()))
        db.execute(known["copy"].update().values(state="active"))
        db.execute(known["event"].insert().values(kind="writing", job_id=job, attempt_id=attempt, at=now(), data={}))

    assert settle(database, attempt, Outcome.GOOD) is Outcome.GOOD

    assert (before, attempts(database)) == (0, 1)
    assert job_row(database, str(job)).state is JobState.COMPLETED
    database.close()


def attempts(database: Database) -> int:
    with database.read() as db:
        return db.scalar(select(func.count()).select_from(Attempt)) or 0


@pytest.mark.parametrize("words", [["worker", "--recorder", "r1=emulated:{home}/r1"], ["dispatcher"]])
@pytest.mark.parametrize(("at", "said"), [("0001", "run `discmill db upgrade`"), (None, "`discmill db upgrade` makes")])
def test_what_finds_older_tables_says_what_they_need(
    tmp_path: Path, words: list[str], at: str | None, said: str
) -> None:
    settings = load_settings(home=tmp_path, broker_url="memory://")
    database = Database(settings.database_url)
    if at is not None:
        upgrade(database, at)
    database.close()

    command_line = own_command(*[word.format(home=tmp_path) for word in words])
    environment = subprocess_environment(settings)
    done = subprocess.run(command_line, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert said in done.stderr
