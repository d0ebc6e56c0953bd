"""What tests of every kind share: real servers, one of each a run, and fresh databases on them.

A program that is missing fails the tests that need it, with the remedy; nothing is skipped.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from models.database import Database
from tests.builders import empty, fresh_database
from tests.servers import PostgresServer
from workers.embedded import EmbeddedRedis


@pytest.fixture
def short_path() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets; `tmp_path` is not always."""
    with tempfile.TemporaryDirectory(prefix="dm-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[EmbeddedRedis]:
    """Run one Redis server for the whole run; `broker_url` is it, emptied."""
    with tempfile.TemporaryDirectory(prefix="dm-redis-") as folder:
        state = Path(folder)
        with EmbeddedRedis(state, state / "redis.sock") as server:
            yield server


@pytest.fixture
def broker_url(redis_server: EmbeddedRedis) -> str:
    """Give the URL of a Redis server that holds nothing."""
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Run one PostgreSQL server for the whole run; it makes a database in some 50 ms."""
    with (
        tempfile.TemporaryDirectory(prefix="dm-postgres-") as folder,
        PostgresServer(Path(folder)) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """Give the URL of the server's own database, for administration."""
    return postgres_server.url()


@pytest.fixture
def postgres_database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database of the test's own."""
    name = postgres_server.new_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture
def sqlite_database_url(tmp_path: Path) -> str:
    """Give the URL of an empty SQLite database of the test's own."""
    return f"sqlite:///{tmp_path / 'discmill.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Give the URL of an empty database; the test runs once on each kind."""
    fixture = "sqlite_database_url" if request.param == "sqlite" else "postgres_database_url"
    url: str = request.getfixturevalue(fixture)
    return url


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
