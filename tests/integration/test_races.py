"""Several who assign, claim and settle at once: nothing is promised twice, nobody waits for ever."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count

import pytest
from sqlalchemy import select, text

from jobs import control, ledger, scheduling
from jobs.ledger import Owner, Rules, Verdict
from jobs.scheduling import Assignment, assign, assign_to
from models.attempt import Attempt
from models.base import new_id
from models.database import Database
from models.job import Copy, Job
from models.vocabulary import CopyState, JobState, Outcome, Stage
from tests.builders import BLANK, job_row, make_ready, order
from tests.rigs import wait_until

RECORDERS = ("r1", "r2", "r3", "r4")
ROUNDS = 15
#: Seconds until a rig that does not get through fails the test.
DEADLINE = 60.0


def at_once(*acts: Callable[[], object]) -> None:
    """Do things in threads that begin together; raise what any of them raises."""
    gate = threading.Barrier(len(acts))

    def wait_and(act: Callable[[], object]) -> None:
        gate.wait(DEADLINE)
        act()

    with ThreadPoolExecutor(len(acts)) as threads:
        for done in [threads.submit(wait_and, act) for act in acts]:
            done.result(DEADLINE)


def promised(database: Database) -> list[Attempt]:
    with database.read() as db:
        return list(db.scalars(select(Attempt).where(Attempt.outcome.is_(None))))


def take_all_back(database: Database) -> None:
    for attempt in promised(database):
        with database.write() as db:
            assert ledger.withdraw(db, attempt.id, "the round is over")


def test_assigners_at_once_give_no_copy_twice_and_no_recorder_two(database: Database) -> None:
    job = order(database, len(RECORDERS) - 1, RECORDERS)

    for _ in range(ROUNDS):
        rung: list[Assignment] = []
        at_once(*[partial(assign, database, rung.append)] * 4)
        assign(database, rung.append)  # what the tick finds: copies that two of them reached for

        attempts = promised(database)
        assert {attempt.id for attempt in attempts} == {assignment.attempt for assignment in rung}
        assert len({attempt.copy_id for attempt in attempts}) == len(attempts) == len(rung) == len(RECORDERS) - 1
        assert len({attempt.recorder for attempt in attempts}) == len(attempts)
        take_all_back(database)
    assert job_row(database, job).state is JobState.QUEUED


def test_a_recorder_is_promised_one_copy_however_many_ask(database: Database) -> None:
    order(database, 8, RECORDERS)

    for _ in range(ROUNDS):
        made: list[bool] = []

        def ask(made: list[bool] = made) -> None:
            made.append(assign_to(database, "r1") is not None)

        at_once(*[ask] * 4)

        assert sorted(made) == [False, False, False, True]
        assert len(promised(database)) == 1
        take_all_back(database)


def test_an_attempt_is_claimed_once_however_often_it_is_delivered(database: Database) -> None:
    order(database, 2, RECORDERS)

    for _ in range(ROUNDS):
        assignment = assign_to(database, "r1")
        assert assignment is not None
        claimed: list[bool] = []

        def deliver(attempt: str = assignment.attempt, claimed: list[bool] = claimed) -> None:
            with database.write() as db:
                claimed.append(ledger.start(db, attempt, Owner("r1", 1)) is not None)

        at_once(*[deliver] * 4)

        assert sorted(claimed) == [False, False, False, True]
        with database.write() as db:
            ledger.settle(db, assignment.attempt, Owner("r1", 1), Verdict(Outcome.UNUSED))
        make_ready(database, "r1")


def test_a_claim_and_a_withdrawal_at_once_have_one_winner(database: Database) -> None:
    job = order(database)

    for _ in range(ROUNDS):
        assignment = assign_to(database, "left")
        assert assignment is not None
        won: list[str] = []

        def deliver(attempt: str = assignment.attempt, won: list[str] = won) -> None:
            with database.write() as db:
                won.extend(["claim"] * (ledger.start(db, attempt, Owner("left", 1)) is not None))

        def withdraw(attempt: str = assignment.attempt, won: list[str] = won) -> None:
            with database.write() as db:
                won.extend(["withdrawal"] * ledger.withdraw(db, attempt, "left is paused"))

        at_once(deliver, withdraw)

        assert len(won) == 1
        if won == ["claim"]:
            with database.write() as db:
                ledger.settle(db, assignment.attempt, Owner("left", 1), Verdict(Outcome.UNUSED))
            make_ready(database, "left")
    assert job_row(database, job).state is JobState.QUEUED


class Rig:
    """Four workers, each at its own recorder, that also assign, and a person who changes things meanwhile."""

    def __init__(self, database: Database, jobs: list[str]) -> None:
        self.database = database
        self.jobs = jobs
        self.give_up = time.monotonic() + DEADLINE

    def is_done(self) -> bool:
        assert time.monotonic() < self.give_up, "the rig does not get through"
        with self.database.read() as db:
            missing = select(Copy.id).where(Copy.job_id.in_(self.jobs), Copy.state != CopyState.DONE).limit(1)
            return db.scalar(missing) is None

    def work(self, recorder: str) -> None:
        """Make discs; every fourth one is spoiled."""
        for number in count():
            if self.is_done():
                return
            assign(self.database, lambda _: None)
            with self.database.read() as db:
                mine = select(Attempt.id).where(Attempt.recorder == recorder, Attempt.stage == Stage.ASSIGNED)
                attempt = db.scalar(mine)
            if attempt is not None:
                self.make_disc(attempt, Owner(recorder, 1), Outcome.SPOILED if number % 4 == 0 else Outcome.GOOD)

    def make_disc(self, attempt: str, owner: Owner, outcome: Outcome) -> None:
        with self.database.write() as db:
            if ledger.start(db, attempt, owner) is None:
                return
        with self.database.write() as db:
            ledger.permit(db, attempt, owner, BLANK, new_id())
        with self.database.write() as db:
            ledger.report_progress(db, attempt, owner, ledger.Progress(500, 1000))
        with self.database.write() as db:
            ledger.enter(db, attempt, owner, Stage.VERIFYING)
        with self.database.write() as db:
            ledger.settle(db, attempt, owner, Verdict(outcome), Rules(quarantine_after=100))
        make_ready(self.database, owner.recorder)

    def meddle(self) -> None:
        """Change priorities, retry, pause and resume, until all is done."""
        for number in count():
            if self.is_done():
                return
            recorder = RECORDERS[number % len(RECORDERS)]
            control.set_priority(self.database, self.jobs[number % len(self.jobs)], number % 10)
            control.pause(self.database, [recorder])
            for job in self.jobs:
                if job_row(self.database, job).state is JobState.WAITING:
                    control.retry(self.database, job)
            control.resume(self.database, [recorder])


def test_a_busy_rig_gets_through_without_a_deadlock(database: Database) -> None:
    jobs = [order(database, 6, RECORDERS, max_spoiled=2), order(database, 6, (), max_spoiled=2)]
    rig = Rig(database, jobs)

    at_once(*[partial(rig.work, name) for name in RECORDERS], rig.meddle)

    assert [job_row(database, job).state for job in jobs] == [JobState.COMPLETED] * 2
    with database.read() as db:
        good = db.scalars(select(Attempt.copy_id).where(Attempt.outcome == Outcome.GOOD)).all()
        assert db.scalar(select(Attempt.id).where(Attempt.outcome.is_(None))) is None
    assert Counter(good).most_common(1)[0][1] == 1
    assert len(good) == 12


def test_recorders_that_reach_for_the_same_copy_each_get_one_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "_TRIES", 1)
    job = order(database, len(RECORDERS), RECORDERS)

    with ThreadPoolExecutor(len(RECORDERS)) as threads:
        with database.write() as db:
            db.get_one(Job, job, with_for_update=True)
            given = [threads.submit(assign_to, database, name) for name in RECORDERS]
            if not database.is_sqlite:
                wait_until(partial(all_wait_for_a_lock, database), "all have seen the first copy")
        assignments = [each.result(DEADLINE) for each in given]

    assert None not in assignments
    assert len({attempt.copy_id for attempt in promised(database)}) == len(RECORDERS)


def all_wait_for_a_lock(database: Database) -> bool:
    with database.read() as db:
        ours = "datname = current_database() AND wait_event_type = 'Lock'"
        waiting = db.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {ours}"))  # noqa: S608  (a constant)
    return bool(waiting == len(RECORDERS))
