"""Attempts whose outcome is looked at again: hosts that come back late, and a person's word."""

import pytest

from jobs import control, ledger
from jobs.errors import DiscError, IllegalTransition, NotFound, NotPermitted, WriteFailed
from jobs.ledger import Owner, Verdict
from models.base import new_id
from models.database import Database
from models.vocabulary import Condition, CopyState, JobState, Outcome, Stage
from tests.builders import (
    a_disc,
    an_attempt,
    attempt_row,
    copy_rows,
    job_row,
    order,
    set_condition,
    settle,
)


def lose(database: Database, attempt: str, heartbeat: int = 0) -> bool:
    with database.write() as db:
        return ledger.lose(db, attempt, heartbeat)


def resolve(database: Database, attempt: str, outcome: Outcome) -> Outcome:
    with database.write() as db:
        return ledger.resolve(db, attempt, outcome, by="ann")


def an_earlier_disc(database: Database, outcome: Outcome) -> str:
    """Make a disc on the left recorder that is lost or spoiled: its copy is queued again."""
    if outcome is Outcome.SPOILED:
        return a_disc(database, Outcome.SPOILED)
    attempt = an_attempt(database, Stage.WRITING)
    assert lose(database, attempt)
    return attempt


def turn_out(database: Database, earlier: str, outcome: Outcome) -> Outcome:
    """Let the host come back and find a lost disc; take a person's word for a spoiled one."""
    if attempt_row(database, earlier).outcome is Outcome.LOST:
        return settle(database, earlier, outcome)
    return resolve(database, earlier, outcome)


either = pytest.mark.parametrize("before", [Outcome.LOST, Outcome.SPOILED])


@either
def test_a_disc_that_is_not_there_is_made_again(database: Database, before: Outcome) -> None:
    job = order(database)

    an_earlier_disc(database, before)

    assert copy_rows(database, job)[0].state is CopyState.QUEUED
    assert job_row(database, job).state is JobState.QUEUED


@either
def test_it_counts_if_nobody_began_another_one(database: Database, before: Outcome) -> None:
    job = order(database)
    earlier = an_earlier_disc(database, before)

    assert turn_out(database, earlier, Outcome.GOOD) is Outcome.GOOD
    assert job_row(database, job).state is JobState.COMPLETED


@either
def test_it_counts_while_another_one_is_promised(database: Database, before: Outcome) -> None:
    job = order(database, recorders=("left", "right"))
    earlier = an_earlier_disc(database, before)
    other = an_attempt(database, Stage.ASSIGNED, "right")

    assert turn_out(database, earlier, Outcome.GOOD) is Outcome.GOOD

    with database.write() as db:
        assert ledger.start(db, other, Owner("right", 1)) is None
    assert attempt_row(database, other).outcome is Outcome.UNUSED
    assert copy_rows(database, job)[0].state is CopyState.DONE
    assert job_row(database, job).state is JobState.COMPLETED


@either
def test_it_counts_while_another_one_is_prepared(database: Database, before: Outcome) -> None:
    job = order(database, recorders=("left", "right"))
    earlier = an_earlier_disc(database, before)
    other = an_attempt(database, Stage.PREPARING, "right")

    assert turn_out(database, earlier, Outcome.GOOD) is Outcome.GOOD

    settle(database, other, Verdict(Outcome.UNUSED, error=NotPermitted("no permit")))
    copy = copy_rows(database, job)[0]
    assert (copy.state, copy.not_before) == (CopyState.DONE, None)
    assert job_row(database, job).state is JobState.COMPLETED


@either
@pytest.mark.parametrize(
    ("stage", "state"), [(Stage.ASSIGNED, CopyState.ASSIGNED), (Stage.PREPARING, CopyState.ACTIVE)]
)
def test_when_it_does_not_count_after_all_the_other_one_goes_on(
    database: Database, before: Outcome, stage: Stage, state: CopyState
) -> None:
    job = order(database, recorders=("left", "right"))
    earlier = an_earlier_disc(database, before)
    an_attempt(database, stage, "right")
    turn_out(database, earlier, Outcome.GOOD)

    assert resolve(database, earlier, Outcome.SPOILED) is Outcome.SPOILED

    assert copy_rows(database, job)[0].state is state
    assert job_row(database, job).state is JobState.ACTIVE


@either
@pytest.mark.parametrize("stage", [Stage.WRITING, Stage.CLOSING, Stage.VERIFYING])
@pytest.mark.parametrize("then", [Outcome.GOOD, Outcome.SPOILED])
def test_it_is_surplus_once_another_one_is_written(
    database: Database, before: Outcome, stage: Stage, then: Outcome
) -> None:
    job = order(database, recorders=("left", "right"))
    earlier = an_earlier_disc(database, before)
    other = an_attempt(database, stage, "right")

    assert turn_out(database, earlier, Outcome.GOOD) is Outcome.SURPLUS

    settle(database, other, then)
    made = then is Outcome.GOOD
    assert copy_rows(database, job)[0].state is (CopyState.DONE if made else CopyState.QUEUED)


@either
def test_it_is_surplus_once_another_one_is_good(database: Database, before: Outcome) -> None:
    job = order(database, recorders=("left", "right"))
    earlier = an_earlier_disc(database, before)
    a_disc(database, Outcome.GOOD, "right")

    assert turn_out(database, earlier, Outcome.GOOD) is Outcome.SURPLUS
    assert job_row(database, job).state is JobState.COMPLETED


@either
def test_it_is_surplus_once_the_job_is_called_off(database: Database, before: Outcome) -> None:
    job = order(database)
    earlier = an_earlier_disc(database, before)
    control.cancel(database, job)

    assert turn_out(database, earlier, Outcome.GOOD) is Outcome.SURPLUS
    assert job_row(database, job).state is JobState.CANCELLED
    assert copy_rows(database, job)[0].state is CopyState.CANCELLED


# --- lost


@pytest.mark.parametrize("outcome", [Outcome.SPOILED, Outcome.UNUSED])
def test_a_lost_disc_that_is_not_good_changes_nothing_for_its_copy(database: Database, outcome: Outcome) -> None:
    job = order(database, recorders=("left", "right"))
    lost = an_earlier_disc(database, Outcome.LOST)
    an_attempt(database, Stage.WRITING, "right")

    assert settle(database, lost, Verdict(outcome, error=WriteFailed("no disc"))) is outcome

    copy = copy_rows(database, job)[0]
    assert (copy.state, copy.failures) == (CopyState.ACTIVE, 0)


def test_looking_at_a_lost_disc_is_no_step_back(database: Database) -> None:
    order(database)
    lost = an_earlier_disc(database, Outcome.LOST)

    with database.write() as db:
        ledger.enter(db, lost, Owner("left", 1), Stage.VERIFYING)

    row = attempt_row(database, lost)
    assert (row.stage, row.outcome) == (Stage.SETTLED, Outcome.LOST)


def test_a_disc_whose_worker_lives_or_has_spoken_is_not_lost(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)

    assert not lose(database, attempt, heartbeat=7)
    settle(database, attempt, Outcome.GOOD)
    assert not lose(database, attempt)
    assert attempt_row(database, attempt).outcome is Outcome.GOOD


# --- a person's word


def test_a_good_disc_that_a_person_calls_spoiled_is_made_again(database: Database) -> None:
    job = order(database)
    attempt = a_disc(database, Outcome.GOOD)

    assert resolve(database, attempt, Outcome.SPOILED) is Outcome.SPOILED

    assert copy_rows(database, job)[0].state is CopyState.QUEUED
    assert (job_row(database, job).state, job_row(database, job).finished) == (JobState.QUEUED, None)
    a_disc(database, Outcome.GOOD)
    assert job_row(database, job).state is JobState.COMPLETED


def test_a_surplus_disc_that_a_person_calls_spoiled_changes_nothing_for_its_copy(database: Database) -> None:
    job = order(database)
    earlier = an_earlier_disc(database, Outcome.SPOILED)
    a_disc(database, Outcome.GOOD)
    assert resolve(database, earlier, Outcome.GOOD) is Outcome.SURPLUS

    assert resolve(database, earlier, Outcome.SPOILED) is Outcome.SPOILED
    assert copy_rows(database, job)[0].state is CopyState.DONE


def test_a_copy_that_is_queued_again_is_held_only_while_its_job_is(database: Database) -> None:
    job = order(database, 2, max_spoiled=1)
    spoiled = a_disc(database, Outcome.SPOILED)
    resolve(database, spoiled, Outcome.GOOD)
    control.retry(database, job)

    resolve(database, spoiled, Outcome.SPOILED)
    control.retry(database, job)

    assert not any(copy.held for copy in copy_rows(database, job))


@pytest.mark.parametrize("outcome", [Outcome.GOOD, Outcome.SPOILED])
def test_the_same_word_twice_is_refused(database: Database, outcome: Outcome) -> None:
    order(database)
    attempt = a_disc(database, outcome)

    with pytest.raises(IllegalTransition):
        resolve(database, attempt, outcome)


def test_nobody_resolves_what_is_being_worked_on_unless_its_host_is_away(database: Database) -> None:
    job = order(database)
    attempt = an_attempt(database, Stage.WRITING)

    with pytest.raises(NotPermitted, match="being worked on"):
        resolve(database, attempt, Outcome.GOOD)
    set_condition(database, Condition.OFFLINE)
    assert resolve(database, attempt, Outcome.GOOD) is Outcome.GOOD
    assert job_row(database, job).state is JobState.COMPLETED


@pytest.mark.parametrize("stage", [Stage.ASSIGNED, Stage.PREPARING])
def test_nobody_resolves_an_attempt_without_a_disc(database: Database, stage: Stage) -> None:
    order(database)
    attempt = an_attempt(database, stage)
    set_condition(database, Condition.OFFLINE)

    with pytest.raises(NotPermitted, match="no disc"):
        resolve(database, attempt, Outcome.GOOD)


def test_nobody_resolves_what_was_not_written_or_is_not_there(database: Database) -> None:
    order(database)
    unused = a_disc(database, Outcome.UNUSED)

    with pytest.raises(DiscError):
        resolve(database, unused, Outcome.GOOD)
    with pytest.raises(NotFound):
        resolve(database, new_id(), Outcome.GOOD)
    assert attempt_row(database, unused).outcome is Outcome.UNUSED
