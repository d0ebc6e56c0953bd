"""Run the one history of the tables on SQLite and PostgreSQL: all of an upgrade, or nothing of it.

The caller names the database: `config.attributes` holds its "url" or a "connection", or the command line says
`-x url=...`.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, TypeDecorator, text

import models.attempt
import models.delivery
import models.event
import models.figures
import models.job
import models.manifest
import models.recorder  # noqa: F401  (each brings its tables)
from models.base import Base
from models.database import Database

#: "discmill" in ASCII: whoever migrates holds this lock, the others wait and then find nothing to do.
_LOCK = 0x6469_7363_6D69_6C6C


def _run() -> None:
    given = context.config.attributes.get("connection")
    if context.is_offline_mode():
        _configure(None, _url())
        with context.begin_transaction():
            context.run_migrations()
    elif given is not None:
        _migrate(given)
    else:
        database = Database(_url())
        try:
            with database.engine.connect() as connection:
                _migrate(connection)
        finally:
            database.close()


def _url() -> str:
    url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        message = "no database to migrate; name it: alembic -x url=sqlite:////path/discmill.db upgrade head"
        raise CommandError(message)
    return str(url)


def _migrate(connection: Connection) -> None:
    _configure(connection, None)
    with _replaceable_tables(connection), context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        context.run_migrations()
        _check_references(connection)


def _configure(connection: Connection | None, url: str | None) -> None:
    context.configure(
        connection=connection,
        url=url,
        literal_binds=connection is None,  # `--sql` prints the statements whole
        target_metadata=Base.metadata,
        render_as_batch=True,  # SQLite alters a table by making it anew
        render_item=_spell_out,
        transactional_ddl=True,  # SQLite can; Alembic takes the driver's word, which ours overrules
    )


@contextmanager
def _replaceable_tables(connection: Connection) -> Generator[None]:
    """Let SQLite drop a table that others refer to: a batch operation makes it anew at once.

    The pragma does nothing inside a transaction, so it goes past SQLAlchemy, which would begin one.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    if connection.in_transaction():
        message = "the connection is in a transaction already, where SQLite can't alter tables that others refer to"
        raise CommandError(message)
    driver = connection.connection.cursor()
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def _check_references(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            message = f"nothing was changed: rows would refer to rows that are not there: {broken[:5]}"
            raise CommandError(message)


def _spell_out(kind: str, item: object, _context: object) -> str | Literal[False]:
    """Write our own types as the plain ones they are stored as, so that a version file imports no models."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


_run()
