"""The job's state as it follows from its copies, and the journal."""

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from models.base import now
from models.delivery import Delivery
from models.event import Event
from models.job import Copy, Job
from models.vocabulary import CopyState, JobState


def journal(  # noqa: PLR0913  (what an event may belong to)
    db: Session,
    kind: str,
    *,
    job: str | None = None,
    copy: int | None = None,
    attempt: str | None = None,
    recorder: str | None = None,
    **data: object,
) -> None:
    """Note that something happened, in the transaction in which it happens."""
    db.add(Event(kind=kind, job_id=job, copy=copy, attempt_id=attempt, recorder=recorder, data=data))


def roll_up(db: Session, job: Job) -> None:
    """Derive a job's state from its copies."""
    db.flush()
    _enter(db, job, _derived(job, _states_of_copies(db, job.id)))


def activate(db: Session, job: Job) -> None:
    """Take a job for active because a copy of it was assigned: nothing needs to be looked up for that."""
    _enter(db, job, JobState.ACTIVE)


def _enter(db: Session, job: Job, state: JobState) -> None:
    if state is job.state:
        return
    job.state = state
    job.finished = now() if state.is_final else None
    journal(db, f"job-{state}", job=job.id, reason=job.reason)
    if job.webhook is not None and (state.is_final or state is JobState.WAITING):
        db.add(Delivery(job_id=job.id, state=state, reason=job.reason))


#: Steps from state to state through the index on (job, state): a seek each, however many copies a job has. Asking
#: for each state by itself reads the whole table on PostgreSQL where a state is absent and the plan is a generic one.
_PRESENT_STATES = text("""
    WITH RECURSIVE present(state) AS (
        SELECT min(state) FROM copy WHERE job_id = :job
        UNION ALL
        SELECT (SELECT min(copy.state) FROM copy WHERE job_id = :job AND copy.state > present.state)
        FROM present WHERE present.state IS NOT NULL
    )
    SELECT state FROM present WHERE state IS NOT NULL
""")


def _states_of_copies(db: Session, job: str) -> set[CopyState]:
    return {CopyState(state) for state in db.scalars(_PRESENT_STATES, {"job": job})}


def _derived(job: Job, states: set[CopyState]) -> JobState:
    under_way = states & {CopyState.ACTIVE, CopyState.ASSIGNED}
    if states == {CopyState.DONE}:
        return JobState.COMPLETED
    if job.cancel_requested:
        return JobState.ACTIVE if under_way else JobState.CANCELLED
    if job.reason is not None and not under_way:
        return JobState.WAITING
    return JobState.ACTIVE if under_way or CopyState.DONE in states else JobState.QUEUED


def hold(db: Session, job: Job, reason: str) -> None:
    """Assign nothing more of a job until somebody decides; what is under way goes on."""
    if job.reason is None:
        job.reason = reason
        journal(db, "job-held", job=job.id, reason=reason)
    db.flush()
    db.execute(update(Copy).where(Copy.job_id == job.id, Copy.state == CopyState.QUEUED).values(held=True))
