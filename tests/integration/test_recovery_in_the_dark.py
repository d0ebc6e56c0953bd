"""What recovery can't know: evidence, masters and hosts that are gone. No disc is misjudged, none waits for ever."""

import shutil
import socket
import subprocess
import sys

import pytest

from jobs import control, ledger, tally
from jobs.errors import NotPermitted, RecorderMissing, RecorderStalled
from jobs.figures import tallies as tally_figures
from jobs.ledger import Owner, Verdict
from jobs.mastering.medium import MediumInfo, MediumStatus
from jobs.scheduling import assign_to
from models.database import Database
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, JobState, Outcome, Stage
from tests.builders import an_attempt, attempt_row, copy_rows, job_row, order, recorder_row, set_condition, settle
from tests.steps import LONG, Killed, Worker, burn, dies, fails_once, tray
from workers import attempt as attempt_story
from workers import caretaker, recovery
from workers.attempt import run_attempt
from workers.evidence import PLAN, SAMPLES
from workers.proof import evidence_folder, note_medium
from workers.recorders import waiting_burner
from workers.registry import beat

#: A burner that takes its go and dies.
_DIES = "import socket, sys; socket.socket(fileno=int(sys.argv[1])).recv(1)"


def vanishes_after_the_permit(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the drive be unplugged when the writing is journalled, and its burner not begun."""
    permit = attempt_story._Permit.__call__

    def permit_and_vanish(self: attempt_story._Permit, found: MediumInfo) -> None:
        permit(self, found)
        worker.drive.unplug()

    monkeypatch.setattr(attempt_story._Permit, "__call__", permit_and_vanish)


def test_a_blank_whose_drive_vanished_before_the_first_byte_is_not_spoiled(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = worker.promise()
    vanishes_after_the_permit(worker, monkeypatch)

    burn(worker, attempt)
    worker.drive.replug()
    worker.binding._tend(caretaker.round_trip)

    row = attempt_row(worker.database, attempt)
    assert (row.outcome, row.error_code) == (Outcome.UNUSED, RecorderMissing.code)
    assert recorder_row(worker.database, "r1").attention is not None
    assert copy_rows(worker.database, row.job_id)[0].state is CopyState.QUEUED
    assert not worker.shelf("reject")
    assert recorder_row(worker.database, "r1").medium_status == MediumStatus.BLANK


def test_a_blank_out_of_sight_counts_as_spoiled_where_its_burner_did_not_live_to_say_that_it_wrote_nothing(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(line: socket.socket, *_: object) -> "subprocess.Popen[bytes]":
        number = line.fileno()
        return subprocess.Popen([sys.executable, "-c", _DIES, str(number)], pass_fds=[number])

    attempt = worker.promise()
    vanishes_after_the_permit(worker, monkeypatch)
    monkeypatch.setattr(waiting_burner, "_spawn", dying)

    burn(worker, attempt)

    row = attempt_row(worker.database, attempt)
    assert (row.outcome, row.error_code) == (Outcome.SPOILED, RecorderMissing.code)


def test_without_evidence_nobody_says_that_nothing_was_written(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise()
    monkeypatch.setattr(attempt_story, "verify", dies)
    with pytest.raises(Killed):
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
    monkeypatch.setattr(attempt_story, "verify", dies)
    with pytest.raises(Killed):
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
    monkeypatch.setattr(attempt_story, "_burn", dies)
    with pytest.raises(Killed):
        run_attempt(worker.station, attempt)
    monkeypatch.undo()
    with worker.database.write() as db:
        ledger.permit(db, attempt, worker.station.owner, tray(worker), "medium-1")
    control.cancel(worker.database, attempt_row(worker.database, attempt).job_id)
    folder = evidence_folder(worker.station, attempt)
    note_medium(folder, tray(worker))
    (folder / "evidence.jsonl").write_text('{"event": "opened", "block": 0}\n{"event": "cancelled", "block": 9}\n')
    worker.start_again()

    recovery.recover(worker.station)

    assert attempt_row(worker.database, attempt).outcome is Outcome.SPOILED
    assert recorder_row(worker.database, "r1").spoiled_in_row == 0


def test_a_lost_disc_whose_host_returns_is_found_good(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise()
    monkeypatch.setattr(attempt_story, "verify", dies)
    with pytest.raises(Killed):
        run_attempt(worker.station, attempt)
    with worker.database.write() as db:
        assert ledger.lose(db, attempt, db.get_one(Recorder, "r1").heartbeat)
    worker.start_again()

    worker.binding._tend(caretaker.start_up)

    row = attempt_row(worker.database, attempt)
    assert (row.outcome, row.verified) == (Outcome.GOOD, True)
    assert (len(worker.shelf("accept")), worker.shelf("reject")) == (1, [])
    assert job_row(worker.database, row.job_id).state is JobState.COMPLETED


def test_a_simulation_that_stalls_spoils_no_disc(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = worker.promise(simulate=True)
    monkeypatch.setattr(recovery, "drive_is_free", lambda _: False)
    fails_once(monkeypatch, attempt_story, "_burn", RecorderStalled("no answer"))

    run_attempt(worker.station, attempt)

    assert attempt_row(worker.database, attempt).outcome is Outcome.UNUSED
    assert recorder_row(worker.database, "r1").spoiled_in_row == 0


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


@pytest.mark.parametrize("dies_in", ["verify", "enter"])
def test_a_disc_that_recovery_settles_is_timed_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    attempt = worker.promise()
    with monkeypatch.context() as killed:
        killed.setattr(*{"verify": (attempt_story, "verify", dies), "enter": (ledger, "enter", dies)}[dies_in])
        with pytest.raises(Killed):
            run_attempt(worker.station, attempt)
    worker.start_again()

    for _ in range(2):
        worker.binding._tend(caretaker.start_up)

    with worker.database.read() as db:
        kept = tally_figures(db)
    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    for name in (tally.BURN_SECONDS, tally.VERIFY_SECONDS):
        found = dict(kept[name]["r1"])
        assert 0 < found.pop(tally.SUM) < LONG
        assert sum(found.values()) == 1


def test_a_burn_that_was_cut_short_is_not_timed(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.drive.add_fault("write-error@100")
    attempt = worker.promise()
    with monkeypatch.context() as killed:
        killed.setattr(attempt_story, "judge", dies)
        with pytest.raises(Killed):
            run_attempt(worker.station, attempt)
    worker.start_again()

    worker.binding._tend(caretaker.start_up)

    assert attempt_row(worker.database, attempt).outcome is Outcome.SPOILED
    with worker.database.read() as db:
        assert tally_figures(db) == {}


def test_what_a_killed_burner_leaves_of_an_audio_burn_goes_with_its_verdict(worker: Worker) -> None:
    attempt = worker.promise()
    left = worker.settings.evidence / attempt / SAMPLES
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(1000))

    burn(worker, attempt)

    assert attempt_row(worker.database, attempt).outcome is Outcome.GOOD
    assert not left.exists()
    assert (left.parent / PLAN).exists()
