"""The history of the tables: it leads to what the models say, loses no row on the way, and leads back."""

import ast
import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import MetaData, Table, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import JSON, Boolean, DateTime, Float, Integer, Numeric, String, TypeEngine

import migrations
from models.base import Base, now
from models.database import Database
from tests.builders import a_job, order

TREE = Path(migrations.__file__).parent
VERSIONS = sorted((TREE / "versions").glob("*.py"))
REVISIONS = [script.revision for script in ScriptDirectory(str(TREE)).walk_revisions()][::-1]


@pytest.fixture
def nothing(database_url: str) -> Iterator[Database]:
    """Give a database without tables."""
    database = Database(database_url)
    yield database
    database.close()


def config(database: Database, scripts: Path | str = "migrations:") -> Config:
    found = Config(stdout=io.StringIO())
    found.set_main_option("script_location", str(scripts))
    found.attributes["url"] = database.url.render_as_string(hide_password=False)
    return found


def upgrade(database: Database, to: str = "head", scripts: Path | str = "migrations:") -> None:
    command.upgrade(config(database, scripts), to)


# --- what is there, as the database itself tells it


def tables(database: Database) -> dict[str, list[object]]:
    """Describe columns and constraints of every table."""
    inspector = inspect(database.engine)
    return {
        name: [
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name),
            sorted(inspector.get_foreign_keys(name), key=str),
            sorted(inspector.get_unique_constraints(name), key=str),
            sorted(inspector.get_check_constraints(name), key=str),
        ]
        for name in set(inspector.get_table_names()) - {"alembic_version"}
    }


def indexes(database: Database) -> dict[str, str]:
    """Return the statement of every index: its columns, their order and its condition are in it."""
    if database.is_sqlite:
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    else:
        sql = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    with database.engine.connect() as db:
        found = {str(name): str(statement) for name, statement in db.execute(text(sql))}
    found.pop("alembic_version_pkc", None)
    return found


def version(database: Database) -> str | None:
    with database.engine.connect() as db:
        return MigrationContext.configure(db).get_current_revision()


def is_told_whole(name: str | None, _kind: object, _parents: object) -> bool:
    """SQLite tells of an index's columns, but not of their order; `indexes` compares that."""
    return name != "ix_copy_next"


# --- rows, by what the database says of its tables: whatever the models say by now


def fill(database: Database, known: list[Table] | None = None) -> None:
    """Put one row into every table, each referring to the others by the values that all columns of a type share."""
    found = reflected(database) if known is None else known
    with database.engine.begin() as db:
        for table in found:
            db.execute(table.insert().values({column.name: a_value(column.type) for column in table.columns}))


def a_value(kind: TypeEngine[object]) -> object:
    found = next(value for types, value in VALUES if isinstance(kind, types))
    return now() if found is now else found


VALUES: list[tuple[type | tuple[type, ...], object]] = [
    (Boolean, False),
    (DateTime, now),
    (JSON, {"disc": 1}),
    ((Integer, Numeric, Float), 1),
    (String, "1"),
]


def rows(database: Database) -> dict[str, list[dict[str, object]]]:
    found = reflected(database)
    with database.engine.begin() as db:
        return {table.name: [dict(row) for row in db.execute(table.select()).mappings()] for table in found}


def reflected(database: Database) -> list[Table]:
    found = MetaData()
    found.reflect(database.engine)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


# --- there and back


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
def test_the_history_leads_to_what_the_models_say(nothing: Database) -> None:
    upgrade(nothing)

    with nothing.engine.connect() as db:
        opts = {"include_name": is_told_whole} if nothing.is_sqlite else {}
        assert compare_metadata(MigrationContext.configure(db, opts=opts), Base.metadata) == []
    migrated = tables(nothing), indexes(nothing)
    command.downgrade(config(nothing), "base")
    Base.metadata.create_all(nothing.engine)
    assert migrated == (tables(nothing), indexes(nothing))
    assert "WHERE" in indexes(nothing)["ix_copy_next"].upper()


def test_the_history_leads_back_and_there_again(nothing: Database) -> None:
    upgrade(nothing)
    before = tables(nothing), indexes(nothing)

    command.downgrade(config(nothing), "base")
    assert (tables(nothing), indexes(nothing), version(nothing)) == ({}, {}, None)
    upgrade(nothing)

    assert (tables(nothing), indexes(nothing), version(nothing)) == (*before, REVISIONS[-1])


def test_every_constraint_has_its_name(nothing: Database) -> None:
    upgrade(nothing)

    for columns, primary, foreign, unique, checks in tables(nothing).values():
        assert columns
        assert str(primary["name"]).startswith("pk_")  # type: ignore[index]
        for keys, prefix in [(foreign, "fk_"), (unique, "uq_"), (checks, "ck_")]:
            assert all(str(key["name"]).startswith(prefix) for key in keys)  # type: ignore[attr-defined]
    assert all(name.startswith(("ix_", "uq_", "pk_")) for name in indexes(nothing))


def test_states_are_words_in_sql(nothing: Database) -> None:
    upgrade(nothing)
    order(nothing)

    with nothing.engine.connect() as db:
        assert db.execute(text("SELECT state FROM copy")).scalar() == "queued"
        assert db.execute(text("SELECT state, stage FROM job")).one() == ("queued", "reference")
        assert db.execute(text("SELECT intent, condition, medium_status FROM recorder")).one() == (
            "enabled",
            "ready",
            "blank",
        )


def test_wrong_numbers_are_refused_by_the_database_itself(nothing: Database) -> None:
    upgrade(nothing)

    for wrong in [{"copies": 0}, {"priority": 10}, {"manifest_id": 7}]:
        with pytest.raises(IntegrityError), nothing.write() as db:
            a_job(db, **{"copies": 1, **wrong})


# --- rows stay


@pytest.mark.parametrize(("before", "after"), list(pairwise(["base", *REVISIONS])))
def test_each_step_keeps_the_rows(nothing: Database, before: str, after: str) -> None:
    if before != "base":
        upgrade(nothing, before)
    fill(nothing)
    there = rows(nothing)

    upgrade(nothing, after)

    kept = rows(nothing)
    for table, (row,) in there.items():
        assert [{name: found[name] for name in row} for found in kept[table]] == [row]


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(nothing: Database) -> None:
    upgrade(nothing)
    fill(nothing)
    before = rows(nothing), tables(nothing), indexes(nothing)
    assert all(len(found) == 1 for found in before[0].values())

    upgrade(nothing)

    assert (rows(nothing), tables(nothing), indexes(nothing)) == before


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Copy the history, to go on with it."""
    return Path(shutil.copytree(TREE, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__")))


def add_revision(scripts: Path, upgrade: str, downgrade: str = "pass") -> None:
    (scripts / "versions" / "9999_for_a_test.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision, down_revision = '9999', {REVISIONS[-1]!r}\n"
        f"def upgrade():\n{upgrade}\n"
        f"def downgrade():\n    {downgrade}\n"
    )


#: Makes every table anew on SQLite, those that others refer to as well.
ADD_A_COLUMN = """
    recreate = "always" if op.get_bind().dialect.name == "sqlite" else "auto"
    condition = sa.text("state = 'queued' AND NOT held")
    op.drop_index("ix_copy_next", "copy")
    tables = ["manifest", "manifest_entry", "recorder", "recorder_request", "job", "copy", "attempt", "event"]
    for table in [*tables, "delivery", "tally", "service"]:
        with op.batch_alter_table(table, recreate=recreate) as batch:
            batch.add_column(sa.Column("note", sa.String(8), server_default="none"))
    op.create_index(
        "ix_copy_next",
        "copy",
        ["media_class", sa.literal_column("priority DESC"), "id"],
        sqlite_where=condition,
        postgresql_where=condition,
    )
"""


def test_making_the_tables_anew_keeps_rows_constraints_and_indexes(nothing: Database, scripts: Path) -> None:
    upgrade(nothing)
    fill(nothing)
    there, before = rows(nothing), (tables(nothing), indexes(nothing))
    add_revision(scripts, ADD_A_COLUMN)

    upgrade(nothing, scripts=scripts)

    assert rows(nothing) == {table: [{**row, "note": "none"}] for table, (row,) in there.items()}
    after = tables(nothing)
    for columns, *_ in after.values():
        assert isinstance(columns, list)
        assert columns.pop()[0] == "note"
    assert after == before[0]
    assert {name: unquoted(sql) for name, sql in indexes(nothing).items()} == {
        name: unquoted(sql) for name, sql in before[1].items()
    }
    with pytest.raises(IntegrityError), nothing.write() as db:
        db.execute(text("DELETE FROM job"))  # others still refer to it


def unquoted(sql: str) -> str:
    return sql.replace('"', "")


# --- all or nothing


def test_an_upgrade_that_fails_changes_nothing(nothing: Database, scripts: Path) -> None:
    upgrade(nothing)
    fill(nothing)
    before = rows(nothing), tables(nothing), version(nothing)
    add_revision(scripts, "    op.create_table('more', sa.Column('id', sa.Integer))\n    op.execute('SELECT nonsense')")

    with pytest.raises(Exception, match="nonsense"):
        upgrade(nothing, scripts=scripts)

    assert (rows(nothing), tables(nothing), version(nothing)) == before


def test_an_upgrade_that_would_leave_rows_without_what_they_refer_to_changes_nothing(
    nothing: Database, scripts: Path
) -> None:
    upgrade(nothing)
    fill(nothing)
    before = rows(nothing)
    add_revision(scripts, "    op.execute('DELETE FROM manifest')")

    with pytest.raises((CommandError, IntegrityError)):
        upgrade(nothing, scripts=scripts)

    assert rows(nothing) == before


def test_several_may_upgrade_at_once(nothing: Database) -> None:
    url = nothing.url.render_as_string(hide_password=False)
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "alembic", "-x", f"url={url}", "upgrade", "head"],
            cwd=TREE.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(3)
    ]

    for program in programs:
        said, _ = program.communicate(timeout=60)
        assert program.returncode == 0, said
    assert version(nothing) == REVISIONS[-1]


# --- how it is called


def test_an_upgrade_takes_a_connection_too(nothing: Database) -> None:
    given = config(nothing)
    del given.attributes["url"]
    with nothing.engine.connect() as given.attributes["connection"]:
        command.upgrade(given, "head")

    assert version(nothing) == REVISIONS[-1]
    assert tables(nothing)


def test_a_database_has_to_be_named(nothing: Database) -> None:
    given = config(nothing)
    del given.attributes["url"]

    with pytest.raises(CommandError, match="name it"):
        command.upgrade(given, "head")


def test_statements_can_be_read_first(nothing: Database) -> None:
    given = config(nothing)
    given.output_buffer = written = io.StringIO()

    command.upgrade(given, "head", sql=True)

    assert "CREATE TABLE attempt" in written.getvalue()
    assert tables(nothing) == {}


@pytest.mark.parametrize("path", VERSIONS, ids=lambda path: path.name)
def test_a_version_spells_everything_out(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert imported <= {"sqlalchemy", "alembic"}


def test_an_installed_package_brings_the_history_along(tmp_path: Path) -> None:
    root = TREE.parent
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=root, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "installed")
    found = tmp_path / "installed" / "migrations"

    program = (
        "from alembic import command; from alembic.config import Config; import migrations;"
        "c = Config(); c.set_main_option('script_location', 'migrations:'); c.attributes['url'] = 'sqlite:///made.db';"
        "command.upgrade(c, 'head'); print(migrations.__file__)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(found.parent)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert Path(said.stdout.strip()) == found / "__init__.py"
    assert (found / "script.py.mako").exists()
    assert (tmp_path / "made.db").exists()
