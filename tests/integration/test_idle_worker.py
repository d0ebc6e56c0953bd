"""What an idle recorder's worker costs, and that nothing escapes it for all that."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from jobs import control, scheduling
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.rollup import journal
from models.attempt import Attempt
from models.base import now
from models.job import Copy
from models.vocabulary import Condition
from tests.builders import a_job, recorder_row, set_condition
from tests.rigs import wait_until
from tests.stations import idle_station, noting
from workers import caretaker
from workers.recorders.emulated_drive import EmulatedDrive
from workers.station import Station


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    with idle_station(tmp_path) as found:
        yield found


def drive_of(station: Station) -> EmulatedDrive:
    return EmulatedDrive(station.settings.home / "r1")


def test_a_look_at_a_drive_where_nothing_changes_is_one_question_and_no_write(station: Station) -> None:
    with noting(station.database) as sent:
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
