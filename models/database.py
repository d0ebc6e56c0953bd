"""The door to the database: one for reads, one for writes, the same on SQLite and PostgreSQL."""

import sqlite3
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.orm import Session

from models.turn import turn

#: Seconds a writer waits for another one on SQLite before it gives up.
BUSY_TIMEOUT = 30
#: Seconds that it queues for its turn before that.
TURN_TIMEOUT = 10
#: Seconds a PostgreSQL server gets to answer a connection, and to take what was sent to it.
CONNECT_TIMEOUT = 10
NETWORK_TIMEOUT = 30
#: Connections to PostgreSQL of one program at a time; all but one are given back at once, for a server has few.
CONNECTIONS = 6
#: Seconds until PostgreSQL ends a transaction whose program does nothing: it was stopped, or its host was cut off,
#: and what it had locked would stay locked. Shorter than a lease: the copy it holds up can go elsewhere in time.
IDLE_TIMEOUT = 10


class Database:
    """A database and the two kinds of transactions the project uses.

    On SQLite a write begins with BEGIN IMMEDIATE: a transaction that reads first and writes later
    would otherwise fail at once when another writer came between, whatever the busy timeout.
    """

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = _sqlite_engine(url) if self.is_sqlite else _postgres_engine(url)
        one_state = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        self._reader = self.engine.execution_options(discmill_reads=True, **one_state)
        self._hasty = self.engine.execution_options(discmill_hasty=True)

    @contextmanager
    def write(self, *, durable: bool = True) -> Generator[Session]:
        """Open a transaction that may change rows; commit on normal return, else roll back.

        One that is not durable does not wait for the disk: a power cut may undo it, and nothing else.
        """
        engine = self.engine if durable else self._hasty
        with self._turn(), Session(engine, expire_on_commit=False) as db, db.begin():
            if not (durable or self.is_sqlite):
                db.execute(text("SET LOCAL synchronous_commit = off"))
            yield db

    @contextmanager
    def read(self) -> Generator[Session]:
        """Open a transaction that only looks, and sees one state of the database throughout."""
        with Session(self._reader, expire_on_commit=False) as db, db.begin():
            yield db

    def _turn(self) -> AbstractContextManager[None]:
        file = self.url.database if self.is_sqlite else None
        return turn(Path(f"{file}-queue"), TURN_TIMEOUT) if file else nullcontext()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _postgres_engine(url: str) -> Engine:
    """Connect with a deadline, notice a server that is gone, and let it notice when we are."""
    patience = {
        "connect_timeout": CONNECT_TIMEOUT,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "tcp_user_timeout": NETWORK_TIMEOUT * 1000,
        "options": f"-c idle_in_transaction_session_timeout={IDLE_TIMEOUT * 1000}",
    }
    return create_engine(url, pool_pre_ping=True, pool_size=1, max_overflow=CONNECTIONS - 1, connect_args=patience)


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_connection(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a power cut must not undo "about to write"
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("discmill_reads", False):
        connection.exec_driver_sql("BEGIN")
        return
    # A later transaction that is durable takes with it to the disk what hasty ones wrote before.
    connection.exec_driver_sql(f"PRAGMA synchronous = {'NORMAL' if options.get('discmill_hasty', False) else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
