"""The whole protocol in any order that hypothesis can think of, and what must hold after every step."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from jobs import control, ledger
from jobs.errors import (
    BurnCancelled,
    DiscError,
    Fenced,
    MediumMissing,
    NotPermitted,
    RecorderStalled,
    SourceChanged,
    WriteFailed,
)
from jobs.ledger import Owner, Rules, Verdict
from jobs.scheduling import assign
from models.attempt import Attempt
from models.base import Base, new_id
from models.database import Database
from models.job import Copy, Job
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, JobState, Outcome, Stage
from tests.builders import BLANK, a_job, a_recorder, fresh_database, make_ready

RECORDERS = ("left", "right")
RULES = Rules(quarantine_after=3, back_off=3600)
NOTHING_WRITTEN = {Stage.ASSIGNED, Stage.PREPARING}
Row = TypeVar("Row")

errors = st.sampled_from(
    [
        None,
        BurnCancelled("called off"),
        MediumMissing("the tray is empty"),
        RecorderStalled("no answer"),
        SourceChanged("/photos/1.raw", "grew"),
        WriteFailed("the laser gave up"),
    ]
)


@dataclass(frozen=True, slots=True)
class Sight:
    """All rows, as they were after the last step."""

    jobs: list[Job]
    copies: list[Copy]
    attempts: list[Attempt]
    recorders: dict[str, Recorder]

    @property
    def unsettled(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.outcome is None]

    def at(self, *stages: Stage) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.stage in stages]

    def job_of(self, attempt: Attempt) -> Job:
        return next(job for job in self.jobs if job.id == attempt.job_id)

    def copy_of(self, attempt: Attempt) -> Copy:
        return next(copy for copy in self.copies if copy.id == attempt.copy_id)


class Protocol(RuleBasedStateMachine):
    """Submitters, dispatchers, workers and persons, each doing anything at any time.

    `discs` is what was truly burnt: true for a good disc; what a person had the last word on is not in it.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.database = database
        self.discs: dict[str, bool] = {}
        self.former: list[Owner] = [Owner("nobody", 1)]
        self.seen = Sight([], [], [], {})

    @initialize()
    def begin(self) -> None:
        with self.database.write() as db:
            for table in reversed(Base.metadata.sorted_tables):
                db.execute(table.delete())
            for name in RECORDERS:
                a_recorder(db, name)
        self.look()

    def look(self) -> None:
        with self.database.read() as db:
            self.seen = Sight(
                list(db.scalars(select(Job).order_by(Job.id))),
                list(db.scalars(select(Copy).order_by(Copy.id))),
                list(db.scalars(select(Attempt).order_by(Attempt.id))),
                {recorder.name: recorder for recorder in db.scalars(select(Recorder))},
            )

    def owner(self, recorder: str) -> Owner:
        return Owner(recorder, self.seen.recorders[recorder].epoch)

    def settle(self, attempt: str, owner: Owner, verdict: Verdict) -> None:
        with self.database.write() as db:
            ledger.settle(db, attempt, owner, verdict, RULES)
        if verdict.outcome in {Outcome.GOOD, Outcome.SPOILED}:
            self.discs[attempt] = verdict.outcome is Outcome.GOOD

    # --- submitters

    @precondition(lambda self: len(self.seen.jobs) < 3)
    @rule(copies=st.integers(1, 3), priority=st.integers(0, 9), max_spoiled=st.integers(1, 3), simulate=st.booleans())
    def submit(self, *, copies: int, priority: int, max_spoiled: int, simulate: bool) -> None:
        with self.database.write() as db:
            a_job(db, copies, priority=priority, max_spoiled=max_spoiled, simulate=simulate)
        self.look()

    @precondition(lambda self: self.seen.jobs)
    @rule(data=st.data(), act=st.sampled_from([control.cancel, control.retry, control.set_priority]))
    def change_order(self, data: st.DataObject, act: Callable[..., object]) -> None:
        job = pick(data, self.seen.jobs)
        more = [data.draw(st.integers(0, 9))] if act is control.set_priority else []
        was_final = job.state.is_final
        try:
            act(self.database, job.id, *more)
        except DiscError:
            assert (
                (act is control.cancel and was_final)
                or (act is control.retry and job.state is JobState.COMPLETED)
                or (act is control.retry and job.cancel_requested)
            )
        self.look()

    # --- dispatchers

    @rule()
    def assign(self) -> None:
        before = {attempt.recorder for attempt in self.seen.unsettled}
        for assignment in assign(self.database, lambda _: None):
            assert assignment.recorder not in before
        self.look()

    @precondition(lambda self: self.seen.at(Stage.ASSIGNED))
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        attempt = pick(data, self.seen.at(Stage.ASSIGNED))
        with self.database.write() as db:
            assert ledger.withdraw(db, attempt.id, "the medium was changed")
        self.look()

    @precondition(lambda self: self.seen.unsettled)
    @rule(data=st.data(), late=st.booleans())
    def bury(self, data: st.DataObject, *, late: bool) -> None:
        """Judge a worker dead: rightly, wrongly, or by a heartbeat that has moved since."""
        attempt = pick(data, self.seen.unsettled)
        heartbeat = self.seen.recorders[attempt.recorder].heartbeat - late
        owner = self.owner(attempt.recorder)
        with self.database.write() as db:
            db.get_one(Recorder, attempt.recorder).condition = Condition.OFFLINE
            if attempt.stage is Stage.PREPARING:
                if ledger.abandon(db, attempt.id, heartbeat):
                    self.former.append(owner)
            elif attempt.stage is not Stage.ASSIGNED:
                assert ledger.lose(db, attempt.id, heartbeat) is not late
        self.look()

    # --- workers

    @precondition(lambda self: self.seen.attempts)
    @rule(data=st.data(), repeat=st.integers(1, 2))
    def deliver(self, data: st.DataObject, repeat: int) -> None:
        attempt = pick(data, self.seen.attempts)
        owner = self.owner(attempt.recorder)
        wanted = (
            self.seen.copy_of(attempt).state is CopyState.ASSIGNED and not self.seen.job_of(attempt).cancel_requested
        )
        for turn in range(repeat):
            with self.database.write() as db:
                started = ledger.start(db, attempt.id, owner) is not None
            assert started == (attempt.stage is Stage.ASSIGNED and wanted and turn == 0)
        self.look()

    @precondition(lambda self: self.seen.at(Stage.PREPARING))
    @rule(data=st.data(), reuse=st.booleans())
    def permit(self, data: st.DataObject, *, reuse: bool) -> None:
        attempt = pick(data, self.seen.at(Stage.PREPARING))
        if self.seen.job_of(attempt).simulate:
            return
        known = [row.medium_id for row in self.seen.attempts if row.medium_id]
        medium_id = pick(data, known) if reuse and known else new_id()
        taken = [row for row in self.seen.attempts if row.medium_id == medium_id and row.outcome is not Outcome.UNUSED]
        wanted = self.seen.copy_of(attempt).state is CopyState.ACTIVE and not self.seen.job_of(attempt).cancel_requested
        try:
            with self.database.write() as db:
                ledger.permit(db, attempt.id, self.owner(attempt.recorder), BLANK, medium_id)
        except IntegrityError:
            assert taken
        except NotPermitted:
            assert not wanted
        else:
            assert wanted
            assert not taken
        self.look()

    @precondition(lambda self: self.seen.at(Stage.WRITING, Stage.CLOSING))
    @rule(data=st.data(), stage=st.sampled_from([Stage.CLOSING, Stage.VERIFYING]))
    def go_on(self, data: st.DataObject, stage: Stage) -> None:
        attempt = pick(data, self.seen.at(Stage.WRITING, Stage.CLOSING))
        with self.database.write() as db:
            ledger.enter(db, attempt.id, self.owner(attempt.recorder), stage)
        self.look()

    @precondition(lambda self: self.claimed())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        attempt = pick(data, self.claimed())
        self.settle(attempt.id, self.owner(attempt.recorder), self.verdict(data, attempt))
        make_ready(self.database, attempt.recorder)
        self.look()

    def claimed(self) -> list[Attempt]:
        return [attempt for attempt in self.seen.unsettled if attempt.stage is not Stage.ASSIGNED]

    def verdict(self, data: st.DataObject, attempt: Attempt) -> Verdict:
        """Draw what a worker may find of an attempt at its stage, or of one that was lost."""
        if attempt.stage is Stage.PREPARING and self.seen.job_of(attempt).simulate:
            return Verdict(data.draw(st.sampled_from([Outcome.SIMULATED, Outcome.UNUSED])))
        found = (
            [Outcome.UNUSED] if attempt.stage is Stage.PREPARING else [Outcome.GOOD, Outcome.SPOILED, Outcome.UNUSED]
        )
        outcome = data.draw(st.sampled_from(found))
        person = data.draw(st.sampled_from([None, "look at the drive"])) if outcome is Outcome.SPOILED else None
        return Verdict(outcome, error=None if outcome is Outcome.GOOD else data.draw(errors), needs_person=person)

    @rule(data=st.data(), name=st.sampled_from(RECORDERS))
    def start_worker(self, data: st.DataObject, name: str) -> None:
        """Let a new owner resolve what the last one left, however that one ended."""
        self.former.append(self.owner(name))
        with self.database.write() as db:
            row = db.get_one(Recorder, name)
            row.epoch, row.heartbeat = row.epoch + 1, row.heartbeat + 1
        self.look()
        owner = self.owner(name)
        for attempt in self.seen.attempts:
            open_or_lost = attempt in self.claimed() or attempt.outcome is Outcome.LOST
            if attempt.recorder == name and open_or_lost:
                with self.database.write() as db:
                    ledger.take_over(db, attempt.id, owner)
                self.settle(attempt.id, owner, self.verdict(data, attempt))
        make_ready(self.database, name)
        self.look()

    @precondition(lambda self: self.seen.attempts)
    @rule(data=st.data())
    def come_back_from_the_dead(self, data: st.DataObject) -> None:
        """Let a former owner try everything with an attempt."""
        attempt, owner = pick(data, self.seen.attempts).id, pick(data, self.former)
        acts: list[Callable[..., object]] = [
            lambda db: ledger.permit(db, attempt, owner, BLANK, new_id()),
            lambda db: ledger.enter(db, attempt, owner, Stage.VERIFYING),
            lambda db: ledger.settle(db, attempt, owner, Verdict(Outcome.GOOD)),
            lambda db: ledger.take_over(db, attempt, owner),
        ]
        for act in acts:
            try:
                with self.database.write() as db:
                    act(db)
            except Fenced:
                continue
            raise AssertionError("a former owner was heard")
        with self.database.write() as db:
            assert ledger.start(db, attempt, owner) is None

    # --- persons, and time

    @precondition(lambda self: self.seen.attempts)
    @rule(data=st.data(), word=st.sampled_from([Outcome.GOOD, Outcome.SPOILED]))
    def resolve(self, data: st.DataObject, word: Outcome) -> None:
        attempt = pick(data, self.seen.attempts)
        try:
            with self.database.write() as db:
                ledger.resolve(db, attempt.id, word, by="ann")
        except DiscError:
            return
        self.discs.pop(attempt.id, None)
        self.look()

    @rule(name=st.sampled_from(RECORDERS), act=st.sampled_from([control.pause, control.clear, control.resume]))
    def change_recorder(self, name: str, act: Callable[..., object]) -> None:
        try:
            act(self.database, [name])
        except DiscError:
            assert act is control.resume
        self.look()

    @rule()
    def let_time_pass(self) -> None:
        with self.database.write() as db:
            db.execute(update(Copy).values(not_before=None))
        self.look()

    # --- what must hold

    @invariant()
    def attempts_are_few(self) -> None:
        for key in ("recorder", "copy_id"):
            assert most(getattr(attempt, key) for attempt in self.seen.unsettled) <= 1
        wrote = [row for row in self.seen.attempts if row.outcome not in {Outcome.UNUSED, Outcome.SIMULATED}]
        assert most(row.medium_id for row in wrote if row.medium_id) <= 1
        for attempt in self.seen.attempts:
            assert (attempt.stage is Stage.SETTLED) == (attempt.outcome is not None) == (attempt.finished is not None)
            assert attempt.medium_id is not None or attempt.stage in {*NOTHING_WRITTEN, Stage.SETTLED}

    @invariant()
    def copies_say_what_their_attempts_say(self) -> None:
        for copy in self.seen.copies:
            attempts = [attempt for attempt in self.seen.attempts if attempt.copy_id == copy.id]
            counting = [row for row in attempts if row.outcome in {Outcome.GOOD, Outcome.SIMULATED}]
            assert len(counting) == (copy.state is CopyState.DONE)
            open_stages = {row.stage for row in attempts if row.outcome is None}
            if copy.state is not CopyState.DONE:
                assert copy.state in _expected_states(open_stages)

    @invariant()
    def jobs_say_what_their_copies_say(self) -> None:
        for job in self.seen.jobs:
            copies = [copy for copy in self.seen.copies if copy.job_id == job.id]
            assert len(copies) == job.copies
            assert job.state is _expected_job_state(job, {copy.state for copy in copies})
            assert (job.finished is not None) == job.state.is_final
            for copy in copies:
                assert copy.held == (copy.state is CopyState.QUEUED and job.reason is not None)
                assert copy.state is not CopyState.CANCELLED or job.cancel_requested

    @invariant()
    def a_completed_job_has_exactly_its_discs(self) -> None:
        good = Counter(attempt.job_id for attempt in self.seen.attempts if attempt.outcome is Outcome.GOOD)
        for job in self.seen.jobs:
            assert good[job.id] <= job.copies
            if job.state is JobState.COMPLETED:
                assert good[job.id] == (0 if job.simulate else job.copies)

    @invariant()
    def every_disc_is_recorded_as_what_it_is(self) -> None:
        outcomes = {attempt.id: attempt.outcome for attempt in self.seen.attempts}
        for attempt, is_good in self.discs.items():
            assert outcomes[attempt] in ({Outcome.GOOD, Outcome.SURPLUS} if is_good else {Outcome.SPOILED})

    def teardown(self) -> None:
        """Let everything end well: from wherever it got to, every job is completed or called off."""
        for _ in range(30):
            if all(job.state.is_final for job in self.seen.jobs) and not self.seen.unsettled:
                return
            self.end_well()
        raise AssertionError([(job.state, job.reason) for job in self.seen.jobs])

    def end_well(self) -> None:
        control.clear(self.database, RECORDERS)
        control.resume(self.database, RECORDERS)
        self.let_time_pass()
        for job in self.seen.jobs:
            if job.state is JobState.WAITING:
                control.retry(self.database, job.id)
        self.assign()
        for attempt in self.seen.unsettled:
            owner = self.owner(attempt.recorder)
            with self.database.write() as db:
                if attempt.stage is Stage.ASSIGNED and ledger.start(db, attempt.id, owner) is None:
                    continue
            simulate, stage = self.seen.job_of(attempt).simulate, attempt.stage
            outcome = Outcome.SIMULATED if simulate else Outcome.UNUSED if stage in NOTHING_WRITTEN else Outcome.GOOD
            if stage is Stage.ASSIGNED and not simulate:
                with self.database.write() as db:
                    ledger.permit(db, attempt.id, owner, BLANK, new_id())
                outcome = Outcome.GOOD
            self.settle(attempt.id, owner, Verdict(outcome))
        make_ready(self.database, *RECORDERS)
        self.look()


def pick(data: st.DataObject, rows: list[Row]) -> Row:
    """Draw one of the rows, by its place: ids differ from run to run."""
    return rows[data.draw(st.integers(0, len(rows) - 1))]


def most(values: Iterable[object]) -> int:
    """Count the value that is there most often."""
    return max(Counter(values).values(), default=0)


def _expected_states(open_stages: set[Stage]) -> set[CopyState]:
    if not open_stages:
        return {CopyState.QUEUED, CopyState.CANCELLED}
    return {CopyState.ASSIGNED} if open_stages == {Stage.ASSIGNED} else {CopyState.ACTIVE}


def _expected_job_state(job: Job, states: set[CopyState]) -> JobState:
    busy = bool(states & {CopyState.ASSIGNED, CopyState.ACTIVE})
    if states == {CopyState.DONE}:
        return JobState.COMPLETED
    if busy:
        return JobState.ACTIVE
    if job.cancel_requested:
        return JobState.CANCELLED
    if job.reason is not None:
        return JobState.WAITING
    return JobState.ACTIVE if CopyState.DONE in states else JobState.QUEUED


def test_the_protocol_holds_in_any_order() -> None:
    with fresh_database("sqlite://") as database:
        run_state_machine_as_test(
            cast("type[RuleBasedStateMachine]", partial(Protocol, database)),
            settings=settings(
                max_examples=25,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,  # the same steps on every machine; raise the numbers to look for more
                suppress_health_check=list(HealthCheck),
            ),
        )
