"""Verdicts, and what follows from them: for the copy, the job and the recorder."""

import pytest
from sqlalchemy import update

from jobs import control, ledger
from jobs.errors import (
    BurnCancelled,
    DiscError,
    Fenced,
    MediumMissing,
    RecorderMissing,
    Remedy,
    SourceChanged,
    WriteFailed,
)
from jobs.ledger import Owner, Rules, Verdict
from jobs.scheduling import assign_to
from models.base import now
from models.database import Database
from models.job import Copy
from models.vocabulary import CopyState, Intent, JobState, Outcome, Stage
from tests.builders import (
    a_disc,
    an_attempt,
    attempt_row,
    copy_rows,
    job_row,
    make_ready,
    order,
    recorder_row,
    settle,
)


class Trouble(DiscError):
    """An error of which only the remedy matters."""

    def __init__(self, remedy: Remedy) -> None:
        super().__init__("it went wrong")
        self.remedy = remedy


def fail(database: Database, remedy: Remedy, rules: Rules | None = None, recorder: str = "left") -> str:
    """Let the next attempt of a recorder fail before it wrote anything."""
    attempt = an_attempt(database, Stage.PREPARING, recorder)
    settle(database, attempt, Verdict(Outcome.UNUSED, error=Trouble(remedy)), rules)
    make_ready(database, recorder)
    return attempt


def wait_is_over(database: Database) -> None:
    with database.write() as db:
        db.execute(update(Copy).values(not_before=None))


# --- outcomes


def test_a_good_disc_is_done_and_the_last_one_completes_the_job(database: Database) -> None:
    job = order(database, 2)

    first = a_disc(database, Outcome.GOOD)

    assert [copy.state for copy in copy_rows(database, job)] == [CopyState.DONE, CopyState.QUEUED]
    assert (job_row(database, job).state, job_row(database, job).finished) == (JobState.ACTIVE, None)
    row = attempt_row(database, first)
    assert (row.stage, row.outcome) == (Stage.SETTLED, Outcome.GOOD)
    assert row.finished is not None
    a_disc(database, Outcome.GOOD)
    assert job_row(database, job).state is JobState.COMPLETED
    assert job_row(database, job).finished is not None


def test_a_verdict_is_written_down_whole(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.VERIFYING)
    error = WriteFailed("the laser gave up")

    settle(database, attempt, Verdict(Outcome.SPOILED, verified=False, error=error, image_sha256="a" * 64))

    row = attempt_row(database, attempt)
    assert (row.verified, row.image_sha256) == (False, "a" * 64)
    assert (row.error_code, row.error_message) == ("DISCMILL_E_WRITE", "the laser gave up")
    assert row.error_remedy == Remedy.TRY_AGAIN


@pytest.mark.parametrize("outcome", [Outcome.SPOILED, Outcome.UNUSED])
def test_a_disc_that_is_not_good_is_made_again(database: Database, outcome: Outcome) -> None:
    job = order(database)

    a_disc(database, outcome)

    assert copy_rows(database, job)[0].state is CopyState.QUEUED
    assert job_row(database, job).state is JobState.QUEUED
    a_disc(database, Outcome.GOOD)
    assert job_row(database, job).state is JobState.COMPLETED


def test_a_simulation_completes_the_job_without_a_disc(database: Database) -> None:
    job = order(database, simulate=True)

    settle(database, an_attempt(database, Stage.PREPARING), Outcome.SIMULATED)

    assert copy_rows(database, job)[0].state is CopyState.DONE
    assert job_row(database, job).state is JobState.COMPLETED


def test_a_verdict_is_final(database: Database) -> None:
    order(database)
    attempt = a_disc(database, Outcome.GOOD)

    with pytest.raises(Fenced):
        settle(database, attempt, Outcome.SPOILED)
    assert attempt_row(database, attempt).outcome is Outcome.GOOD


def test_an_attempt_that_nobody_claimed_has_no_verdict(database: Database) -> None:
    order(database)
    attempt = an_attempt(database)

    with pytest.raises(Fenced):
        settle(database, attempt, Outcome.UNUSED)


@pytest.mark.parametrize("owner", [Owner("left", 0), Owner("left", 2), Owner("right", 1)])
def test_only_the_owner_gives_the_verdict(database: Database, owner: Owner) -> None:
    order(database, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.VERIFYING)

    with pytest.raises(Fenced), database.write() as db:
        ledger.settle(db, attempt, owner, Verdict(Outcome.GOOD))
    assert attempt_row(database, attempt).outcome is None


# --- the remedy decides


def test_an_order_to_be_fixed_waits_and_nothing_more_of_it_is_assigned(database: Database) -> None:
    job = order(database, 3)
    attempt = an_attempt(database, Stage.PREPARING)

    settle(database, attempt, Verdict(Outcome.UNUSED, error=SourceChanged("/photos/1.raw", "grew")))
    make_ready(database, "left")

    row = job_row(database, job)
    assert row.state is JobState.WAITING
    assert row.reason is not None
    assert "/photos/1.raw grew" in row.reason
    assert all(copy.held for copy in copy_rows(database, job))
    assert recorder_row(database).attention is None
    assert assign_to(database, "left") is None


def test_a_medium_to_be_changed_stops_the_recorder_until_it_is(database: Database) -> None:
    job = order(database, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.PREPARING)

    settle(database, attempt, Verdict(Outcome.UNUSED, error=MediumMissing("the tray is empty")))
    make_ready(database, "left")

    recorder = recorder_row(database)
    assert (recorder.attention, recorder.attention_ends_with_medium) == ("the tray is empty", True)
    assert assign_to(database, "left") is None
    copy = copy_rows(database, job)[0]
    assert (copy.failures, copy.not_before) == (0, None)
    assert assign_to(database, "right") is not None


def test_another_recorder_to_be_used_stops_this_one_until_a_person_has_looked(database: Database) -> None:
    job = order(database, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.PREPARING)

    settle(database, attempt, Verdict(Outcome.UNUSED, error=RecorderMissing("the cable is out")))
    make_ready(database, "left")

    recorder = recorder_row(database)
    assert (recorder.attention, recorder.attention_ends_with_medium) == ("the cable is out", False)
    assert assign_to(database, "left") is None
    assert copy_rows(database, job)[0].failures == 1
    assert assign_to(database, "right") is not None


@pytest.mark.parametrize("remedy", [Remedy.TRY_AGAIN, Remedy.FREE_SPACE, Remedy.REPORT_BUG])
def test_anything_else_is_tried_again_later(database: Database, remedy: Remedy) -> None:
    job = order(database)
    before = now()

    fail(database, remedy, Rules(back_off=300))

    copy = copy_rows(database, job)[0]
    assert (copy.state, copy.failures, copy.held) == (CopyState.QUEUED, 1, False)
    assert copy.not_before is not None
    assert 300 <= (copy.not_before - before).total_seconds() < 400
    assert recorder_row(database).attention is None
    assert assign_to(database, "left") is None
    wait_is_over(database)
    assert assign_to(database, "left") is not None


def test_the_wait_doubles(database: Database) -> None:
    job = order(database)
    fail(database, Remedy.TRY_AGAIN, Rules(back_off=300))
    wait_is_over(database)
    before = now()

    fail(database, Remedy.TRY_AGAIN, Rules(back_off=300))

    not_before = copy_rows(database, job)[0].not_before
    assert not_before is not None
    assert 600 <= (not_before - before).total_seconds() < 700


def test_an_outcome_that_somebody_wanted_is_no_failure(database: Database) -> None:
    job = order(database)

    fail(database, Remedy.NONE)

    copy = copy_rows(database, job)[0]
    assert (copy.failures, copy.not_before) == (0, None)
    assert assign_to(database, "left") is not None


def test_what_a_person_has_to_look_at_does_not_end_with_a_change_of_the_medium(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    error = MediumMissing("the tray is empty")

    settle(database, attempt, Verdict(Outcome.SPOILED, error=error, needs_person="somebody took the disc out"))

    recorder = recorder_row(database)
    assert (recorder.attention, recorder.attention_ends_with_medium) == ("somebody took the disc out", False)


# --- limits


def test_three_failures_of_a_copy_hold_the_job(database: Database) -> None:
    job = order(database, 2)

    for _ in range(2):
        fail(database, Remedy.TRY_AGAIN)
        assert job_row(database, job).reason is None
    fail(database, Remedy.TRY_AGAIN)

    row = job_row(database, job)
    assert (row.state, row.reason) == (JobState.WAITING, "copy 1 failed 3 times, last: it went wrong")
    assert assign_to(database, "left") is None


def test_failures_count_for_each_copy(database: Database) -> None:
    job = order(database, 2, recorders=("left", "right"))

    attempts = [an_attempt(database, Stage.PREPARING, recorder) for recorder in ("left", "right")]
    for attempt in attempts:
        settle(database, attempt, Verdict(Outcome.UNUSED, error=Trouble(Remedy.TRY_AGAIN)))

    assert [copy.failures for copy in copy_rows(database, job)] == [1, 1]


def test_a_job_that_spoils_too_many_discs_waits(database: Database) -> None:
    job = order(database, 10, max_spoiled=2)

    a_disc(database, Outcome.SPOILED)
    assert job_row(database, job).reason is None
    a_disc(database, Outcome.SPOILED)

    row = job_row(database, job)
    assert row.state is JobState.WAITING
    assert row.reason == f"2 discs spoiled; `discmill retry {job}` makes what is missing"


def test_what_is_under_way_goes_on_while_a_job_is_held(database: Database) -> None:
    job = order(database, 3, recorders=("left", "right"), max_spoiled=1)
    going_on = an_attempt(database, Stage.WRITING, "right")

    a_disc(database, Outcome.SPOILED)

    assert job_row(database, job).state is JobState.ACTIVE
    settle(database, going_on, Outcome.UNUSED)
    assert job_row(database, job).state is JobState.WAITING
    assert all(copy.held for copy in copy_rows(database, job))
    make_ready(database, "left", "right")
    assert [assign_to(database, name) for name in ("left", "right")] == [None, None]


def test_a_disc_under_way_counts_for_a_held_job(database: Database) -> None:
    job = order(database, 2, recorders=("left", "right"), max_spoiled=1)
    going_on = an_attempt(database, Stage.VERIFYING, "right")
    a_disc(database, Outcome.SPOILED)

    settle(database, going_on, Outcome.GOOD)

    assert job_row(database, job).state is JobState.WAITING
    control.retry(database, job)
    a_disc(database, Outcome.GOOD)
    assert job_row(database, job).state is JobState.COMPLETED


def test_a_recorder_that_spoils_in_a_row_is_quarantined(database: Database) -> None:
    order(database, 10, max_spoiled=10)
    rules = Rules(quarantine_after=2, back_off=0)

    for _ in range(2):
        assert recorder_row(database).intent is Intent.ENABLED
        settle(database, an_attempt(database, Stage.WRITING), Outcome.SPOILED, rules)
        make_ready(database, "left")

    assert recorder_row(database).intent is Intent.QUARANTINED
    assert assign_to(database, "left") is None
    control.clear(database, ["left"])
    assert (recorder_row(database).intent, recorder_row(database).spoiled_in_row) == (Intent.ENABLED, 0)
    assert assign_to(database, "left") is not None


def test_a_good_disc_ends_the_row(database: Database) -> None:
    order(database, 10, max_spoiled=10)

    for outcome in [Outcome.SPOILED, Outcome.SPOILED, Outcome.GOOD, Outcome.SPOILED, Outcome.UNUSED, Outcome.SPOILED]:
        a_disc(database, outcome)

    assert (recorder_row(database).spoiled_in_row, recorder_row(database).intent) == (2, Intent.ENABLED)


@pytest.mark.parametrize("error", [BurnCancelled("called off"), SourceChanged("/photos/1.raw", "grew")])
def test_a_disc_spoiled_for_no_fault_of_the_recorder_does_not_count_against_it(
    database: Database, error: DiscError
) -> None:
    order(database)

    settle(database, an_attempt(database, Stage.WRITING), Verdict(Outcome.SPOILED, error=error))

    assert recorder_row(database).spoiled_in_row == 0


def test_quarantine_does_not_end_by_pausing_and_resuming(database: Database) -> None:
    order(database)
    rules = Rules(quarantine_after=1, back_off=0)
    settle(database, an_attempt(database, Stage.WRITING), Outcome.SPOILED, rules)

    control.pause(database, ["left"])
    with pytest.raises(DiscError, match="quarantined"):
        control.resume(database, ["left"])
