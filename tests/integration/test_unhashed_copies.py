"""Copies that nobody hashed while they were burnt: the disc, read back, is all that proves them, and it is enough."""

import os
import signal
import threading

import pytest
from sqlalchemy import select

from jobs.scheduling import assign_to
from models.attempt import Attempt
from models.vocabulary import Outcome
from tests.builders import attempt_row, recorder_row
from tests.burns import eventually
from tests.steps import Killed, Worker, burn, dies
from workers import attempt as attempt_story
from workers import caretaker
from workers.attempt import run_attempt
from workers.evidence import Evidence, read_evidence


def second_copy(worker: Worker) -> str:
    """Make a job's first copy and give the second to the recorder; return its attempt's id."""
    first = worker.promise(copies=2)
    assert run_attempt(worker.station, first).startswith("good")
    caretaker.look(worker.station)
    assignment = assign_to(worker.database, "r1")
    assert assignment is not None
    return assignment.attempt


def evidence(worker: Worker, attempt: str) -> Evidence:
    return read_evidence(worker.settings.evidence / attempt)


def test_only_the_first_of_equal_discs_is_hashed_while_it_is_burnt(worker: Worker) -> None:
    second = second_copy(worker)
    first = other_attempts(worker, second)[0]

    assert run_attempt(worker.station, second).startswith("good")

    row = attempt_row(worker.database, second)
    assert evidence(worker, first).sha256_fed == row.image_sha256
    assert (evidence(worker, second).sha256_fed, evidence(worker, second).fed_all) == ("", True)
    assert (row.outcome, row.verified) == (Outcome.GOOD, True)


def test_a_disc_that_nobody_will_read_back_is_hashed(worker: Worker) -> None:
    first = worker.promise(copies=2, verify=False)
    run_attempt(worker.station, first)
    caretaker.look(worker.station)
    second = assign_to(worker.database, "r1")
    assert second is not None

    run_attempt(worker.station, second.attempt)

    assert evidence(worker, second.attempt).sha256_fed == evidence(worker, first).sha256_fed != ""


def test_a_source_changed_in_secret_never_passes_and_is_blamed_though_nobody_hashed_it(worker: Worker) -> None:
    second = second_copy(worker)
    source = worker.root / "photos" / "1.raw"
    times = source.stat()
    with source.open("r+b") as content:
        content.seek(1 << 19)
        content.write(b"not what was staged")
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))

    burn(worker, second)

    row = attempt_row(worker.database, second)
    assert evidence(worker, second).fed_all
    assert (row.outcome, row.error_code) == (Outcome.SPOILED, "DISCMILL_E_SOURCE_CHANGED")
    assert recorder_row(worker.database, "r1").spoiled_in_row == 0
    assert len(worker.shelf("reject")) == 1


def test_recovery_blames_a_source_that_nobody_hashed_and_calls_nobody_to_the_drive(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = second_copy(worker)
    source = worker.root / "photos" / "1.raw"
    times = source.stat()
    with source.open("r+b") as content:
        content.write(b"not what was staged")
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    monkeypatch.setattr(attempt_story, "verify", dies)
    with pytest.raises(Killed):
        run_attempt(worker.station, second)
    monkeypatch.undo()

    worker.start_again()
    worker.binding._tend(caretaker.start_up)

    row = attempt_row(worker.database, second)
    assert (row.outcome, row.error_code) == (Outcome.SPOILED, "DISCMILL_E_SOURCE_CHANGED")
    assert recorder_row(worker.database, "r1").attention is None


def test_a_burner_killed_on_a_copy_that_is_not_hashed_spoils_it(worker: Worker) -> None:
    second = second_copy(worker)
    worker.drive.add_fault("stall@300")
    killer = threading.Thread(target=_kill_the_burner, args=(worker, second))
    killer.start()

    burn(worker, second)

    killer.join()
    assert not evidence(worker, second).fed_all
    assert attempt_row(worker.database, second).outcome is Outcome.SPOILED


def _kill_the_burner(worker: Worker, attempt: str) -> None:
    eventually(lambda: evidence(worker, attempt).wrote, "the burn begins")
    os.kill(evidence(worker, attempt).pid or 0, signal.SIGKILL)


def other_attempts(worker: Worker, attempt: str) -> list[str]:
    with worker.database.read() as db:
        return list(db.scalars(select(Attempt.id).where(Attempt.id != attempt).order_by(Attempt.id)))
