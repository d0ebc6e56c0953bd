"""The history of the tables: it leads to what the models say, loses no row on the way, and leads back."""

import ast
import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Boolean, Connection, DateTime, Engine, Integer, Numeric, Table, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import JSON

import migrations
from models.base import Base, now
from models.database import Database
from tests.builders import a_job

TREE = Path(migrations.__file__).parent
ROOT = TREE.parent

# SQLAlchemy can't reflect an index on an expression on SQLite; `statements` below compares those as text.
expressions_unseen = pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression")


@pytest.fixture
def empty(database_url: str) -> Iterator[Database]:
    """Give a database without tables."""
    database = Database(database_url)
    yield database
    database.close()


def config(database: Database, scripts: str = "migrations:") -> Config:
    found = Config(output_buffer=io.StringIO())
    found.set_main_option("script_location", scripts)
    found.attributes["url"] = database.url.render_as_string(hide_password=False)
    return found


def upgrade(database: Database, to: str = "head") -> None:
    command.upgrade(config(database), to)


REVISIONS = [script.revision for script in ScriptDirectory(str(TREE)).walk_revisions()][::-1]


# --- what is there, as the database itself tells it


def tables(engine: Engine) -> dict[str, object]:
    """Describe tables, columns and constraints."""
    inspector = inspect(engine)
    return {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(name)],
            inspector.get_pk_constraint(name),
            sorted(inspector.get_foreign_keys(name), key=str),
            sorted(inspector.get_unique_constraints(name), key=str),
            sorted(inspector.get_check_constraints(name), key=str),
        )
        for name in set(inspector.get_table_names()) - {"alembic_version"}
    }


def indexes(engine: Engine) -> dict[str, str]:
    """Return the statement of every index: its columns, their order and its condition are in it."""
    sql = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if engine.dialect.name == "sqlite"
        else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    )
    with engine.connect() as db:
        found = {name: statement for name, statement in db.execute(text(sql)).all()}
    found.pop("alembic_version_pkc", None)
    return found


def constraint_names(engine: Engine) -> list[tuple[str, str | None]]:
    inspector = inspect(engine)
    found: list[tuple[str, str | None]] = []
    for table in set(inspector.get_table_names()) - {"alembic_version"}:
        found.append(("pk", inspector.get_pk_constraint(table)["name"]))
        found += [("fk", key["name"]) for key in inspector.get_foreign_keys(table)]
        found += [("uq", unique["name"]) for unique in inspector.get_unique_constraints(table)]
        found += [("ck", check["name"]) for check in inspector.get_check_constraints(table)]
    return found


# --- rows, by plain SQL: whatever the models say by now


def fill(engine: Engine) -> dict[str, dict[str, object]]:
    """Put one row into every table, as far as there are any; return what is in them."""
    with engine.begin() as db:
        for table in _reflected(db):
            db.execute(table.insert().values({column.name: _value(column.type) for column in table.columns}))
    return rows(engine)


def rows(engine: Engine) -> dict[str, dict[str, object]]:
    with engine.begin() as db:
        return {table.name: dict(db.execute(table.select()).mappings().one()) for table in _reflected(db)}


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def _reflected(db: Connection) -> list[Table]:
    raise NotImplementedError
