"""Media that hold something: nothing is erased without need, and no session goes onto another disc."""

import pytest

from jobs import control, ledger
from jobs.errors import Fenced
from jobs.mastering.medium import MediumInfo, MediumStatus
from models.job import Job
from models.recorder import Recorder
from models.vocabulary import Nonblank, Outcome
from tests.builders import attempt_row, recorder_row
from tests.steps import Worker, tray
from workers import attempt as attempt_story
from workers import caretaker
from workers.attempt import run_attempt
from workers.session import session_for


def a_used_rewritable(worker: Worker) -> None:
    """Put a disc with somebody's data into the tray."""
    worker.drive.insert("dvd-rw", MediumStatus.COMPLETE)


def test_a_simulation_erases_nothing(worker: Worker) -> None:
    a_used_rewritable(worker)

    attempt = worker.promise(simulate=True, nonblank=Nonblank.BLANK)
    run_attempt(worker.station, attempt)

    assert attempt_row(worker.database, attempt).outcome is Outcome.SIMULATED
    assert [path.name.split("-")[0] for path in (worker.settings.home / "r1" / "shelf" / "reject").glob("*.iso")] == [
        "not"
    ]


def test_a_worker_that_was_fenced_off_erases_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    a_used_rewritable(worker)
    attempt = worker.promise(nonblank=Nonblank.BLANK)
    real = attempt_story._check_medium

    def stopped_for_long(job: Job, medium: MediumInfo) -> None:
        real(job, medium)
        with worker.database.write() as db:  # the dispatcher takes its worker for dead
            assert ledger.abandon(db, attempt, db.get_one(Recorder, "r1").heartbeat)

    monkeypatch.setattr(attempt_story, "_check_medium", stopped_for_long)

    with pytest.raises(Fenced):
        run_attempt(worker.station, attempt)

    assert tray(worker).used


def test_a_job_that_was_called_off_erases_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    a_used_rewritable(worker)
    attempt = worker.promise(nonblank=Nonblank.BLANK)
    real = attempt_story._check_medium

    def called_off(job: Job, medium: MediumInfo) -> None:
        real(job, medium)
        control.cancel(worker.database, job.id)

    monkeypatch.setattr(attempt_story, "_check_medium", called_off)

    run_attempt(worker.station, attempt)

    assert tray(worker).used


def test_a_disc_swapped_after_its_sessions_were_read_stays_as_it_is(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.drive.insert("dvd-r", MediumStatus.APPENDABLE)
    attempt = worker.promise(nonblank=Nonblank.APPEND)

    def swapped(*given: object) -> object:
        session = session_for(*given)  # type: ignore[arg-type]
        worker.drive.remove()
        worker.drive.insert("dvd-r", MediumStatus.APPENDABLE)
        return session

    monkeypatch.setattr(attempt_story, "session_for", swapped)
    run_attempt(worker.station, attempt)

    row = attempt_row(worker.database, attempt)
    medium = worker.drive.status()["medium"]
    assert (row.outcome, row.error_code) == (Outcome.UNUSED, "IMAPI_E_WRONGDISC")
    assert isinstance(medium, dict)
    assert (medium["status"], len(medium["sessions"])) == (MediumStatus.APPENDABLE, 1)
    assert recorder_row(worker.database, "r1").attention is not None


def test_the_disc_of_a_promised_session_stays_in_the_tray_until_it_is_claimed(worker: Worker) -> None:
    worker.drive.insert("dvd-r", MediumStatus.APPENDABLE)
    attempt = worker.promise(nonblank=Nonblank.APPEND)

    caretaker.look(worker.station)

    medium = worker.drive.status()["medium"]
    assert isinstance(medium, dict)
    assert medium["used"]
    assert run_attempt(worker.station, attempt).startswith("good on r1")
