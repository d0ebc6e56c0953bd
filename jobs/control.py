"""What people change about orders and recorders: cancel, retry, priority, pause, eject, resolve."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from jobs import ledger
from jobs.errors import NotAllowed, NotFound, OrderError
from jobs.lifecycle import move
from jobs.overview import find_job
from jobs.rollup import journal, roll_up
from models.attempt import Attempt
from models.base import now
from models.database import Database
from models.job import Copy, Job
from models.recorder import Recorder, RecorderRequest
from models.vocabulary import Condition, CopyState, Intent, JobState, Outcome, Stage


def cancel(database: Database, job_id: str, client: str | None = None) -> None:
    """Call a job off: queued copies at once, attempts as their stage allows.

    Raises:
        NotFound: no such job.
        NotAllowed: `client` did not order it, or it is over.
    """
    with database.write() as db:
        job = _lock_job(db, job_id, client)
        if job.state.is_final:
            message = f"job {job.id} is {job.state} already"
            raise NotAllowed(message)
        job.cancel_requested = True
        db.execute(
            update(Copy)
            .where(Copy.job_id == job.id, Copy.state == CopyState.QUEUED)
            .values(state=CopyState.CANCELLED, held=False)
        )
        journal(db, "cancel-requested", job=job.id, client=client)
        roll_up(db, job)
        promised = db.scalars(select(Attempt.id).where(Attempt.job_id == job.id, Attempt.stage == Stage.ASSIGNED)).all()
        begun = db.scalars(select(Attempt.id).where(Attempt.job_id == job.id, Attempt.outcome.is_(None))).all()
    for attempt_id in promised:
        with database.write() as db:
            ledger.withdraw(db, attempt_id, "the job was called off")
    for attempt_id in begun:
        with database.write() as db:
            ledger.let_go(db, attempt_id)


def retry(database: Database, job_id: str, client: str | None = None) -> int:
    """Make what is missing of a job that waits, failed or was cancelled; return how many copies are queued anew.

    Raises:
        NotFound: no such job.
        NotAllowed: `client` did not order it, nothing is missing, or its attempts are still being called off.
    """
    with database.write() as db:
        job = _lock_job(db, job_id, client)
        if db.scalar(select(func.count()).where(Copy.job_id == job.id)) != job.copies:
            message = f"job {job.id} is being forgotten, for it is long over; order anew"
            raise NotAllowed(message)
        copies = db.scalars(select(Copy).where(Copy.job_id == job.id, Copy.state != CopyState.DONE)).all()
        if not copies:
            message = f"job {job.id} has all its discs; nothing is missing"
            raise NotAllowed(message)
        if job.cancel_requested and job.state is not JobState.CANCELLED:
            message = f"job {job.id} is still being cancelled; wait until it is"
            raise NotAllowed(message)
        spoiled = select(Attempt.id).where(Attempt.job_id == job.id, Attempt.outcome == Outcome.SPOILED)
        job.forgiven = len(db.scalars(spoiled).all())
        job.cancel_requested, job.reason = False, None
        count = sum(_queue_again(copy) for copy in copies)
        journal(db, "retried", job=job.id, copies=count)
        roll_up(db, job)
    return count


def _queue_again(copy: Copy) -> bool:
    if copy.state is CopyState.CANCELLED:
        move(copy, CopyState.QUEUED)
    copy.held, copy.failures, copy.not_before = False, 0, None
    return copy.state is CopyState.QUEUED


def set_priority(database: Database, job_id: str, priority: int, client: str | None = None) -> None:
    """Give a job another priority, 9 first; copies that are assigned already keep their turn.

    Raises:
        NotFound: no such job.
        NotAllowed: `client` did not order it.
        OrderError: the priority is outside 0 to 9.
    """
    if not 0 <= priority <= 9:  # noqa: PLR2004
        message = f"priority {priority} is outside 0 to 9 (9 is first)"
        raise OrderError(message)
    with database.write() as db:
        job = _lock_job(db, job_id, client)
        job.priority = priority
        db.execute(update(Copy).where(Copy.job_id == job.id).values(priority=priority))
        journal(db, "priority", job=job.id, priority=priority)


def pause(database: Database, names: Sequence[str]) -> None:
    """Assign nothing more to recorders; what they are at is finished. A quarantined one stays so.

    Raises:
        NotFound: a name nobody knows; then none is changed.
    """
    with database.write() as db:
        for recorder in _lock_recorders(db, names):
            if recorder.intent is Intent.QUARANTINED:
                continue  # pausing and resuming is no way out of it
            recorder.intent = Intent.PAUSED
            journal(db, "recorder-paused", recorder=recorder.name)


def resume(database: Database, names: Sequence[str]) -> None:
    """Let paused recorders burn again.

    Raises:
        NotFound: a name nobody knows.
        NotAllowed: one is quarantined; `clear` is the word for that. Then none is changed.
    """
    with database.write() as db:
        for recorder in _lock_recorders(db, names):
            if recorder.intent is Intent.QUARANTINED:
                message = f"{recorder.name} is quarantined; look at it, then `discmill recorders clear {recorder.name}`"
                raise NotAllowed(message)
            recorder.intent = Intent.ENABLED
            journal(db, "recorder-resumed", recorder=recorder.name)


def clear(database: Database, names: Sequence[str]) -> None:
    """Say that recorders are fit again: ends quarantine and attention.

    Raises:
        NotFound: a name nobody knows; then none is changed.
    """
    with database.write() as db:
        for recorder in _lock_recorders(db, names):
            if recorder.intent is Intent.QUARANTINED:
                recorder.intent = Intent.ENABLED
            recorder.attention, recorder.attention_ends_with_medium = None, False
            recorder.spoiled_in_row, recorder.cleared = 0, _after_its_discs(db, recorder.name)
            journal(db, "recorder-cleared", recorder=recorder.name)


def _after_its_discs(db: Session, recorder: str) -> datetime:
    """Return this moment, or that of a recorder's last verdict if the clock that wrote it was ahead of ours."""
    last = db.scalar(select(func.max(Attempt.finished)).where(Attempt.recorder == recorder))
    return now() if last is None else max(now(), last)


def ask(database: Database, name: str, verb: str, job_id: str | None = None) -> str:
    """Ask a recorder's worker to eject, or to verify the disc in its tray against a job; return the request's id.

    Raises:
        NotFound: no such recorder, or no such job.
        NotAllowed: it is offline or at work.
    """
    with database.write() as db:
        (recorder,) = _lock_recorders(db, [name])
        if recorder.condition in {Condition.OFFLINE, Condition.BUSY, Condition.RECOVERING, Condition.LOADING}:
            message = f"{name} is {recorder.condition}; ask again when it is idle"
            raise NotAllowed(message)
        if job_id is not None:
            find_job(db, job_id)
        request = RecorderRequest(recorder=name, verb=verb, job_id=job_id)
        db.add(request)
        db.flush()
        return request.id


def answer_to(database: Database, request_id: str) -> dict[str, object] | None:
    """Return what a recorder's worker answered; None while it has not."""
    with database.read() as db:
        return db.get_one(RecorderRequest, request_id).answer


def withdraw_request(database: Database, request_id: str) -> None:
    """Take a request back that was not answered."""
    with database.write() as db:
        request = db.get_one(RecorderRequest, request_id)
        request.answered = request.answered or now()


def _lock_job(db: Session, job_id: str, client: str | None) -> Job:
    """Lock a job; without a client an operator asks, who may change them all."""
    ordered_by = find_job(db, job_id).client
    if client is not None and client != ordered_by:
        message = f"job {job_id} was not ordered by {client!r}; only its own client may change it"
        raise NotAllowed(message)
    return db.get_one(Job, job_id, with_for_update=True, populate_existing=True)


def _lock_recorders(db: Session, names: Sequence[str]) -> list[Recorder]:
    found = db.scalars(select(Recorder).where(Recorder.name.in_(names)).order_by(Recorder.name).with_for_update()).all()
    unknown = sorted(set(names) - {recorder.name for recorder in found})
    if unknown:
        message = f"no recorder {', '.join(unknown)}; `discmill recorders` lists them"
        raise NotFound(message)
    return list(found)
