"""The database: whether it answers, whether its tables are ours, and whether it keeps what it confirmed."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import SQLAlchemyError

from jobs import schema
from jobs.cli import doors
from jobs.errors import DiscError
from jobs.settings import Settings
from models.database import Database
from workers.doctor.clock import skew_findings
from workers.doctor.findings import Finding, failing, well, worrying
from workers.doctor.mounts import Mount, mount_of, mounts

#: File systems on which SQLite's write-ahead log does not work: it needs memory that all programs share
#: (sqlite.org/wal.html, "all processes must be on the same host").
_ELSEWHERE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "glusterfs", "ceph", "afs", "ncpfs"}
_DURABLE = {
    "fsync": "a power cut may damage the whole database",
    "full_page_writes": "a power cut may damage tables",
    "synchronous_commit": "a crash of the server forgets what it confirmed, and so which disc was being written",
}
#: The synchronous_commit that is too little; `local` and more are fine.
_OFF = "off"


def database_findings(settings: Settings) -> Iterator[Finding]:
    """Open the database and look at it; where it can't be opened nothing more is said."""
    if settings.is_embedded and not Path(str(make_url(settings.database_url).database)).exists():
        yield worrying("database", f"no rig was started in {settings.home} yet", "`discmill up` makes all of it")
        return
    try:
        with doors.database(settings) as database:
            yield from _opened(settings, database)
    except (DiscError, SQLAlchemyError, OSError) as error:
        yield failing("database", f"{settings.database_url}: {_words(error)}", _remedy(settings, error))


def _opened(settings: Settings, database: Database) -> Iterator[Finding]:
    with database.read() as db:
        version = str(db.scalar(text("SELECT sqlite_version()" if database.is_sqlite else "SHOW server_version")))
    engine = "SQLite" if database.is_sqlite else "PostgreSQL"
    yield well("database", f"{settings.database_url}, {engine} {version}")
    yield from _schema(settings)
    yield from (_sqlite if database.is_sqlite else _postgres)(database)
    yield from skew_findings(database)


def _schema(settings: Settings) -> Iterator[Finding]:
    try:
        schema.check(settings.database_url)
    except DiscError as error:
        yield failing("database schema", error.message, "`discmill db upgrade`, with the newest version in use here")
    else:
        yield well("database schema", f"revision {schema.head_revision()}")


def _sqlite(database: Database) -> Iterator[Finding]:
    with database.read() as db:
        mode, synchronous = db.scalar(text("PRAGMA journal_mode")), db.scalar(text("PRAGMA synchronous"))
    file = Path(str(database.url.database)).resolve()
    yield grade_file_system(file, mount_of(file, mounts()))
    if mode != "wal":
        remedy = "see that its folder may be written and lies on a local disk"
        yield failing("database durability", f"SQLite keeps its journal as {mode!r}, not as a write-ahead log", remedy)
    else:
        yield well("database durability", f"write-ahead log, synchronous {synchronous}")


def grade_file_system(file: Path, mount: Mount | None) -> Finding:
    """Judge where SQLite's file lies."""
    if mount is not None and mount.type in _ELSEWHERE:
        seen = f"{file} lies on {mount.type} ({mount.source}), where SQLite's write-ahead log does not work"
        return failing("database file", seen, "move DISCMILL_HOME to a local disk; for several hosts use PostgreSQL")
    return well("database file", f"{file}, on {mount.type if mount else 'an unknown file system'}")


def _postgres(database: Database) -> Iterator[Finding]:
    with database.read() as db:
        told = {name: str(db.scalar(text(f"SHOW {name}"))) for name in _DURABLE}
    bad = [name for name, value in told.items() if value == _OFF]
    for name in bad:
        yield failing(
            "database durability", f"{name} is off: {_DURABLE[name]}", f"ALTER SYSTEM SET {name} = on; reload"
        )
    if not bad:
        yield well("database durability", ", ".join(f"{name} {value}" for name, value in told.items()))


def _words(error: Exception) -> str:
    if isinstance(error, DiscError):
        return error.message
    return " ".join(str(getattr(error, "orig", None) or error).split())


def _remedy(settings: Settings, error: Exception) -> str:
    if isinstance(error, DiscError):
        return "see DISCMILL_DATABASE_URL and DISCMILL_HOME (`discmill config`)"
    where = (
        "the disk and its permissions" if settings.database_url.startswith("sqlite") else "server, address, password"
    )
    return f"see to {where}: DISCMILL_DATABASE_URL (`discmill config`)"
