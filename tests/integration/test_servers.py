"""The servers that other tests stand on."""

import signal

import psycopg
import pytest
import redis
from sqlalchemy import create_engine, inspect, text

from tests.servers import PostgresServer
from workers.embedded import EmbeddedRedis


def test_every_test_gets_an_empty_database(database_url: str) -> None:
    engine = create_engine(database_url)

    with engine.begin() as db:
        assert inspect(db).get_table_names() == []
        db.execute(text("CREATE TABLE disc (id INTEGER)"))

    engine.dispose()


def test_every_test_gets_an_empty_broker(redis_server: EmbeddedRedis, broker_url: str) -> None:
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        assert client.dbsize() == 0
        client.set("left", "behind")

    assert broker_url == redis_server.url


def test_a_database_goes_even_while_somebody_is_connected(postgres_server: PostgresServer) -> None:
    name = postgres_server.new_database()

    with psycopg.connect(host=str(postgres_server.folder), dbname=name, user="discmill") as db:
        postgres_server.drop_database(name)

        with pytest.raises(psycopg.OperationalError):
            db.execute("SELECT 1")


def test_the_database_comes_back_after_a_crash(postgres_server: PostgresServer, postgres_url: str) -> None:
    name = postgres_server.new_database()

    postgres_server.stop(signal.SIGQUIT)
    postgres_server.start()

    engine = create_engine(postgres_url)
    with engine.connect() as db:
        found = db.execute(text("SELECT datname FROM pg_database WHERE datname = :name"), {"name": name}).scalar()
    engine.dispose()
    postgres_server.drop_database(name)
    assert found == name
