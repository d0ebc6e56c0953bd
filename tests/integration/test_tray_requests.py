"""What people and loaders do with the tray: what an operator asks for, and blanks that do not suit."""

import contextlib

import pytest

from jobs import audio_disc, control
from jobs.errors import RecorderBusy
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.ordering import Options
from jobs.scheduling import assign_to
from jobs.submission import Mill, submit
from models.recorder import RecorderRequest
from models.vocabulary import Nonblank
from tests.builders import attempt_row, job_row, recorder_row
from tests.sounds import write_track
from tests.steps import DeafBell, Worker
from workers import caretaker, requests
from workers.attempt import run_attempt
from workers.recorders.emulated_drive import EmulatedDrive


def test_a_feeder_that_brings_wrong_media_calls_a_person(worker: Worker) -> None:
    worker.drive.add_fault("wrong-medium")
    worker.order()

    for _ in range(6):
        worker.binding._tend(caretaker.round_trip)

    row = recorder_row(worker.database, "r1")
    assert "brought a blank" in str(row.attention)
    assert int(str(worker.drive.status()["discs"])) < 6


def test_a_request_that_fails_oddly_is_answered_and_the_recorder_goes_on(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    caretaker.look(worker.station)
    request = control.ask(worker.database, "r1", "eject")
    monkeypatch.setattr(requests, "_carry_out", _breaks)

    worker.binding._tend(caretaker.round_trip)

    assert control.answer_to(worker.database, request) is not None


def _breaks(*_: object) -> None:
    message = "array index out of range"
    raise IndexError(message)


def test_a_disc_that_nobody_found_good_is_not_ejected_to_the_good_ones(worker: Worker) -> None:
    control.pause(worker.database, ["r1"])
    worker.drive.insert("dvd-r", MediumStatus.COMPLETE)
    caretaker.look(worker.station)
    request = control.ask(worker.database, "r1", "eject")

    requests.answer_requests(worker.station)

    assert control.answer_to(worker.database, request) is not None
    assert worker.shelf("accept") == []


def verified(worker: Worker, attempt: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Make an attempt's disc, which stays in the tray; have it compared with its job, and return the answer."""
    monkeypatch.setattr(EmulatedDrive, "take_out", _stuck)
    with contextlib.suppress(RecorderBusy):
        run_attempt(worker.station, attempt)
    with worker.database.write() as db:
        request = RecorderRequest(recorder="r1", verb="verify", job_id=attempt_row(worker.database, attempt).job_id)
        db.add(request)
        db.flush()
    requests.answer_requests(worker.station)
    with worker.database.read() as db:
        answer = db.get_one(RecorderRequest, request.id).answer
    assert answer is not None
    return answer


def _stuck(*_: object) -> None:
    raise RecorderBusy("the tray is stuck")


def test_an_appended_disc_in_the_tray_is_verified_by_its_own_master(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.drive.insert("dvd-r", MediumStatus.APPENDABLE)
    attempt = worker.promise(nonblank=Nonblank.APPEND)

    answer = verified(worker, attempt, monkeypatch)

    row = attempt_row(worker.database, attempt)
    assert answer["ok"] is True, answer
    assert answer["image_sha256"] == row.image_sha256 != job_row(worker.database, row.job_id).image_sha256


def test_an_audio_disc_in_the_tray_is_verified_by_its_samples_and_its_programme(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_track(worker.root / "1.wav", 5, 1, title="One")
    mill = Mill(worker.settings, worker.database, DeafBell())
    submit(mill, audio_disc(worker.root / "1.wav"), Options())
    caretaker.look(worker.station)
    assignment = assign_to(worker.database, "r1")
    assert assignment is not None

    answer = verified(worker, assignment.attempt, monkeypatch)

    assert answer["ok"] is True, answer


def test_a_drive_s_row_says_what_it_is_and_what_it_writes(worker: Worker) -> None:
    caretaker.start_up(worker.station)

    row = recorder_row(worker.database, "r1")
    assert (row.product, row.firmware) == ("EMULATED DRIVE", "1")
    assert row.writes == list(MediumKind)
