"""A worker in the test's own process, hurt where it hurts most: no disc is wasted, misjudged, burnt twice or lost."""

import contextlib
import os
import shutil
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from jobs import audio_disc, control, data_disc, ledger, submission
from jobs.dispatch import CeleryBell, make_app
from jobs.errors import Fenced, NotPermitted, RecorderBusy, RecorderStalled
from jobs.ledger import Owner, Verdict
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.ordering import Options
from jobs.scheduling import Assignment, assign_to
from jobs.schema import upgrade
from jobs.settings import Settings, load_settings
from jobs.submission import Mill, submit
from models.attempt import Attempt
from models.database import Database
from models.job import Job
from models.recorder import Recorder, RecorderRequest
from models.vocabulary import Condition, CopyState, JobState, Nonblank, Outcome, Stage
from tests.builders import (
    an_attempt,
    attempt_row,
    copy_rows,
    job_row,
    order,
    recorder_row,
    set_condition,
    settle,
)
from tests.sounds import write_track
from workers import attempt as attempt_story
from workers import caretaker, proof, recovery, requests
from workers.attempt import run_attempt
from workers.binding import Binding
from workers.dispatcher import Dispatcher
from workers.embedded import EmbeddedRedis
from workers.evidence import PLAN, SAMPLES
from workers.locks import FileLock
from workers.proof import evidence_folder, note_medium
from workers.recorders.emulated_drive import EmulatedDrive
from workers.registry import beat, register
from workers.session import session_for
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


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
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


# --- a disc leaves only after its verdict, and to where the verdict says


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
    monkeypatch.setattr(attempt_story, "verify", _dies)
    with pytest.raises(_Killed):
        run_attempt(worker.station, attempt)
    worker.start_again()

    burn(worker, attempt)
    worker.binding._tend(caretaker.start_up)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])


class _Killed(BaseException):
    """The worker's process ends here."""


def _dies(*_: object, **__: object) -> None:
    raise _Killed


# --- what a recovery can't know


def test_without_evidence_nobody_says_that_nothing_was_written(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise()
    monkeypatch.setattr(attempt_story, "verify", _dies)
    with pytest.raises(_Killed):
        run_attempt(worker.station, attempt)
    worker.drive.remove()  # a person took the disc out,
    shutil.rmtree(worker.settings.evidence)  # and the worker starts in another home, or on another host
    worker.drive.insert("dvd-r")
    worker.start_again()

    worker.binding._tend(caretaker.start_up)

    assert attempt_row(worker.database, attempt).outcome is Outcome.SPOILED
    assert recorder_row(worker.database, "r1").attention is not None


def test_a_disc_whose_master_is_gone_gets_a_verdict(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise()
    monkeypatch.setattr(attempt_story, "verify", _dies)
    with pytest.raises(_Killed):
        run_attempt(worker.station, attempt)
    shutil.rmtree(worker.settings.store / "masters")
    (worker.root / "photos" / "1.raw").write_bytes(b"edited meanwhile")
    worker.start_again()

    for _ in range(3):
        worker.binding._tend(caretaker.start_up)

    assert attempt_row(worker.database, attempt).outcome is not None


def test_a_master_whose_checksums_are_damaged_is_made_anew(worker: Worker) -> None:
    attempt = worker.promise()
    (checksums,) = worker.settings.store.glob("masters/*/checksums.bin")
    checksums.unlink()

    run_attempt(worker.station, attempt)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD


def test_a_disc_that_was_called_off_does_not_count_against_its_recorder_after_a_restart(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()
    monkeypatch.setattr(attempt_story, "_burn", _dies)
    with pytest.raises(_Killed):
        run_attempt(worker.station, attempt)
    monkeypatch.undo()
    with worker.database.write() as db:
        ledger.permit(db, attempt, worker.station.owner, _tray(worker), "medium-1")
    control.cancel(worker.database, attempt_row(worker.database, attempt).job_id)
    folder = evidence_folder(worker.station, attempt)
    note_medium(folder, _tray(worker))
    (folder / "evidence.jsonl").write_text('{"event": "opened", "block": 0}\n{"event": "cancelled", "block": 9}\n')
    worker.start_again()

    recovery.recover(worker.station)

    assert attempt_row(worker.database, attempt).outcome is Outcome.SPOILED
    assert recorder_row(worker.database, "r1").spoiled_in_row == 0


def _tray(worker: Worker) -> MediumInfo:
    medium = worker.station.device.recorder.probe()
    assert medium is not None
    return medium


def test_a_lost_disc_whose_host_returns_is_found_good(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise()
    monkeypatch.setattr(attempt_story, "verify", _dies)
    with pytest.raises(_Killed):
        run_attempt(worker.station, attempt)
    with worker.database.write() as db:
        assert ledger.lose(db, attempt, db.get_one(Recorder, "r1").heartbeat)
    worker.start_again()

    worker.binding._tend(caretaker.start_up)

    row = attempt_row(worker.database, attempt)
    assert (row.outcome, row.verified) == (Outcome.GOOD, True)
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])
    assert job_row(worker.database, row.job_id).state is JobState.COMPLETED


# --- rewritable media


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

    assert _tray(worker).used


def test_a_job_that_was_called_off_erases_nothing(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    a_used_rewritable(worker)
    attempt = worker.promise(nonblank=Nonblank.BLANK)
    real = attempt_story._check_medium

    def called_off(job: Job, medium: MediumInfo) -> None:
        real(job, medium)
        control.cancel(worker.database, job.id)

    monkeypatch.setattr(attempt_story, "_check_medium", called_off)

    run_attempt(worker.station, attempt)

    assert _tray(worker).used


# --- loaders


def test_a_feeder_that_brings_wrong_media_calls_a_person(worker: Worker) -> None:
    worker.drive.add_fault("wrong-medium")
    worker.order()

    for _ in range(6):
        worker.binding._tend(caretaker.round_trip)

    row = recorder_row(worker.database, "r1")
    assert "brought a blank" in str(row.attention)
    assert int(str(worker.drive.status()["discs"])) < 6


# --- simulations


def test_a_simulation_that_stalls_spoils_no_disc(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise(simulate=True)
    monkeypatch.setattr(recovery, "drive_is_free", lambda _: False)
    fails_once(monkeypatch, attempt_story, "_burn", RecorderStalled("no answer"))

    run_attempt(worker.station, attempt)

    assert attempt_row(worker.database, attempt).outcome is Outcome.UNUSED
    assert recorder_row(worker.database, "r1").spoiled_in_row == 0


# --- requests


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


# --- the database and the broker


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
            raise _Killed
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
        ledger.permit(db, attempt, worker.station.owner, _tray(worker), "medium-1")
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


# --- nothing that nobody can end


def test_a_worker_whose_drive_hangs_can_be_stopped(worker: Worker) -> None:
    with FileLock(worker.station.device.recorder.locks / "drive"):  # a burner that does not answer any more
        worker.binding.__enter__()
        stopped = within(LONG / 2, worker.binding.__exit__)

    assert stopped == [None]


def test_a_job_whose_last_disc_is_on_a_host_that_is_away_can_be_called_off(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database, Stage.WRITING)
    set_condition(database, Condition.OFFLINE)

    control.cancel(database, job)

    assert job_row(database, job).state is JobState.CANCELLED
    assert settle(database, attempt, Outcome.GOOD) is Outcome.SURPLUS  # resolved later, when the host comes back
    assert copy_rows(database, job)[0].state is CopyState.CANCELLED


def test_a_recorder_that_was_cleared_gets_a_copy_whose_old_disc_a_person_looked_at_again(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    settle(database, attempt, Verdict(Outcome.SPOILED, error=RecorderStalled("no answer")))
    control.clear(database, ["left"])
    for word in (Outcome.GOOD, Outcome.SPOILED):
        with database.write() as db:
            ledger.resolve(db, attempt, word, by="ann")
    set_condition(database, Condition.READY)

    assert assign_to(database, "left") is not None


def test_nobody_resolves_a_disc_whose_worker_has_come_back(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    set_condition(database, Condition.OFFLINE)
    assert beat(database, Owner("left", 1))

    with pytest.raises(NotPermitted), database.write() as db:
        ledger.resolve(db, attempt, Outcome.SPOILED, by="ann")


def test_a_worker_that_was_fenced_off_says_nothing_of_discs(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.VERIFYING)
    settle(database, attempt, Outcome.GOOD)
    with database.write() as db:
        db.get_one(Recorder, "left").epoch += 1

    with pytest.raises(Fenced), database.write() as db:
        ledger.mark_ejected(db, attempt, None)


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


# --- what an operator asks of the disc in the tray


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


def test_what_a_killed_burner_leaves_of_an_audio_burn_goes_with_its_verdict(worker: Worker) -> None:
    attempt = worker.promise()
    left = worker.settings.evidence / attempt / SAMPLES
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(1000))

    burn(worker, attempt)

    with worker.database.read() as db:
        assert db.get_one(Attempt, attempt).outcome is Outcome.GOOD
    assert not left.exists()
    assert (left.parent / PLAN).exists()


def test_a_drive_s_row_says_what_it_is_and_what_it_writes(worker: Worker) -> None:
    caretaker.start_up(worker.station)

    with worker.database.read() as db:
        row = db.get_one(Recorder, "r1")
    assert (row.product, row.firmware) == ("EMULATED DRIVE", "1")
    assert row.writes == list(MediumKind)
