# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""Whether one program lives: judged as the dispatcher judges workers, by a counter and the observer's own clock."""

import http.client
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from jobs.cli import doors
from jobs.errors import DiscError, NotFound, Remedy

if TYPE_CHECKING:
    from jobs.settings import Settings

#: Seconds between two looks, and how many more than two heartbeats a program gets.
_LOOK, _MORE = 0.1, 3.0
#: The port of Flower where none was chosen: its own.
_FLOWER_PORT = 5555
_FINE = 200


class NotAlive(DiscError):
    """A program does not live."""

    code = "DISCMILL_E_NOT_ALIVE"
    remedy = Remedy.TRY_AGAIN


def check_dispatcher(settings: "Settings") -> str:
    """Watch the heart of this host's dispatcher until it beats.

    Raises:
        NotAlive: it does not, or never did.
    """
    from jobs import tally

    name = tally.dispatcher_of(settings.host)
    with doors.database(settings) as database:

        def counter() -> int | None:
            with database.read() as db:
                return tally.beats(db, name)

        _watch(settings, name, counter)
    return f"{name} does its rounds"


def check_worker(settings: "Settings", name: str) -> str:
    """Watch the heart of a recorder's worker until it beats.

    Raises:
        NotAlive: it does not.
        NotFound: no such recorder.
    """
    from jobs.overview import shown_state
    from models.recorder import Recorder

    with doors.database(settings) as database:

        def counter() -> int | None:
            with database.read() as db:
                recorder = db.get(Recorder, name)
                return None if recorder is None else recorder.heartbeat

        if counter() is None:
            raise NotFound(f"no recorder {name}; its worker has never run with this database")
        _watch(settings, f"the worker of {name}", counter)
        with database.read() as db:
            recorder = db.get_one(Recorder, name)
            return f"its worker lives; the recorder is {shown_state(recorder)}"


def check_flower(settings: "Settings") -> str:
    """Ask Flower whether it answers.

    Raises:
        NotAlive: it does not.
    """
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (told from an address to be asked)
    address = everywhere.get(settings.flower_address, settings.flower_address)
    port = settings.flower_port or _FLOWER_PORT
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/healthcheck")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotAlive(f"Flower does not answer at {address}:{port} ({error})") from error
    finally:
        connection.close()
    if status != _FINE:
        raise NotAlive(f"Flower answers at {address}:{port} with status {status}")
    return f"answers at {address}:{port}"


def _watch(settings: "Settings", who: str, counter: Callable[[], int | None]) -> None:
    first, patience = counter(), 2 * settings.heartbeat + _MORE
    give_up = time.monotonic() + patience
    while counter() == first:
        if time.monotonic() > give_up:
            raise NotAlive(f"{who} gave no sign of life in {patience:g} seconds; look at its log, and start it again")
        time.sleep(_LOOK)
