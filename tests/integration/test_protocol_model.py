"""The whole protocol in any order that hypothesis can think of, and what must hold after every step."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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
from jobs.scheduling import assign, assign_to
from models.attempt import Attempt
from models.base import new_id
from models.database import Database
from models.event import Event
from models.job import Copy, Job
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, JobState, Outcome, Stage
from tests.builders import BLANK, a_job, a_recorder, attempt_row, empty, fresh_database, make_ready

RECORDERS = ("left", "right")
MOST_JOBS = 3
RULES = Rules(quarantine_after=3, back_off=3600)
NOTHING_WRITTEN = {Stage.ASSIGNED, Stage.PREPARING}
ERRORS = (
    None,
    WriteFailed("the laser gave up"),
    BurnCancelled("called off"),
    RecorderStalled("no answer"),
    SourceChanged("/photos/1.raw", "grew"),
    MediumMissing("the tray is empty"),
)
Option = TypeVar("Option")


@dataclass(slots=True)
class Choice:
    """A number that choices are read off, so that a step means the same in whatever state it is taken."""

    number: int

    def of(self, options: Sequence[Option]) -> Option:
        self.number, place = divmod(self.number, len(options))
        return options[place]

    def one_in(self, chances: int) -> bool:
        return self.of(range(chances)) == 1


@dataclass(frozen=True, slots=True)
class Sight:
    """All rows, as they were after the last step."""

    jobs: list[Job]
    copies: list[Copy]
    attempts: list[Attempt]
    recorders: dict[str, Recorder]
    let_go: set[str | None]  #: attempts called off while their host was away; their copies went on without them

    @property
    def unsettled(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.outcome is None]

    @property
    def claimed(self) -> list[Attempt]:
        return [attempt for attempt in self.unsettled if attempt.stage is not Stage.ASSIGNED]

    @property
    def written(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.medium_id is not None]

    def job_of(self, attempt: Attempt) -> Job:
        return next(job for job in self.jobs if job.id == attempt.job_id)

    def copy_of(self, attempt: Attempt) -> Copy:
        return next(copy for copy in self.copies if copy.id == attempt.copy_id)

    def owner(self, recorder: str) -> Owner:
        return Owner(recorder, self.recorders[recorder].epoch)


@dataclass(slots=True)
class Protocol:
    """Submitters, dispatchers, workers and persons, each of whom may act at any time; each act is one step.

    `discs` is what was truly burnt, true for a good disc; what a person had the last word on is not in it.
    """

    database: Database
    discs: dict[str, bool] = field(default_factory=dict)
    former: list[Owner] = field(default_factory=lambda: [Owner("nobody", 1)])
    seen: Sight = field(init=False)

    def __post_init__(self) -> None:
        empty(self.database)
        with self.database.write() as db:
            for name in RECORDERS:
                a_recorder(db, name)
            a_job(db, 2, max_spoiled=2)
        self.look()

    def look(self) -> None:
        with self.database.read() as db:
            self.seen = Sight(
                list(db.scalars(select(Job).order_by(Job.id))),
                list(db.scalars(select(Copy).order_by(Copy.id))),
                list(db.scalars(select(Attempt).order_by(Attempt.created, Attempt.id))),
                {recorder.name: recorder for recorder in db.scalars(select(Recorder))},
                set(db.scalars(select(Event.attempt_id).where(Event.kind == "let-go"))),
            )

    def rest(self, _choice: Choice) -> None:
        """Do nothing."""

    # --- submitters

    def submit(self, choice: Choice) -> None:
        if len(self.seen.jobs) < MOST_JOBS:
            with self.database.write() as db:
                a_job(
                    db,
                    choice.of([1, 2, 3]),
                    simulate=choice.one_in(4),
                    max_spoiled=choice.of([1, 2, 3]),
                    priority=choice.of(range(10)),
                )

    def cancel(self, choice: Choice) -> None:
        job = choice.of(self.seen.jobs)
        try:
            control.cancel(self.database, job.id)
        except DiscError:
            assert job.state.is_final

    def retry(self, choice: Choice) -> None:
        job = choice.of(self.seen.jobs)
        try:
            control.retry(self.database, job.id)
        except DiscError:
            assert job.state is JobState.COMPLETED or job.cancel_requested

    def change_priority(self, choice: Choice) -> None:
        control.set_priority(self.database, choice.of(self.seen.jobs).id, choice.of(range(10)))

    # --- dispatchers

    def assign(self, _choice: Choice) -> None:
        before = {attempt.recorder for attempt in self.seen.unsettled}
        made = assign(self.database, lambda _: None)
        assert not before & {assignment.recorder for assignment in made}

    def withdraw(self, choice: Choice) -> None:
        if self.seen.unsettled:
            attempt = choice.of(self.seen.unsettled)
            with self.database.write() as db:
                assert ledger.withdraw(db, attempt.id, "it was paused") == (attempt.stage is Stage.ASSIGNED)

    def bury(self, choice: Choice) -> None:
        """Judge a worker dead: rightly, wrongly, or by a heartbeat that has moved since."""
        if not self.seen.unsettled:
            return
        attempt, moved = choice.of(self.seen.unsettled), choice.one_in(3)
        recorder = self.seen.recorders[attempt.recorder]
        with self.database.write() as db:
            db.get_one(Recorder, recorder.name).condition = Condition.OFFLINE
            if attempt.stage is Stage.PREPARING:
                assert ledger.abandon(db, attempt.id, recorder.heartbeat - moved) is not moved
                self.former += [] if moved else [Owner(recorder.name, recorder.epoch)]
            elif attempt.stage is not Stage.ASSIGNED and not ledger.let_go(db, attempt.id):
                assert ledger.lose(db, attempt.id, recorder.heartbeat - moved) is not moved

    # --- workers

    def work(self, choice: Choice) -> None:
        """Take the next step of a recorder's attempt; without one, look for another."""
        name = choice.of(RECORDERS)
        attempt = next((row for row in self.seen.unsettled if row.recorder == name), None)
        if attempt is None:
            make_ready(self.database, name)
            assign_to(self.database, name)
        elif attempt.stage is Stage.ASSIGNED:
            self._deliver(attempt)
        elif attempt.stage is Stage.VERIFYING or choice.one_in(5) or self._is_simulated(attempt):
            self._settle(attempt, self._verdict(choice, attempt))
            make_ready(self.database, name)
        elif attempt.stage is Stage.PREPARING:
            if not self._permit(attempt, new_id()):
                self._settle(attempt, Verdict(Outcome.UNUSED, error=NotPermitted("no permit")))
        else:
            skips = attempt.stage is Stage.CLOSING or choice.one_in(2)
            later = Stage.VERIFYING if skips else Stage.CLOSING
            with self.database.write() as db:
                ledger.enter(db, attempt.id, self.seen.owner(name), later)

    def work_on(self, choice: Choice) -> None:
        """Take several steps with nothing between them."""
        for _ in range(5):
            self.work(Choice(choice.number))
            self.look()

    def deliver_anything(self, choice: Choice) -> None:
        if self.seen.attempts:
            self._deliver(choice.of(self.seen.attempts[::-1]))

    def permit_anything(self, choice: Choice) -> None:
        """Ask for a permit at any stage, for a medium that had one before."""
        if self.seen.claimed and self.seen.written:
            self._permit(choice.of(self.seen.claimed), str(choice.of(self.seen.written).medium_id))

    def start_worker(self, choice: Choice) -> None:
        """Let a new owner resolve what the last one left, however that one ended."""
        name = choice.of(RECORDERS)
        self.former.append(self.seen.owner(name))
        with self.database.write() as db:
            row = db.get_one(Recorder, name)
            row.epoch, row.heartbeat = row.epoch + 1, row.heartbeat + 1
        self.look()
        left = [row for row in self.seen.attempts if row in self.seen.claimed or row.outcome is Outcome.LOST]
        for attempt in left:
            if attempt.recorder == name:
                with self.database.write() as db:
                    ledger.take_over(db, attempt.id, self.seen.owner(name))
                self._settle(attempt, self._verdict(choice, attempt))
                self.look()
        make_ready(self.database, name)

    def come_back_from_the_dead(self, choice: Choice) -> None:
        """Let a former owner try everything with an attempt."""
        if not self.seen.attempts:
            return
        attempt, owner = choice.of(self.seen.attempts[::-1]).id, choice.of(self.former[::-1])
        with self.database.write() as db:
            assert ledger.start(db, attempt, owner) is None
        with pytest.raises(Fenced), self.database.write() as db:
            ledger.permit(db, attempt, owner, BLANK, new_id())
        with pytest.raises(Fenced), self.database.write() as db:
            ledger.enter(db, attempt, owner, Stage.VERIFYING)
        with pytest.raises(Fenced), self.database.write() as db:
            ledger.settle(db, attempt, owner, Verdict(Outcome.GOOD))
        with pytest.raises(Fenced), self.database.write() as db:
            ledger.take_over(db, attempt, owner)

    def _deliver(self, attempt: Attempt) -> None:
        wanted = self._is_wanted(attempt, CopyState.ASSIGNED)
        with self.database.write() as db:
            started = ledger.start(db, attempt.id, self.seen.owner(attempt.recorder)) is not None
        assert started == (attempt.stage is Stage.ASSIGNED and wanted)
        if attempt.stage is not Stage.ASSIGNED:
            again = attempt_row(self.database, attempt.id)
            assert (again.stage, again.outcome, again.epoch) == (attempt.stage, attempt.outcome, attempt.epoch)

    def _permit(self, attempt: Attempt, medium_id: str) -> bool:
        taken = any(row.medium_id == medium_id and row.outcome is not Outcome.UNUSED for row in self.seen.written)
        wanted = self._is_wanted(attempt, CopyState.ACTIVE) and attempt.stage is Stage.PREPARING
        try:
            with self.database.write() as db:
                ledger.permit(db, attempt.id, self.seen.owner(attempt.recorder), BLANK, medium_id)
        except IntegrityError:
            assert taken
            return False
        except NotPermitted:
            assert not wanted
            return False
        assert wanted
        assert not taken
        return True

    def _is_wanted(self, attempt: Attempt, state: CopyState) -> bool:
        return self.seen.copy_of(attempt).state is state and not self.seen.job_of(attempt).cancel_requested

    def _is_simulated(self, attempt: Attempt) -> bool:
        return attempt.stage is Stage.PREPARING and self.seen.job_of(attempt).simulate

    def _verdict(self, choice: Choice, attempt: Attempt) -> Verdict:
        """Choose what a worker may find of an attempt at its stage, or of one that was lost."""
        if self._is_simulated(attempt):
            return Verdict(Outcome.SIMULATED)
        if attempt.stage is Stage.PREPARING:
            return Verdict(Outcome.UNUSED, error=choice.of(ERRORS))
        outcome = choice.of([Outcome.GOOD, Outcome.SPOILED, Outcome.UNUSED, Outcome.GOOD])
        if attempt.outcome is None and choice.one_in(6):
            return Verdict(Outcome.LOST, error=RecorderStalled("it hangs"), needs_person="its burner does not stop")
        if outcome is Outcome.GOOD:
            return Verdict(outcome, verified=True)
        return Verdict(outcome, error=choice.of(ERRORS), needs_person=choice.of([None, "look at the drive"]))

    def _settle(self, attempt: Attempt, verdict: Verdict) -> None:
        with self.database.write() as db:
            outcome = ledger.settle(db, attempt.id, self.seen.owner(attempt.recorder), verdict, RULES)
        assert outcome is self._as_it_counts(attempt, verdict.outcome)
        if verdict.outcome in {Outcome.GOOD, Outcome.SPOILED}:
            self.discs[attempt.id] = verdict.outcome is Outcome.GOOD

    def _as_it_counts(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """Say that a good disc is surplus where nobody waits for it, or another one is being written in its stead."""
        copy, job = self.seen.copy_of(attempt), self.seen.job_of(attempt)
        writing = [row.id for row in self.seen.claimed if row.copy_id == copy.id and row.stage is not Stage.PREPARING]
        needed = copy.state is not CopyState.DONE and not job.cancel_requested and writing in ([], [attempt.id])
        return Outcome.SURPLUS if outcome is Outcome.GOOD and not needed else outcome

    # --- persons, and time

    def resolve(self, choice: Choice) -> None:
        if not self.seen.attempts:
            return
        attempt, word = choice.of(self.seen.attempts[::-1]), choice.of([Outcome.GOOD, Outcome.SPOILED])
        try:
            with self.database.write() as db:
                outcome = ledger.resolve(db, attempt.id, word, by="ann")
        except DiscError:
            return
        assert outcome is self._as_it_counts(attempt, word)
        self.discs.pop(attempt.id, None)

    def change_recorder(self, choice: Choice) -> None:
        name, act = choice.of(RECORDERS), choice.of([control.pause, control.clear, control.resume])
        try:
            act(self.database, [name])
        except DiscError:
            assert act is control.resume

    def let_time_pass(self, _choice: Choice) -> None:
        with self.database.write() as db:
            db.execute(update(Copy).values(not_before=None))
        control.clear(self.database, RECORDERS)

    # --- what must hold

    def attempts_are_few(self) -> None:
        for key in ("recorder", "copy_id"):
            assert most(getattr(attempt, key) for attempt in self.seen.unsettled) <= 1
        wrote = [row for row in self.seen.attempts if row.outcome not in {Outcome.UNUSED, Outcome.SIMULATED}]
        assert most(row.medium_id for row in wrote if row.medium_id) <= 1
        for attempt in self.seen.attempts:
            assert (attempt.stage is Stage.SETTLED) == (attempt.outcome is not None) == (attempt.finished is not None)
            assert attempt.medium_id is not None or attempt.stage in {*NOTHING_WRITTEN, Stage.SETTLED}

    def copies_say_what_their_attempts_say(self) -> None:
        for copy in self.seen.copies:
            attempts = [attempt for attempt in self.seen.attempts if attempt.copy_id == copy.id]
            counting = [row for row in attempts if row.outcome in {Outcome.GOOD, Outcome.SIMULATED}]
            assert len(counting) == (copy.state is CopyState.DONE)
            open_stages = {row.stage for row in attempts if row.outcome is None and row.id not in self.seen.let_go}
            if copy.state is not CopyState.DONE:
                assert copy.state in _expected_states(open_stages)

    def jobs_say_what_their_copies_say(self) -> None:
        for job in self.seen.jobs:
            copies = [copy for copy in self.seen.copies if copy.job_id == job.id]
            assert len(copies) == job.copies
            assert job.state is _expected_job_state(job, {copy.state for copy in copies})
            assert (job.finished is not None) == job.state.is_final
            for copy in copies:
                assert copy.held == (copy.state is CopyState.QUEUED and job.reason is not None)
                assert copy.state is not CopyState.CANCELLED or job.cancel_requested

    def a_completed_job_has_exactly_its_discs(self) -> None:
        good = Counter(attempt.job_id for attempt in self.seen.attempts if attempt.outcome is Outcome.GOOD)
        for job in self.seen.jobs:
            assert good[job.id] <= job.copies
            if job.state is JobState.COMPLETED:
                assert good[job.id] == (0 if job.simulate else job.copies)

    def every_disc_is_recorded_as_what_it_is(self) -> None:
        outcomes = {attempt.id: attempt.outcome for attempt in self.seen.attempts}
        for attempt, is_good in self.discs.items():
            assert outcomes[attempt] in ({Outcome.GOOD, Outcome.SURPLUS} if is_good else {Outcome.SPOILED})

    def check(self) -> None:
        self.look()
        self.attempts_are_few()
        self.copies_say_what_their_attempts_say()
        self.jobs_say_what_their_copies_say()
        self.a_completed_job_has_exactly_its_discs()
        self.every_disc_is_recorded_as_what_it_is()

    # --- the end

    def end_well(self) -> None:
        """From wherever it got to, everything can be completed or called off."""
        for _ in range(30):
            if all(job.state.is_final for job in self.seen.jobs) and not self.seen.unsettled:
                return
            self._do_what_helps()
            self.check()
        pytest.fail(f"it does not end: {[(job.state, job.reason) for job in self.seen.jobs]}")

    def _do_what_helps(self) -> None:
        self.let_time_pass(Choice(0))
        control.resume(self.database, RECORDERS)
        for job in self.seen.jobs:
            if job.state is JobState.WAITING:
                control.retry(self.database, job.id)
        for name in RECORDERS:
            for _ in range(6):
                self.work(Choice(_WITHOUT_A_FAULT * len(RECORDERS) + RECORDERS.index(name)))
                self.look()


#: Read as choices: never the second option, always the first.
_WITHOUT_A_FAULT = 0

#: How often each is tried. A failing history is shortened by turning its steps into the first one.
ACTS = {
    Protocol.rest: 1,
    Protocol.work: 14,
    Protocol.work_on: 8,
    Protocol.assign: 2,
    Protocol.submit: 1,
    Protocol.cancel: 1,
    Protocol.retry: 2,
    Protocol.change_priority: 1,
    Protocol.withdraw: 1,
    Protocol.bury: 4,
    Protocol.deliver_anything: 2,
    Protocol.permit_anything: 2,
    Protocol.start_worker: 3,
    Protocol.come_back_from_the_dead: 3,
    Protocol.resolve: 4,
    Protocol.change_recorder: 1,
    Protocol.let_time_pass: 3,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One act and what it chooses."""

    act: Callable[[Protocol, Choice], None]
    choice: int


# Not hypothesis' own state machine: that one tries few kinds of steps at a time, and here it takes many of them.
histories = st.lists(
    st.builds(Step, st.sampled_from(list(Counter(ACTS).elements())), st.integers(0, 2**20)), min_size=40, max_size=80
)


@pytest.mark.timeout(600)  # a failure is made as short as it can be first
def test_the_protocol_holds_in_any_order() -> None:
    with fresh_database("sqlite://") as database:

        @settings(max_examples=50, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(histories)
        def live_through(history: list[Step]) -> None:
            protocol = Protocol(database)
            for step in history:
                step.act(protocol, Choice(step.choice))
                protocol.check()
            protocol.end_well()

        live_through()


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
