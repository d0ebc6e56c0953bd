"""A disc leaves its recorder after its verdict, and to where the verdict says, whatever fails in between."""

import contextlib
from collections.abc import Generator

import pytest
from sqlalchemy.orm import Session

from jobs import control, ledger
from jobs.errors import Fenced, RecorderBusy
from jobs.ledger import Verdict
from models.database import Database
from models.recorder import Recorder
from models.vocabulary import Condition, Outcome, Stage
from tests.builders import an_attempt, attempt_row, order, recorder_row, set_condition, settle
from tests.steps import Killed, Worker, away, burn, dies, fails_once
from workers import attempt as attempt_story
from workers import caretaker, proof, recovery
from workers.attempt import run_attempt
from workers.recorders.emulated_drive import EmulatedDrive


def test_a_good_disc_whose_eject_failed_still_goes_to_the_accept_shelf(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()
    fails_once(monkeypatch, EmulatedDrive, "take_out", RecorderBusy("somebody looks at the drive"))

    burn(worker, attempt)
    worker.binding._tend(caretaker.round_trip)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])
    assert attempt_row(worker.database, attempt).path is not None


def test_a_good_disc_whose_verdicts_commit_was_not_answered_goes_to_the_accept_shelf(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()
    settle, write = ledger.settle, worker.database.write
    unanswered: list[Exception] = []

    def settle_last(*arguments: object) -> Outcome:
        unanswered.append(away())
        monkeypatch.setattr(ledger, "settle", settle)
        return settle(*arguments)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def commit_unanswered() -> Generator[Session]:
        with write() as db:
            yield db
        if unanswered:
            raise unanswered.pop()

    monkeypatch.setattr(ledger, "settle", settle_last)
    monkeypatch.setattr(worker.database, "write", commit_unanswered)

    burn(worker, attempt)
    worker.binding._tend(caretaker.round_trip)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])


def test_a_written_disc_stays_in_the_tray_until_it_is_judged(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise()
    fails_once(monkeypatch, attempt_story, "verify", OSError(5, "Input/output error"))
    fails_once(monkeypatch, recovery, "verify", OSError(5, "Input/output error"))

    burn(worker, attempt)
    worker.binding._tend(caretaker.round_trip)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])


def test_a_disc_that_its_drive_can_not_tell_waits_in_the_tray_for_its_verdict(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()

    def verify_blindly(*arguments: object) -> Verdict:
        worker.drive.add_fault("info-error")
        return proof.verify(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(attempt_story, "verify", verify_blindly)
    burn(worker, attempt)
    worker.binding._tend(caretaker.round_trip)
    assert attempt_row(worker.database, attempt).outcome is None
    assert recorder_row(worker.database, "r1").condition is Condition.ATTENTION

    worker.drive.clear_faults()
    worker.binding._tend(caretaker.round_trip)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])


def test_an_operators_eject_waits_for_the_disc_that_has_not_left_yet(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()
    fails_once(monkeypatch, EmulatedDrive, "take_out", RecorderBusy("somebody looks at the drive"))
    with pytest.raises(RecorderBusy):
        run_attempt(worker.station, attempt)
    set_condition(worker.database, Condition.READY, "r1")
    control.ask(worker.database, "r1", "eject")

    worker.binding._tend(caretaker.round_trip)

    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])


def test_an_old_message_does_not_throw_out_a_disc_that_waits_for_recovery(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()
    monkeypatch.setattr(attempt_story, "verify", dies)
    with pytest.raises(Killed):
        run_attempt(worker.station, attempt)
    worker.start_again()

    burn(worker, attempt)
    worker.binding._tend(caretaker.start_up)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])


def test_a_worker_that_was_fenced_off_says_nothing_of_discs(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.VERIFYING)
    settle(database, attempt, Outcome.GOOD)
    with database.write() as db:
        db.get_one(Recorder, "left").epoch += 1

    with pytest.raises(Fenced), database.write() as db:
        ledger.mark_ejected(db, attempt, None)
