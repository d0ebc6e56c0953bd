"""The invariants of the queue protocol, checked against the discs that lie there."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from sqlalchemy import select

from models.attempt import Attempt
from models.database import Database
from models.event import Event
from models.job import Copy, Job
from models.vocabulary import CopyState, JobState, Outcome, Stage
from tests.chaos.shelf import ACCEPT, Disc, Writing

#: Outcomes of a disc that is what was ordered.
IS_GOOD = {Outcome.GOOD, Outcome.SURPLUS}
#: Codes of a disc that nobody could look at: its recorder, or the disc itself, was gone.
UNSEEN = {"IMAPI_E_DEVICE_NOTPRESENT", "IMAPI_E_MEDIUM_NOTPRESENT"}
#: How many letters of an attempt's id a disc's label ends with.
_TAIL = 12
#: Seconds by which the time stamp of a file may be late.
_SLACK = 0.02


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not hold."""

    invariant: str
    what: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.invariant}: {self.what}"


@dataclass(slots=True)
class Record:
    """All that is known when everything has come to rest.

    `acknowledged` are the jobs whose submit returned. `queues` counts messages left in Redis, `held` are attempts
    that messages held for a worker which died name. `excused` says which discs may be spoiled: ids of attempts and
    jobs, and pairs `recorder/error code`, after what was done to them.
    """

    jobs: dict[str, Job]
    copies: list[Copy]
    attempts: dict[str, Attempt]
    events: list[Event]
    discs: list[Disc]
    acknowledged: set[str] = field(default_factory=set)
    queues: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)

    @property
    def by_label(self) -> dict[str, Attempt]:
        """The attempts by what the labels of their discs end with."""
        return {attempt.id[-_TAIL:]: attempt for attempt in self.attempts.values()}

    def attempt_of(self, label: str) -> Attempt | None:
        """Find the attempt that a label names."""
        return self.by_label.get(label[-_TAIL:])

    def good_discs(self) -> Iterator[tuple[Disc, Attempt | None]]:
        """Yield the discs that hold exactly what was ordered, each with the attempt that its label names."""
        for disc in self.discs:
            for session in disc.sessions:
                attempt = self.attempt_of(session.label)
                wanted = None if attempt is None else self.jobs[attempt.job_id].image_sha256
                if not disc.damaged and (wanted is None or session.sha256 == wanted):
                    yield disc, attempt

    def kinds(self, attempt: str) -> list[str]:
        """List what the journal says of an attempt, in order."""
        return [event.kind for event in self.events if event.attempt_id == attempt]


def read_record(database: Database, discs: list[Disc]) -> Record:
    """Read what the ledger says."""
    with database.read() as db:
        return Record(
            {job.id: job for job in db.scalars(select(Job))},
            list(db.scalars(select(Copy))),
            {attempt.id: attempt for attempt in db.scalars(select(Attempt))},
            list(db.scalars(select(Event).order_by(Event.id))),
            discs,
        )


def check(record: Record) -> list[Violation]:
    """List all that does not hold."""
    return [Violation(name, what) for name, look in INVARIANTS.items() for what in look(record)]


def _no_order_is_lost(record: Record) -> Iterator[str]:
    for job_id in record.acknowledged:
        job = record.jobs.get(job_id)
        if job is None:
            yield f"job {job_id} was acknowledged and is not there"
        elif not (job.state.is_final or (job.state is JobState.WAITING and job.reason)):
            yield f"job {job_id} is {job.state} at rest, reason {job.reason!r}"


def _a_completed_job_has_its_discs(record: Record) -> Iterator[str]:
    there = Counter(
        attempt.job_id for _, attempt in record.good_discs() if attempt is not None and attempt.outcome is Outcome.GOOD
    )
    for job in record.jobs.values():
        wanted = 0 if job.simulate else job.copies
        if job.state is JobState.COMPLETED and there[job.id] != wanted:
            yield f"job {job.id} is completed with {there[job.id]} of {wanted} discs"
        if there[job.id] > wanted:
            yield f"job {job.id} has {there[job.id]} discs and ordered {wanted}"


def _a_copy_is_done_by_one_disc(record: Record) -> Iterator[str]:
    counting = Counter(
        attempt.copy_id for attempt in record.attempts.values() if attempt.outcome in {Outcome.GOOD, Outcome.SIMULATED}
    )
    for copy in record.copies:
        if counting[copy.id] != (copy.state is CopyState.DONE):
            yield f"copy {copy.id} of job {copy.job_id} is {copy.state} with {counting[copy.id]} discs"


def _a_session_carries_one_attempt(record: Record) -> Iterator[str]:
    written = defaultdict(set)
    for disc in record.discs:
        for writing in disc.writings:
            written[(writing.medium, writing.erases, writing.session)].add(writing.label)
    for session, labels in written.items():
        if len(labels) > 1:
            yield f"{session} carries {sorted(labels)}"


def _one_laser_writes_at_a_time(record: Record) -> Iterator[str]:
    by_recorder: dict[str, list[Writing]] = defaultdict(list)
    for disc in record.discs:
        by_recorder[disc.recorder] += disc.writings
    for recorder, writings in by_recorder.items():
        ordered = sorted(writings, key=lambda writing: writing.begun)
        for before, after in pairwise(ordered):
            if after.begun < before.ended - _SLACK:
                yield f"{recorder} wrote {before.label} to {before.ended:.3f} and {after.label} from {after.begun:.3f}"


def _every_good_disc_is_recorded(record: Record) -> Iterator[str]:
    for disc, attempt in record.good_discs():
        if attempt is None:
            yield f"{disc.file} is good and nobody's"
        elif attempt.outcome not in IS_GOOD and not _is_unseen(record, disc, attempt):
            why = attempt.error_code or "no error"
            yield f"{disc.file} is good and recorded as {attempt.outcome or attempt.stage} ({why})"


def _is_unseen(record: Record, disc: Disc, attempt: Attempt) -> bool:
    """Say whether a disc was given up because nobody could look at it, and is out of the way."""
    gave_up = attempt.outcome is Outcome.SPOILED and attempt.error_code in UNSEEN
    return gave_up and disc.place != ACCEPT and bool(_names(attempt) & record.excused)


def _names(attempt: Attempt) -> set[str]:
    return {attempt.id, attempt.job_id, f"{attempt.recorder}/{attempt.error_code}"}


def _every_recorded_disc_is_good(record: Record) -> Iterator[str]:
    there = Counter(attempt.id for _, attempt in record.good_discs() if attempt is not None)
    for attempt in record.attempts.values():
        if attempt.outcome in IS_GOOD and there[attempt.id] != 1:
            yield f"attempt {attempt.id} is {attempt.outcome} and there are {there[attempt.id]} such discs"
        if attempt.outcome in {Outcome.UNUSED, Outcome.SIMULATED} and _has_disc(record, attempt):
            yield f"attempt {attempt.id} is {attempt.outcome} and there is a disc of it"


def _has_disc(record: Record, attempt: Attempt) -> bool:
    tail = attempt.id[-_TAIL:]
    return any(writing.label.endswith(tail) for disc in record.discs for writing in disc.writings)


def _shelves_hold_what_was_decided(record: Record) -> Iterator[str]:
    for disc in record.discs:
        for writing in disc.writings:
            attempt = record.attempt_of(writing.label)
            outcome = None if attempt is None else attempt.outcome
            if (disc.place == ACCEPT) != (outcome in IS_GOOD):
                yield f"{disc.file} lies in {disc.place} and is {outcome}"


def _everything_is_at_rest(record: Record) -> Iterator[str]:
    for attempt in record.attempts.values():
        if attempt.outcome in {None, Outcome.LOST}:
            yield f"attempt {attempt.id} on {attempt.recorder} is {attempt.outcome or attempt.stage}"
        if attempt.medium_id and attempt.outcome in {*IS_GOOD, Outcome.SPOILED} and attempt.ejected is None:
            yield f"the disc of attempt {attempt.id} never left {attempt.recorder}"
    for queue, length in record.queues.items():
        if length:
            yield f"{length} messages are left in {queue}"
    for held in record.held:
        if held in record.attempts and record.attempts[held].outcome is None:
            yield f"a message that is held for a dead worker names attempt {held}"


#: What may be written of an attempt once, and no more.
_ONCE = ("assigned", "claimed", "writing")
_END = {str(outcome) for outcome in Outcome}


def _a_history_moves_forward(record: Record) -> Iterator[str]:
    for attempt in record.attempts.values():
        kinds = record.kinds(attempt.id)
        for kind in _ONCE:
            if kinds.count(kind) > 1:
                yield f"attempt {attempt.id} was {kind} {kinds.count(kind)} times"
        ends = [place for place, kind in enumerate(kinds) if kind in _END]
        late = [kind for kind in kinds[ends[0] :] if kind in {*_ONCE, Stage.CLOSING}] if ends else []
        if late:
            yield f"attempt {attempt.id} was {late} after its end: {kinds}"
        if len([place for place in ends if kinds[place] != Outcome.LOST]) > 1 and "resolved" not in kinds:
            yield f"attempt {attempt.id} ended several times: {kinds}"


def _no_disc_is_spoiled_without_a_cause(record: Record) -> Iterator[str]:
    for attempt in record.attempts.values():
        if attempt.outcome is Outcome.SPOILED and not _names(attempt) & record.excused:
            yield f"attempt {attempt.id} on {attempt.recorder} is spoiled for nothing: {attempt.error_message}"


def _surplus_has_a_reason(record: Record) -> Iterator[str]:
    called_off = {event.job_id for event in record.events if event.kind == "cancel-requested"}
    lost = {event.attempt_id for event in record.events if event.kind == Outcome.LOST}
    for attempt in record.attempts.values():
        siblings = {other.id for other in record.attempts.values() if other.copy_id == attempt.copy_id}
        if attempt.outcome is Outcome.SURPLUS and attempt.job_id not in called_off and not siblings & lost:
            yield f"attempt {attempt.id} is surplus for nothing"


INVARIANTS: dict[str, Callable[[Record], Iterator[str]]] = {
    "no order is lost": _no_order_is_lost,
    "a completed job has exactly its discs": _a_completed_job_has_its_discs,
    "a copy is done by one disc": _a_copy_is_done_by_one_disc,
    "a session carries one attempt": _a_session_carries_one_attempt,
    "one laser writes at a time": _one_laser_writes_at_a_time,
    "every good disc is recorded": _every_good_disc_is_recorded,
    "every recorded disc is good": _every_recorded_disc_is_good,
    "the shelves hold what was decided": _shelves_hold_what_was_decided,
    "everything is at rest": _everything_is_at_rest,
    "a history moves forward": _a_history_moves_forward,
    "no disc is spoiled without a cause": _no_disc_is_spoiled_without_a_cause,
    "surplus has a reason": _surplus_has_a_reason,
}


def burnt_twice(record: Record) -> int:
    """Count good discs that nobody needed: beyond one a copy, unless a cancel or a lost host explains them."""
    extra = sum(1 for _ in _surplus_has_a_reason(record))
    good = Counter(attempt.copy_id for _, attempt in record.good_discs() if attempt and attempt.outcome is Outcome.GOOD)
    return extra + sum(count - 1 for count in good.values() if count > 1)


def lost(record: Record) -> int:
    """Count orders that were acknowledged and did not end, and good discs that nobody recorded."""
    return sum(1 for look in (_no_order_is_lost, _every_good_disc_is_recorded) for _ in look(record))


def discs_by(record: Record, outcomes: Sequence[Outcome]) -> int:
    """Count attempts with one of these outcomes whose medium was written."""
    return sum(1 for attempt in record.attempts.values() if attempt.outcome in outcomes and attempt.medium_id)
