"""A worker's station whose threads do not run: the test takes each step."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import event

from jobs.dispatch import make_app
from jobs.scheduling import Assignment
from jobs.schema import upgrade
from jobs.settings import load_settings
from models.database import Database
from workers import caretaker
from workers.binding import Binding
from workers.station import Station


class HeardBell:
    """A broker that takes every message."""

    def ring(self, _: Assignment) -> bool:
        return True


@contextmanager
def idle_station(folder: Path, options: str = "") -> Generator[Station]:
    """Give the station of recorder r1, whose drive was looked after until there was nothing left to do."""
    settings = load_settings(home=folder, content_roots=[folder], heartbeat=600, lease=1200, broker_url="memory://")
    upgrade(settings.database_url)
    binding = Binding(settings, "r1", f"emulated:{folder / 'r1'}{options}", make_app("memory://", recorder="r1"))
    station = binding.station
    station.bell = HeardBell()
    caretaker.tend(station, caretaker.start_up)
    for _ in range(3):
        caretaker.tend(station, caretaker.patrol)
    try:
        yield station
    finally:
        station.voice.close()
        station.database.close()
        binding._lock.close()


@contextmanager
def noting(database: Database) -> Generator[list[str]]:
    """Gather the statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
