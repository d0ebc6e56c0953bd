"""The database's schema: brought up to date, and checked, through the migrations."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

from jobs.errors import DiscError, Remedy
from models.database import Database


class SchemaDiffers(DiscError):
    """The database's tables are not those that this version works with."""

    code = "DISCMILL_E_SCHEMA"
    remedy = Remedy.FIX_ORDER


def upgrade(url: str) -> None:
    """Bring the schema to what this version works with; a SQLite database is made if there is none.

    Raises:
        SchemaDiffers: a newer version made it.
    """
    _refuse_newer(current_revision(url))
    command.upgrade(_config(url), "head")


def check(url: str) -> None:
    """Refuse a schema that is not what this version works with.

    Raises:
        SchemaDiffers: it is older, newer or not there.
    """
    current, head = current_revision(url), head_revision()
    _refuse_newer(current)
    if current is None:
        raise SchemaDiffers("the database has no tables yet; `discmill db upgrade` makes them")
    if current != head:
        raise SchemaDiffers(f"the schema is at revision {current} and must be at {head}; run `discmill db upgrade`")


def revision_of(db: Session) -> str | None:
    """Return the revision of an open database; None where nothing says it."""
    if not inspect(db.connection()).has_table("alembic_version"):
        return None
    revision: str | None = db.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def current_revision(url: str) -> str | None:
    """Return the revision that the database's schema is at; None before the first."""
    database = Database(url)
    try:
        with database.read() as db:
            return MigrationContext.configure(db.connection()).get_current_revision()
    finally:
        database.close()


def head_revision() -> str:
    """Return the revision that this version works with."""
    head = _scripts().get_current_head()
    if head is None:
        raise DiscError("there are no migrations; the installation is incomplete")
    return head


def _refuse_newer(current: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if current is not None and current not in known:
        raise SchemaDiffers(f"the schema is at revision {current}, of a newer version of discmill; install that one")


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(""))


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", "migrations:")
    config.attributes["url"] = url
    return config
