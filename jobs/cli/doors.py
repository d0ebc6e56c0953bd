# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""What commands open: the settings, the database, the Python API; and how they read the ids that people type."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import DiscError, NotFound, Remedy

if TYPE_CHECKING:
    from sqlalchemy.orm import InstrumentedAttribute, Session

    from jobs.client import Client
    from jobs.settings import Settings
    from models.database import Database

#: Characters of a whole id.
_WHOLE = 36
#: Seconds between two looks for an answer.
_LOOK = 0.1


class NoDatabase(DiscError):
    """There is no database where the settings say."""

    code = "DISCMILL_E_NO_DATABASE"
    remedy = Remedy.FIX_ORDER


class NotAnswered(DiscError):
    """A recorder's worker did not answer in time."""

    code = "DISCMILL_E_NOT_ANSWERED"
    remedy = Remedy.TRY_AGAIN


@contextmanager
def database(settings: "Settings | None" = None) -> "Iterator[Database]":
    """Open the database.

    Raises:
        NoDatabase: there is none yet.
    """
    from jobs.settings import load_settings
    from models.database import Database

    settings = settings or load_settings()
    _check(settings)
    opened = Database(settings.database_url)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def reading() -> "Iterator[Session]":
    """Open the database to look something up."""
    with database() as opened, opened.read() as db:
        yield db


@contextmanager
def client() -> "Iterator[Client]":
    """Open the Python API.

    Raises:
        NoDatabase: there is no database yet.
    """
    from jobs.client import Client
    from jobs.settings import load_settings

    settings = load_settings()
    _check(settings)
    with Client(settings=settings) as mill:
        yield mill


def _check(settings: "Settings") -> None:
    """Refuse to make an empty database where somebody mistook the home, or the driver is not installed."""
    try:
        found = _is_there(settings.database_url)
    except ModuleNotFoundError as error:
        raise NoDatabase(
            f"the driver of DISCMILL_DATABASE_URL is missing ({error}); install discmill[postgres]"
        ) from error
    if not found:
        message = (
            f"there is no database in {settings.home}; start a rig with `discmill up`, or set DISCMILL_HOME to its home"
        )
        raise NoDatabase(message)


def _is_there(url: str) -> bool:
    """Say whether there is a database to be opened; a server is believed to have it."""
    from sqlalchemy import make_url

    parsed = make_url(url)
    parsed.get_dialect().import_dbapi()
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return True
    return Path(parsed.database).exists()


def job_id(db: "Session", text: str) -> str:
    """Complete a job's id that was abbreviated."""
    from models.job import Job

    return _complete(db, Job.id, text)


def attempt_id(db: "Session", text: str) -> str:
    """Complete an attempt's id that was abbreviated."""
    from models.attempt import Attempt

    return _complete(db, Attempt.id, text)


def _complete(db: "Session", column: "InstrumentedAttribute[str]", text: str) -> str:
    """Return the one id that begins or ends so; if there is none the text itself, which somebody will not find.

    Raises:
        NotFound: there are several.
    """
    from sqlalchemy import or_, select

    if len(text) >= _WHOLE:
        return text
    parts = or_(column.startswith(text, autoescape=True), column.endswith(text, autoescape=True))
    found = db.scalars(select(column).where(parts).limit(2)).all()
    if len(found) > 1:
        raise NotFound(f"several ids begin or end with {text}; type more of it")
    return found[0] if found else text


def ask(  # noqa: PLR0913  (each has one meaning)
    opened: "Database",
    recorder: str,
    verb: str,
    job: str | None = None,
    *,
    timeout: float,
    sleep: Callable[[float], object] = time.sleep,
) -> Mapping[str, object]:
    """Ask something of a recorder's worker, and wait for its answer.

    Raises:
        NotFound, NotAllowed: the recorder is not there, or not idle.
        NotAnswered: nobody said anything in time; the request is withdrawn.
    """
    from jobs import control

    request = control.ask(opened, recorder, verb, job)
    give_up = time.monotonic() + timeout
    while (answer := control.answer_to(opened, request)) is None:
        if time.monotonic() >= give_up:
            control.withdraw_request(opened, request)
            raise NotAnswered(f"{recorder} did not answer in {timeout:g} seconds; the request is withdrawn")
        sleep(_LOOK)
    return answer
