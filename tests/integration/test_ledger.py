"""Claim, permit and journal: who may act for a recorder, and what every other one's word is worth."""

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from jobs import control, ledger
from jobs.errors import Fenced, IllegalTransition, NotPermitted
from jobs.ledger import Owner, Progress, Verdict
from models.attempt import Attempt
from models.base import new_id
from models.database import Database
from models.job import Job
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, JobState, Outcome, Stage
from tests.builders import (
    BLANK,
    a_disc,
    an_attempt,
    attempt_row,
    copy_rows,
    job_row,
    make_ready,
    order,
    owner_of,
    recorder_row,
    settle,
)


def claims(database: Database, attempt: str, owner: Owner) -> bool:
    with database.write() as db:
        return ledger.start(db, attempt, owner) is not None


def raise_epoch(database: Database, recorder: str = "left") -> Owner:
    """Let a new worker become the recorder's owner."""
    with database.write() as db:
        db.execute(update(Recorder).where(Recorder.name == recorder).values(epoch=Recorder.epoch + 1))
    return owner_of(database, recorder)


def take_over(database: Database, attempt: str, owner: Owner) -> None:
    with database.write() as db:
        ledger.take_over(db, attempt, owner)


def permit(database: Database, attempt: str, owner: Owner, medium_id: str = "medium-1") -> None:
    with database.write() as db:
        ledger.permit(db, attempt, owner, BLANK, medium_id)


# --- claim


def test_a_claim_puts_attempt_copy_recorder_and_job_to_work(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database)

    assert claims(database, attempt, Owner("left", 1))

    row = attempt_row(database, attempt)
    assert (row.stage, row.epoch, row.outcome) == (Stage.PREPARING, 1, None)
    assert row.started is not None
    assert copy_rows(database, job)[0].state is CopyState.ACTIVE
    assert recorder_row(database).condition is Condition.BUSY
    assert job_row(database, job).state is JobState.ACTIVE


@pytest.mark.parametrize("stage", [Stage.PREPARING, Stage.WRITING, Stage.CLOSING, Stage.VERIFYING])
def test_a_repeated_delivery_changes_nothing(database: Database, stage: Stage) -> None:
    order(database)
    attempt = an_attempt(database, stage)
    before = attempt_row(database, attempt).started

    assert not claims(database, attempt, Owner("left", 1))

    row = attempt_row(database, attempt)
    assert (row.stage, row.started) == (stage, before)


@pytest.mark.parametrize("outcome", [Outcome.GOOD, Outcome.SPOILED, Outcome.UNUSED])
def test_a_delivery_after_the_verdict_changes_nothing(database: Database, outcome: Outcome) -> None:
    order(database)
    attempt = a_disc(database, outcome)

    assert not claims(database, attempt, Owner("left", 1))
    assert attempt_row(database, attempt).outcome is outcome


@pytest.mark.parametrize("owner", [Owner("right", 1), Owner("left", 0), Owner("left", 2)])
def test_nobody_else_can_claim(database: Database, owner: Owner) -> None:
    job = order(database, recorders=("left", "right"))
    attempt = an_attempt(database)

    assert not claims(database, attempt, owner)

    assert attempt_row(database, attempt).stage is Stage.ASSIGNED
    assert copy_rows(database, job)[0].state is CopyState.ASSIGNED


def test_the_new_owner_claims_what_was_promised_to_the_old_one(database: Database) -> None:
    order(database)
    attempt = an_attempt(database)
    new = raise_epoch(database)

    assert not claims(database, attempt, Owner("left", 1))
    assert claims(database, attempt, new)
    assert attempt_row(database, attempt).epoch == 2


def test_a_message_for_no_attempt_is_nothing(database: Database) -> None:
    order(database)

    assert not claims(database, new_id(), Owner("left", 1))


def test_claiming_for_a_cancelled_job_settles_the_attempt_as_unused(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database)
    with database.write() as db:  # the cancel has committed, its withdrawals have not
        db.get_one(Job, job).cancel_requested = True

    assert not claims(database, attempt, Owner("left", 1))

    assert attempt_row(database, attempt).outcome is Outcome.UNUSED
    assert copy_rows(database, job)[0].state is CopyState.CANCELLED
    assert job_row(database, job).state is JobState.CANCELLED


# --- permit


def test_a_permit_journals_the_medium(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.PREPARING)

    permit(database, attempt, Owner("left", 1))

    row = attempt_row(database, attempt)
    assert row.stage is Stage.WRITING
    assert (row.medium_kind, row.medium_id, row.medium_erases, row.medium_session) == ("dvd-r", "medium-1", 0, 1)
    with database.read() as db:
        assert ledger.may_write(db, attempt, Owner("left", 1))
        assert not ledger.may_write(db, attempt, Owner("left", 2))
        assert not ledger.may_write(db, new_id(), Owner("left", 1))


@pytest.mark.parametrize("stage", [Stage.WRITING, Stage.CLOSING, Stage.VERIFYING])
def test_a_permit_is_given_once(database: Database, stage: Stage) -> None:
    order(database)
    attempt = an_attempt(database, stage)

    with pytest.raises(NotPermitted):
        permit(database, attempt, Owner("left", 1), "medium-2")


def test_no_permit_before_the_claim_or_after_the_verdict(database: Database) -> None:
    order(database)
    attempt = an_attempt(database)

    with pytest.raises(Fenced):
        permit(database, attempt, Owner("left", 1))
    assert claims(database, attempt, Owner("left", 1))
    settle(database, attempt, Outcome.UNUSED)
    with pytest.raises(Fenced):
        permit(database, attempt, Owner("left", 1))


def test_no_permit_for_an_old_owner_nor_for_another_recorders(database: Database) -> None:
    order(database, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.PREPARING)

    with pytest.raises(Fenced):
        permit(database, attempt, Owner("right", 1))
    raise_epoch(database)
    with pytest.raises(Fenced):
        permit(database, attempt, Owner("left", 1))
    assert attempt_row(database, attempt).stage is Stage.PREPARING


def test_no_permit_for_the_new_owner_until_it_took_the_attempt_over(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.PREPARING)
    new = raise_epoch(database)

    with pytest.raises(Fenced):
        permit(database, attempt, new)


def test_no_permit_once_the_job_is_called_off(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database, Stage.PREPARING)
    control.cancel(database, job)

    with pytest.raises(NotPermitted):
        permit(database, attempt, Owner("left", 1))
    assert attempt_row(database, attempt).stage is Stage.PREPARING


def test_no_permit_once_another_disc_counts_for_the_copy(database: Database) -> None:
    order(database, recorders=("left", "right"))
    spoiled = a_disc(database, Outcome.SPOILED)
    attempt = an_attempt(database, Stage.PREPARING, "right")
    with database.write() as db:
        ledger.resolve(db, spoiled, Outcome.GOOD, by="ann")

    with pytest.raises(NotPermitted):
        permit(database, attempt, Owner("right", 1))


@pytest.mark.parametrize("outcome", [Outcome.GOOD, Outcome.SPOILED, Outcome.SURPLUS, None])
def test_a_medium_is_written_by_one_attempt(database: Database, outcome: Outcome | None) -> None:
    order(database, 2, recorders=("left", "right"))
    first = an_attempt(database, Stage.VERIFYING, medium_id="medium-1")
    if outcome is not None:
        settle(database, first, outcome)
    second = an_attempt(database, Stage.PREPARING, "right")

    with pytest.raises(IntegrityError):
        permit(database, second, Owner("right", 1), "medium-1")

    assert attempt_row(database, second).stage is Stage.PREPARING
    permit(database, second, Owner("right", 1), "medium-2")


def test_a_medium_that_was_not_written_may_be_written_later(database: Database) -> None:
    order(database, 2)
    first = an_attempt(database, Stage.WRITING, medium_id="medium-1")
    settle(database, first, Outcome.UNUSED)
    make_ready(database, "left")
    second = an_attempt(database, Stage.PREPARING)

    permit(database, second, Owner("left", 1), "medium-1")

    assert attempt_row(database, second).stage is Stage.WRITING


def test_a_medium_that_was_erased_may_be_written_again(database: Database) -> None:
    order(database, 2)
    settle(database, an_attempt(database, Stage.VERIFYING, medium_id="medium-1"), Outcome.GOOD)
    with database.write() as db:
        db.execute(update(Recorder).values(medium_erases=1))
    make_ready(database, "left")
    second = an_attempt(database, Stage.PREPARING)

    permit(database, second, Owner("left", 1), "medium-1")

    assert attempt_row(database, second).medium_erases == 1


# --- journal


def test_stages_are_entered_in_order_and_twice_is_no_news(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    owner = Owner("left", 1)

    for stage in [Stage.CLOSING, Stage.CLOSING, Stage.VERIFYING, Stage.VERIFYING]:
        with database.write() as db:
            ledger.enter(db, attempt, owner, stage)
        assert attempt_row(database, attempt).stage is stage
    with pytest.raises(IllegalTransition), database.write() as db:
        ledger.enter(db, attempt, owner, Stage.CLOSING)
    with pytest.raises(Fenced), database.write() as db:
        ledger.enter(db, attempt, Owner("left", 0), Stage.VERIFYING)


def test_nothing_is_verified_that_was_not_written(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.PREPARING)

    with pytest.raises(IllegalTransition), database.write() as db:
        ledger.enter(db, attempt, Owner("left", 1), Stage.VERIFYING)


def test_reading_back_counts_its_own_blocks(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    with database.write() as db:
        ledger.report_progress(db, attempt, Owner("left", 1), Progress(1000, 1000, 8.0))
        ledger.enter(db, attempt, Owner("left", 1), Stage.VERIFYING)

    assert attempt_row(database, attempt).blocks_done == 0


def test_progress_is_stored_and_answered_with_whether_to_go_on(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database, Stage.WRITING)

    with database.write() as db:
        assert not ledger.report_progress(db, attempt, Owner("left", 1), Progress(300, 1000, 4.5))
    control.cancel(database, job)
    with database.write() as db:
        assert ledger.report_progress(db, attempt, Owner("left", 1), Progress(400, 1000, None))

    row = attempt_row(database, attempt)
    assert (row.blocks_done, row.blocks_total, row.speed_x) == (400, 1000, None)


def test_an_old_owners_progress_is_void_and_so_is_a_late_one(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    with database.write() as db:
        ledger.report_progress(db, attempt, Owner("left", 1), Progress(300, 1000, None))
        ledger.report_progress(db, attempt, Owner("left", 0), Progress(700, 1000, None))
    settle(database, attempt, Outcome.SPOILED)
    with database.write() as db:
        ledger.report_progress(db, attempt, Owner("left", 1), Progress(900, 1000, None))

    assert attempt_row(database, attempt).blocks_done == 300


# --- taking over


def test_a_new_owner_takes_over_and_the_old_one_is_fenced_off(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    new = raise_epoch(database)
    take_over(database, attempt, new)

    with pytest.raises(Fenced), database.write() as db:
        ledger.settle(db, attempt, Owner("left", 1), Verdict(Outcome.GOOD))
    assert settle(database, attempt, Outcome.GOOD) is Outcome.GOOD


@pytest.mark.parametrize("owner", [Owner("left", 1), Owner("right", 2)])
def test_only_the_newest_owner_of_that_recorder_takes_over(database: Database, owner: Owner) -> None:
    order(database, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.WRITING)
    raise_epoch(database)
    raise_epoch(database, "right")

    with pytest.raises(Fenced):
        take_over(database, attempt, owner)
    assert attempt_row(database, attempt).epoch == 1


# --- what holds even where code is wrong


def test_one_unsettled_attempt_a_recorder(database: Database) -> None:
    job = order(database, 2)
    an_attempt(database)

    with pytest.raises(IntegrityError), database.write() as db:
        db.execute(insert(Attempt).values(job_id=job, copy_id=copy_rows(database, job)[1].id, recorder="left"))


def test_one_unsettled_attempt_a_copy(database: Database) -> None:
    job = order(database, recorders=("left", "right"))
    an_attempt(database)

    with pytest.raises(IntegrityError), database.write() as db:
        db.execute(insert(Attempt).values(job_id=job, copy_id=copy_rows(database, job)[0].id, recorder="right"))


def test_one_good_disc_a_copy(database: Database) -> None:
    job = order(database)
    a_disc(database, Outcome.GOOD)
    again = {"job_id": job, "copy_id": copy_rows(database, job)[0].id, "recorder": "left", "stage": Stage.SETTLED}

    with database.write() as db:
        db.execute(insert(Attempt).values(**again, outcome=Outcome.SURPLUS))
    with pytest.raises(IntegrityError), database.write() as db:
        db.execute(insert(Attempt).values(**again, outcome=Outcome.GOOD))
