"""Database, broker or drive are away, frozen, or refuse: nobody is held up for ever, nobody buried in haste."""

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from jobs import ledger, submission
from jobs.dispatch import CeleryBell
from jobs.scheduling import Assignment
from models.vocabulary import Condition, JobState, Outcome
from tests.builders import attempt_row, job_row, recorder_row
from tests.steps import LONG, Killed, Worker, away, fails_once, tray, within
from workers import caretaker
from workers.dispatcher import Dispatcher
from workers.embedded import EmbeddedRedis
from workers.locks import FileLock


def test_an_order_that_is_stored_is_acknowledged(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    fails_once(monkeypatch, submission, "assign", away())

    job = worker.order()

    assert job_row(worker.database, job).state is JobState.QUEUED


def test_a_verdict_that_the_database_refuses_for_good_is_not_tried_for_ever(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = 0

    def refuse() -> None:
        nonlocal refusals
        refusals += 1
        if refusals > 5:
            raise Killed
        raise IntegrityError("UPDATE attempt", {}, Exception("UNIQUE constraint failed: attempt.copy_id"))

    monkeypatch.setattr("workers.station._RETRY", 0)
    with pytest.raises(IntegrityError):
        worker.station.persist(refuse)


def test_a_promise_that_no_message_brings_is_kept_while_the_broker_is_away(worker: Worker) -> None:
    attempt = worker.promise()  # made by a submit or a dispatcher, whose bell could not ring

    for _ in range(3):
        caretaker.round_trip(worker.station)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD


def test_a_frozen_broker_holds_nobody_up(short_path: Path) -> None:
    with EmbeddedRedis(short_path, short_path / "redis.sock") as server:
        bell = CeleryBell(server.url)
        assert server.pid is not None
        assert bell.ring(Assignment("first", "r1"))
        os.kill(server.pid, signal.SIGSTOP)
        try:
            answered = within(LONG, lambda: bell.ring(Assignment("second", "r1")))
        finally:
            os.kill(server.pid, signal.SIGCONT)

    assert answered == [False]


def test_nobody_is_buried_because_the_database_was_away(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise()
    with worker.database.write() as db:
        assert ledger.start(db, attempt, worker.station.owner) is not None
        ledger.permit(db, attempt, worker.station.owner, tray(worker), "medium-1")
    clock = [0.0]
    settings = worker.settings.model_copy(update={"lease": 30.0, "replace_after": 600.0})
    dispatcher = Dispatcher(settings, worker.database, CeleryBell("memory://"), clock=lambda: clock[0])
    dispatcher.tick()
    with monkeypatch.context() as outage:  # no worker can count a heartbeat meanwhile
        outage.setattr(worker.database, "read", _raises_away)
        for clock[0] in range(1, 1000, 10):
            with pytest.raises(OperationalError):
                dispatcher.tick()

    dispatcher.tick()

    assert attempt_row(worker.database, attempt).outcome is None
    assert recorder_row(worker.database, "r1").condition is not Condition.OFFLINE


def _raises_away() -> None:
    raise away()


def test_a_worker_whose_drive_hangs_can_be_stopped(worker: Worker) -> None:
    with FileLock(worker.station.device.recorder.locks / "drive"):  # a burner that does not answer any more
        worker.binding.__enter__()
        stopped = within(LONG / 2, worker.binding.__exit__)

    assert stopped == [None]
