"""Orders called off, tried again and taken back: at every stage of their attempts."""

from collections.abc import Callable

import pytest

from jobs import control, ledger
from jobs.errors import Fenced, NotAllowed, NotFound, NotPermitted
from jobs.ledger import Owner, Verdict
from jobs.scheduling import assign_to
from models.base import new_id
from models.database import Database
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
    set_condition,
    settle,
)


def states(database: Database, job: str) -> list[str]:
    return [str(copy.state) for copy in copy_rows(database, job)]


# --- cancel


def test_what_is_queued_or_assigned_is_called_off_at_once(database: Database) -> None:
    job = order(database, 3)
    attempt = an_attempt(database)

    control.cancel(database, job)

    assert attempt_row(database, attempt).outcome is Outcome.UNUSED
    assert states(database, job) == ["cancelled"] * 3
    assert job_row(database, job).state is JobState.CANCELLED
    assert assign_to(database, "left") is None


@pytest.mark.parametrize(
    ("stage", "found", "counts_as"),
    [
        (Stage.PREPARING, Outcome.UNUSED, Outcome.UNUSED),
        (Stage.WRITING, Outcome.SPOILED, Outcome.SPOILED),
        (Stage.WRITING, Outcome.UNUSED, Outcome.UNUSED),
        (Stage.CLOSING, Outcome.GOOD, Outcome.SURPLUS),
        (Stage.VERIFYING, Outcome.GOOD, Outcome.SURPLUS),
        (Stage.VERIFYING, Outcome.SPOILED, Outcome.SPOILED),
    ],
)
def test_what_is_under_way_is_settled_first(
    database: Database, stage: Stage, found: Outcome, counts_as: Outcome
) -> None:
    job = order(database, 2)
    attempt = an_attempt(database, stage)

    control.cancel(database, job)

    assert states(database, job) == ["active", "cancelled"]
    assert (job_row(database, job).state, job_row(database, job).cancel_requested) == (JobState.ACTIVE, True)
    with pytest.raises(NotAllowed, match="still being cancelled"):
        control.retry(database, job)
    assert settle(database, attempt, found) is counts_as
    assert states(database, job) == ["cancelled"] * 2
    assert job_row(database, job).state is JobState.CANCELLED


def test_a_job_is_cancelled_without_waiting_for_a_host_that_is_away(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database, Stage.WRITING)
    set_condition(database, Condition.OFFLINE)

    control.cancel(database, job)

    assert job_row(database, job).state is JobState.CANCELLED
    assert attempt_row(database, attempt).outcome is None
    assert settle(database, attempt, Outcome.GOOD) is Outcome.SURPLUS
    assert job_row(database, job).state is JobState.CANCELLED


def test_what_was_let_go_is_waited_for_when_it_is_wanted_again(database: Database) -> None:
    job = order(database, 2, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.WRITING)
    set_condition(database, Condition.OFFLINE)
    control.cancel(database, job)

    assert control.retry(database, job) == 2

    a_disc(database, Outcome.GOOD, "right")
    assert assign_to(database, "right") is None  # the other copy may be good already
    assert settle(database, attempt, Outcome.GOOD) is Outcome.GOOD
    assert job_row(database, job).state is JobState.COMPLETED


def test_a_host_that_lives_is_waited_for(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database, Stage.WRITING)

    with database.write() as db:
        assert not ledger.let_go(db, attempt)
    set_condition(database, Condition.OFFLINE)
    with database.write() as db:
        assert not ledger.let_go(db, attempt)  # nobody called it off
        assert not ledger.let_go(db, new_id())
    assert copy_rows(database, job)[0].state is CopyState.ACTIVE


def test_good_discs_stay_good_when_the_rest_is_called_off(database: Database) -> None:
    job = order(database, 3)
    good = a_disc(database, Outcome.GOOD)

    control.cancel(database, job)

    assert attempt_row(database, good).outcome is Outcome.GOOD
    assert states(database, job) == ["done", "cancelled", "cancelled"]
    assert job_row(database, job).state is JobState.CANCELLED


def test_a_failure_under_a_cancel_holds_nothing(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database, Stage.PREPARING)
    control.cancel(database, job)

    settle(database, attempt, Verdict(Outcome.UNUSED, error=NotPermitted("no permit")))

    copy = copy_rows(database, job)[0]
    assert (copy.state, copy.failures, copy.not_before) == (CopyState.CANCELLED, 0, None)


def test_a_waiting_job_can_be_called_off(database: Database) -> None:
    job = order(database, 2, max_spoiled=1)
    a_disc(database, Outcome.SPOILED)

    control.cancel(database, job)

    assert job_row(database, job).state is JobState.CANCELLED
    assert not any(copy.held for copy in copy_rows(database, job))


def test_only_its_client_or_an_operator_calls_a_job_off(database: Database) -> None:
    job = order(database, client="archive")

    with pytest.raises(NotAllowed, match="not ordered by"):
        control.cancel(database, job, client="label")
    control.cancel(database, job, client="archive")


def test_a_client_changes_no_order_of_another_one(database: Database) -> None:
    job = order(database, copies=2, client="archive")
    acts: list[Callable[[str | None], object]] = [
        lambda client: control.set_priority(database, job, 9, client),
        lambda client: control.cancel(database, job, client),
        lambda client: control.retry(database, job, client),
    ]

    for act in acts:
        before = job_row(database, job)
        with pytest.raises(NotAllowed, match="'label'; only its own client may change it"):
            act("label")
        after = job_row(database, job)
        assert (after.priority, after.state, after.cancel_requested) == (
            before.priority,
            before.state,
            before.cancel_requested,
        )
        act("archive")

    assert (job_row(database, job).priority, job_row(database, job).state) == (9, JobState.QUEUED)


def test_what_is_over_can_not_be_called_off(database: Database) -> None:
    job = order(database)
    a_disc(database, Outcome.GOOD)

    with pytest.raises(NotAllowed, match="completed already"):
        control.cancel(database, job)
    with pytest.raises(NotFound):
        control.cancel(database, new_id())


# --- retry


def test_a_retry_makes_only_what_is_missing(database: Database) -> None:
    job = order(database, 3, max_spoiled=1)
    a_disc(database, Outcome.GOOD)
    a_disc(database, Outcome.SPOILED)
    assert job_row(database, job).state is JobState.WAITING

    assert control.retry(database, job) == 2

    assert job_row(database, job).reason is None
    a_disc(database, Outcome.GOOD)
    a_disc(database, Outcome.GOOD)
    assert job_row(database, job).state is JobState.COMPLETED
    assert assign_to(database, "left") is None


def test_a_retry_forgives_the_discs_spoiled_so_far_and_no_more(database: Database) -> None:
    job = order(database, 9, max_spoiled=2)
    a_disc(database, Outcome.SPOILED)
    a_disc(database, Outcome.SPOILED)
    control.retry(database, job)
    control.clear(database, ["left"])

    a_disc(database, Outcome.SPOILED)
    assert job_row(database, job).reason is None
    a_disc(database, Outcome.SPOILED)
    assert job_row(database, job).state is JobState.WAITING


def test_a_retry_lets_failed_copies_begin_anew_at_once(database: Database) -> None:
    job = order(database)
    for _ in range(3):
        error = NotPermitted("no permit")
        settle(database, an_attempt(database, Stage.PREPARING), Verdict(Outcome.UNUSED, error=error))
        make_ready(database, "left")
    assert job_row(database, job).state is JobState.WAITING

    assert control.retry(database, job) == 1

    copy = copy_rows(database, job)[0]
    assert (copy.held, copy.failures, copy.not_before) == (False, 0, None)
    assert assign_to(database, "left") is not None


def test_a_retry_leaves_alone_what_is_under_way(database: Database) -> None:
    job = order(database, 2)
    attempt = an_attempt(database, Stage.WRITING)

    assert control.retry(database, job) == 1

    assert attempt_row(database, attempt).outcome is None
    assert states(database, job) == ["active", "queued"]


def test_a_cancelled_job_can_be_ordered_again(database: Database) -> None:
    job = order(database, 2)
    a_disc(database, Outcome.GOOD)
    control.cancel(database, job)

    assert control.retry(database, job) == 1

    assert job_row(database, job).state is JobState.ACTIVE
    a_disc(database, Outcome.GOOD)
    assert job_row(database, job).state is JobState.COMPLETED


def test_nothing_is_retried_of_a_job_that_has_all_its_discs(database: Database) -> None:
    job = order(database)
    a_disc(database, Outcome.GOOD)

    with pytest.raises(NotAllowed, match="nothing is missing"):
        control.retry(database, job)


# --- taken back


def test_a_promise_that_nobody_claimed_is_withdrawn(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database)

    with database.write() as db:
        assert ledger.withdraw(db, attempt, "left is paused")

    assert attempt_row(database, attempt).outcome is Outcome.UNUSED
    assert states(database, job) == ["queued"]
    assert job_row(database, job).state is JobState.QUEUED
    assert assign_to(database, "left") is not None


@pytest.mark.parametrize("stage", [Stage.PREPARING, Stage.WRITING, Stage.CLOSING, Stage.VERIFYING])
def test_a_promise_that_was_claimed_is_kept(database: Database, stage: Stage) -> None:
    order(database)
    attempt = an_attempt(database, stage)

    with database.write() as db:
        assert not ledger.withdraw(db, attempt, "left is paused")
        assert not ledger.withdraw(db, new_id(), "left is paused")
    assert attempt_row(database, attempt).stage is stage


def test_a_dead_workers_preparation_is_abandoned_and_it_is_fenced_off(database: Database) -> None:
    job = order(database, recorders=("left", "right"))
    attempt = an_attempt(database, Stage.PREPARING)
    old = owner_of(database)

    with database.write() as db:
        assert ledger.abandon(db, attempt, heartbeat=0)

    assert attempt_row(database, attempt).outcome is Outcome.UNUSED
    assert states(database, job) == ["queued"]
    with pytest.raises(Fenced), database.write() as db:
        ledger.permit(db, attempt, old, BLANK, "medium-1")
    assert assign_to(database, "right") is not None
    assert owner_of(database) == Owner("left", old.epoch + 1)


@pytest.mark.parametrize("stage", [Stage.ASSIGNED, Stage.WRITING, Stage.CLOSING, Stage.VERIFYING])
def test_what_may_have_been_written_is_not_abandoned(database: Database, stage: Stage) -> None:
    order(database)
    attempt = an_attempt(database, stage)

    with database.write() as db:
        assert not ledger.abandon(db, attempt, heartbeat=0)
    assert attempt_row(database, attempt).outcome is None
    assert owner_of(database) == Owner("left", 1)


def test_nothing_is_abandoned_of_a_worker_that_lives(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.PREPARING)

    with database.write() as db:
        assert not ledger.abandon(db, attempt, heartbeat=7)
        assert not ledger.abandon(db, new_id(), heartbeat=0)
    assert attempt_row(database, attempt).outcome is None
