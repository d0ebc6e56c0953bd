"""The dispatcher's tick under a clock of the test's own: who is dead, what is taken back, when it rings again."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from jobs import control
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.scheduling import Assignment
from jobs.settings import load_settings
from models.attempt import Attempt
from models.database import Database
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, Outcome, Stage
from tests.builders import (
    an_attempt,
    attempt_row,
    copy_rows,
    make_ready,
    order,
    recorder_row,
    set_condition,
)
from workers.dispatcher import Dispatcher

LEASE, REPLACE_AFTER = 30.0, 90.0
#: Seconds between two looks; more than half a lease would count as the dispatcher's own absence.
STEP = LEASE / 2.5


@dataclass(slots=True)
class Bell:
    """Counts what it is asked for, and says what waits."""

    length: int | None = 0
    rung: list[str] = field(default_factory=list)

    def ring(self, assignment: Assignment) -> bool:
        self.rung.append(assignment.attempt)
        return True

    def waiting(self, _: str) -> int | None:
        return self.length


@dataclass(slots=True)
class Watch:
    """A dispatcher, and the time it sees."""

    database: Database
    bell: Bell
    dispatcher: Dispatcher
    now: list[float]

    def tick_for(self, seconds: float, *, beating: bool = False) -> None:
        """Tick through a stretch of time in which workers beat, or do not."""
        end = self.now[0] + seconds
        while self.now[0] < end:
            self.now[0] += min(STEP, end - self.now[0])
            if beating:
                with self.database.write() as db:
                    db.execute(update(Recorder).values(heartbeat=Recorder.heartbeat + 1))
            self.dispatcher.tick()


def a_watch(database: Database, folder: Path, replace_after: float | None = None) -> Watch:
    settings = load_settings(home=folder, lease=LEASE, heartbeat=5, replace_after=replace_after)
    now, bell = [1000.0], Bell()
    dispatcher = Dispatcher(settings, database, bell, clock=lambda: now[0])  # type: ignore[arg-type]
    return Watch(database, bell, dispatcher, now)


@pytest.fixture
def watch(database: Database, tmp_path: Path) -> Watch:
    return a_watch(database, tmp_path)


def test_a_recorder_is_offline_once_its_lease_is_over_by_the_observers_own_clock(watch: Watch) -> None:
    order(watch.database)
    attempt = an_attempt(watch.database, Stage.PREPARING)

    watch.tick_for(LEASE, beating=True)
    watch.tick_for(LEASE - STEP)
    before = recorder_row(watch.database).condition
    watch.tick_for(3 * STEP)

    assert before is Condition.BUSY
    row = recorder_row(watch.database)
    assert (row.condition, row.medium_id) == (Condition.OFFLINE, None)
    assert attempt_row(watch.database, attempt).outcome is Outcome.UNUSED
    assert copy_rows(watch.database, attempt_row(watch.database, attempt).job_id)[0].state is CopyState.QUEUED


@pytest.mark.parametrize("stage", [Stage.WRITING])
def test_what_may_be_written_is_never_ordered_anew_unless_the_administrator_said_so(watch: Watch, stage: Stage) -> None:
    order(watch.database)
    attempt = an_attempt(watch.database, stage)

    watch.tick_for(6 * LEASE)

    assert attempt_row(watch.database, attempt).outcome is None
    assert recorder_row(watch.database).condition is Condition.OFFLINE


@pytest.mark.parametrize("stage", [Stage.WRITING, Stage.VERIFYING])
def test_what_may_be_written_is_lost_after_replace_after_and_not_before(
    database: Database, tmp_path: Path, stage: Stage
) -> None:
    watch = a_watch(database, tmp_path, REPLACE_AFTER)
    order(database)
    attempt = an_attempt(database, stage)

    watch.tick_for(REPLACE_AFTER)
    before = attempt_row(database, attempt).outcome
    watch.tick_for(2 * STEP)

    assert before is None
    assert attempt_row(database, attempt).outcome is Outcome.LOST
    assert copy_rows(database, attempt_row(database, attempt).job_id)[0].state is CopyState.QUEUED


def test_a_heart_that_beats_once_in_a_lease_keeps_its_recorder(watch: Watch) -> None:
    order(watch.database)
    attempt = an_attempt(watch.database, Stage.WRITING)

    for _ in range(3):
        watch.tick_for(LEASE - STEP)
        watch.tick_for(STEP / 2, beating=True)

    assert recorder_row(watch.database).condition is Condition.BUSY
    assert attempt_row(watch.database, attempt).outcome is None


def test_a_promise_is_rung_again_after_ever_longer_pauses(watch: Watch) -> None:
    order(watch.database)
    attempt = an_attempt(watch.database)
    at: list[int] = []

    for second in range(1, 17):
        before = len(watch.bell.rung)
        watch.tick_for(1)
        at += [second] * (len(watch.bell.rung) - before)

    assert at == [3, 7, 15]
    assert set(watch.bell.rung) == {attempt}
    with watch.database.read() as db:
        assert db.scalar(select(func.count()).select_from(Attempt)) == 1


@pytest.mark.parametrize("waiting", [1, None])
def test_nobody_rings_while_a_message_waits_or_the_broker_is_away(watch: Watch, waiting: int | None) -> None:
    order(watch.database)
    an_attempt(watch.database)
    watch.bell.length = waiting

    watch.tick_for(20, beating=True)

    assert watch.bell.rung == []


def test_nobody_rings_for_the_dead_and_their_promise_is_taken_back(watch: Watch) -> None:
    order(watch.database)
    attempt = an_attempt(watch.database)
    watch.bell.length = 1

    watch.tick_for(2 * LEASE)
    watch.bell.length = 0
    watch.tick_for(2 * LEASE)

    assert watch.bell.rung == []
    assert attempt_row(watch.database, attempt).outcome is Outcome.UNUSED


@pytest.mark.parametrize("condition", [Condition.OFFLINE, Condition.EMPTY, Condition.ATTENTION])
def test_a_promise_to_a_recorder_that_is_not_ready_any_more_is_taken_back(watch: Watch, condition: Condition) -> None:
    job = order(watch.database)
    attempt = an_attempt(watch.database)
    set_condition(watch.database, condition)

    watch.tick_for(1, beating=True)

    assert attempt_row(watch.database, attempt).outcome is Outcome.UNUSED
    assert copy_rows(watch.database, job)[0].state is CopyState.QUEUED


def test_a_promise_to_a_paused_recorder_is_taken_back(watch: Watch) -> None:
    order(watch.database)
    attempt = an_attempt(watch.database)
    control.pause(watch.database, ["left"])

    watch.tick_for(1, beating=True)

    assert attempt_row(watch.database, attempt).outcome is Outcome.UNUSED


def test_a_promise_is_taken_back_when_the_medium_is_another_one(watch: Watch) -> None:
    order(watch.database)
    attempt = an_attempt(watch.database)
    kind = MediumKind.BD_R
    other = MediumInfo(kind, MediumStatus.COMPLETE, kind.capacity, 0, used=True)
    make_ready(watch.database, "left", medium=other)

    watch.tick_for(1, beating=True)

    assert attempt_row(watch.database, attempt).outcome is Outcome.UNUSED


@pytest.mark.parametrize("condition", [Condition.READY, Condition.BUSY, Condition.RECOVERING, Condition.LOADING])
def test_a_promise_that_can_still_be_kept_is_left_alone(watch: Watch, condition: Condition) -> None:
    order(watch.database)
    attempt = an_attempt(watch.database)
    set_condition(watch.database, condition)

    watch.tick_for(2 * LEASE, beating=True)

    row = attempt_row(watch.database, attempt)
    assert (row.stage, row.outcome) == (Stage.ASSIGNED, None)
