"""What an idle recorder's worker costs, and that nothing escapes it for all that."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select, update

from jobs import control, scheduling
from jobs.dispatch import make_app
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.rollup import journal
from jobs.scheduling import Assignment
from jobs.schema import upgrade
from jobs.settings import load_settings
from models.attempt import Attempt
from models.base import now
from models.database import Database
from models.job import Copy
from models.vocabulary import Condition
from tests.builders import a_job, recorder_row, set_condition
from tests.rigs import wait_until
from workers import caretaker
from workers.binding import Binding
from workers.recorders.emulated_drive import EmulatedDrive
from workers.station import Station


class HeardBell:
    """A broker that takes every message."""

    def ring(self, _: Assignment) -> bool:
        return True


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    """Give a worker's station whose drive was looked after until there was nothing left to do."""
    settings = load_settings(home=tmp_path, content_roots=[tmp_path], heartbeat=600, lease=1200, broker_url="memory://")
    upgrade(settings.database_url)
    binding = Binding(settings, "r1", f"emulated:{tmp_path / 'r1'}", make_app("memory://", recorder="r1"))
    binding.station.bell = HeardBell()
    caretaker.tend(binding.station, caretaker.start_up)
    for _ in range(3):
        caretaker.tend(binding.station, caretaker.patrol)
    try:
        yield binding.station
    finally:
        binding.station.voice.close()
        binding.station.database.close()
        binding._lock.close()


def drive_of(station: Station) -> EmulatedDrive:
    return EmulatedDrive(station.settings.home / "r1")


@contextmanager
def counting(database: Database) -> Generator[list[str]]:
    """Gather the statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_a_look_at_a_drive_where_nothing_changes_is_one_question_and_no_write(station: Station) -> None:
    with counting(station.database) as sent:
        for _ in range(5):
            caretaker.patrol(station)

    assert len(sent) == 5
    assert all(statement.startswith("SELECT") for statement in sent)


def order(station: Station, **over: object) -> str:
    with station.database.write() as db:
        job = a_job(db, 1, **over)
        journal(db, "submitted", job=job.id)
        return job.id


def attempts(station: Station) -> list[Attempt]:
    with station.database.read() as db:
        return list(db.scalars(select(Attempt)))


def test_an_order_ends_the_stillness(station: Station) -> None:
    job = order(station)

    caretaker.patrol(station)

    assert [attempt.job_id for attempt in attempts(station)] == [job]


def test_an_order_for_another_medium_ends_the_stillness(station: Station) -> None:
    order(station, medium="cd", blocks=1000)

    caretaker.patrol(station)

    assert recorder_row(station.database, "r1").medium_kind == MediumKind.CD_R


def test_a_request_ends_the_stillness(station: Station) -> None:
    request = control.ask(station.database, "r1", "eject")

    caretaker.patrol(station)

    assert control.answer_to(station.database, request) is not None


def test_a_disc_in_the_tray_that_nobody_loaded_ends_the_stillness(station: Station) -> None:
    drive_of(station).remove()
    drive_of(station).insert("dvd-r", MediumStatus.COMPLETE)
    assert recorder_row(station.database, "r1").condition is Condition.READY

    caretaker.patrol(station)

    assert len(list((station.settings.home / "r1" / "shelf" / "reject").glob("*.iso"))) == 1


def test_a_row_that_somebody_else_changed_ends_the_stillness(station: Station) -> None:
    set_condition(station.database, Condition.OFFLINE, "r1")

    caretaker.patrol(station)

    assert recorder_row(station.database, "r1").condition is Condition.READY


def test_what_comes_about_by_itself_is_found_within_a_heartbeat(station: Station) -> None:
    job = order(station)
    with station.database.write() as db:
        db.execute(update(Copy).values(not_before=now() + timedelta(minutes=1)))
    station.settings.heartbeat = 0.1
    for _ in range(3):
        caretaker.patrol(station)
    assert attempts(station) == []

    with station.database.write() as db:
        db.execute(update(Copy).values(not_before=None))  # as if the minute were over

    def assigned_by_a_patrol() -> bool:
        caretaker.patrol(station)
        return bool(attempts(station))

    wait_until(assigned_by_a_patrol, "the copy is assigned")
    assert [attempt.job_id for attempt in attempts(station)] == [job]


def test_a_round_that_failed_is_made_again(station: Station, monkeypatch: pytest.MonkeyPatch) -> None:
    order(station)
    with monkeypatch.context() as broken:
        broken.setattr(scheduling, "assign_to", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            caretaker.patrol(station)

    caretaker.patrol(station)

    assert len(attempts(station)) == 1
