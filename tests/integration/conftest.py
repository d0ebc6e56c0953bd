"""Databases with their tables, for tests of what is kept in them, and a worker that takes its steps one by one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from models.database import Database
from tests.builders import empty, fresh_database
from tests.servers import PostgresServer
from tests.steps import Worker, stepwise


@pytest.fixture(scope="session")
def sqlite_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Make the tables once a run, on SQLite; `database` is this one, or the one below, emptied."""
    with fresh_database(f"sqlite:///{tmp_path_factory.mktemp('database') / 'discmill.db'}") as database:
        yield database


@pytest.fixture(scope="session")
def postgres_database(postgres_server: PostgresServer) -> Iterator[Database]:
    """Make the tables once a run, on PostgreSQL."""
    with fresh_database(postgres_server.url(postgres_server.new_database())) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Database:
    """Give a database whose tables are empty; the test runs once on each kind."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    found: Database = request.getfixturevalue(name)
    empty(found)
    return found


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Give a worker of an emulated recorder whose steps the test takes."""
    with stepwise(tmp_path) as found:
        yield found
