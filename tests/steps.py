"""A worker in the test's own process, whose every step the test takes, to hurt it where it hurts most."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy.exc import OperationalError

from jobs import data_disc
from jobs.dispatch import make_app
from jobs.mastering.medium import MediumInfo
from jobs.ordering import Options
from jobs.scheduling import Assignment, assign_to
from jobs.schema import upgrade
from jobs.settings import Settings, load_settings
from jobs.submission import Mill, submit
from models.database import Database
from workers import caretaker
from workers.binding import Binding
from workers.recorders.emulated_drive import EmulatedDrive
from workers.registry import register
from workers.station import Station

T = TypeVar("T")
#: Seconds until something that must not take long counts as hanging.
LONG = 20.0


class DeafBell:
    """A broker that is away."""

    def ring(self, _: Assignment) -> bool:
        return False


@dataclass(slots=True)
class Worker:
    """A recorder's worker whose threads do not run: the test takes each step."""

    settings: Settings
    binding: Binding
    root: Path

    @property
    def station(self) -> Station:
        return self.binding.station

    @property
    def database(self) -> Database:
        return self.station.database

    @property
    def drive(self) -> EmulatedDrive:
        return EmulatedDrive(self.settings.home / "r1")

    def order(self, **options: object) -> str:
        """Order one small disc; return the job's id."""
        folder = self.root / "photos"
        folder.mkdir(exist_ok=True)
        (folder / "1.raw").write_bytes(os.urandom(1 << 20))
        mill = Mill(self.settings, self.database, DeafBell())
        return submit(mill, data_disc(folder), Options(medium="dvd", **options))  # type: ignore[arg-type]

    def promise(self, **options: object) -> str:
        """Order a disc and give it to the recorder; return the attempt's id."""
        self.order(**options)
        caretaker.look(self.station)
        assignment = assign_to(self.database, "r1")
        assert assignment is not None
        return assignment.attempt

    def start_again(self) -> None:
        """Let the worker be another process: it owns the recorder anew and remembers no medium."""
        identity = self.station.device.recorder.identify()
        self.station.owner = register(self.database, self.settings, "r1", "emulated:r1", identity)
        self.station.media.id = ""

    def shelf(self, which: str) -> list[str]:
        return sorted(path.name for path in (self.settings.home / "r1" / "shelf" / which).glob("*.iso"))


def fails_once(monkeypatch: pytest.MonkeyPatch, target: object, name: str, error: Exception) -> None:
    """Let a function fail the first time it is called."""
    real: Callable[..., object] = getattr(target, name)
    left = [error]

    def failing(*arguments: object, **named: object) -> object:
        if left:
            raise left.pop()
        return real(*arguments, **named)

    monkeypatch.setattr(target, name, failing)


def burn(worker: Worker, attempt: str) -> None:
    """Deliver the message as Celery does; what the task raises is only logged there."""
    with contextlib.suppress(Exception):
        worker.binding.burn(attempt)


def away() -> OperationalError:
    return OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))


def within(seconds: float, act: Callable[[], T]) -> list[T]:
    """Return what an act returned in a list, or an empty one if it still hangs."""
    answer: list[T] = []
    thread = threading.Thread(target=lambda: answer.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    return list(answer)


class Killed(BaseException):
    """The worker's process ends here."""


def dies(*_: object, **__: object) -> None:
    raise Killed


def tray(worker: Worker) -> MediumInfo:
    medium = worker.station.device.recorder.probe()
    assert medium is not None
    return medium


@contextlib.contextmanager
def stepwise(tmp_path: Path) -> Iterator[Worker]:
    home = tmp_path / "home"
    settings = load_settings(
        home=home, content_roots=[tmp_path], watch=0.1, heartbeat=0.2, lease=1, back_off=0, broker_url="memory://"
    )
    home.mkdir()
    upgrade(settings.database_url)
    binding = Binding(settings, "r1", f"emulated:{home / 'r1'}", make_app("memory://", recorder="r1"))
    binding.station.bell = DeafBell()
    try:
        yield Worker(settings, binding, tmp_path)
    finally:
        binding.station.device.recorder.expect(None)
        binding.station.voice.close()
        binding.station.database.close()
        binding._lock.close()
