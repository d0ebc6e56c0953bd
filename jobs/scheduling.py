"""Which copy goes to which recorder; may be run by anyone at any time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from jobs.errors import DiscFull, Remedy
from jobs.lifecycle import move
from jobs.mastering.medium import Family, MediumInfo, MediumKind, MediumStatus, largest, requested_medium
from jobs.rollup import activate, journal
from models.attempt import Attempt
from models.base import new_id, now
from models.database import Database
from models.job import WAITS_FOR_A_RECORDER, Copy, Job
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, Intent, Nonblank

#: A failed copy waits no longer than this; what seems to be due later was written by a clock that has been set since.
LONGEST_BACK_OFF = timedelta(minutes=15)
#: Recorders that grab the same copy at one moment: how often the loser looks again before it leaves it to the tick.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Assignment:
    """A copy promised to a recorder; its worker still has to be told."""

    attempt: str
    recorder: str


Ring = Callable[[Assignment], object]


def media_class(medium: MediumKind | Family, blocks: int, nonblank: Nonblank) -> str:
    """Name the class of media an order needs: what was asked for, the smallest usual size, the policy.

    It is the prefix of the index that assignment reads, so that its cost does not grow with the queue.

    Raises:
        DiscFull: no medium of that kind or family is large enough.
    """
    family = medium if isinstance(medium, Family) else medium.family
    limit = largest(medium)
    fitting = [size for size in family.sizes if blocks <= size <= limit]
    if blocks > limit:
        message = f"{blocks} blocks do not fit on a {medium} ({limit} blocks of 2048 bytes)"
        raise DiscFull(message)
    return f"{medium}/{min(fitting, default=limit)}/{nonblank}"


def classes_for(info: MediumInfo) -> list[str]:
    """List the classes of media that this very medium can serve.

    A used medium serves orders that append whatever their size: its room is what it has left, see `suits`.
    """
    sizes = {*info.kind.family.sizes, info.kind.capacity}
    return [
        f"{medium}/{size}/{policy}"
        for medium in (info.kind, info.kind.family)
        for size in sorted(sizes)
        for policy in _policies(info)
        if size <= _room(info, policy)
    ]


def _policies(info: MediumInfo) -> list[Nonblank]:
    """List what orders may say of nonblank media for this one to serve them."""
    erasable = [Nonblank.BLANK] if info.kind.is_rewritable else []
    if info.used:
        appendable = info.status is MediumStatus.APPENDABLE and info.kind.is_sequential
        return [Nonblank.APPEND, *erasable] if appendable else erasable
    if info.status is MediumStatus.COMPLETE:
        return []
    return [Nonblank.REJECT, *([Nonblank.APPEND] if info.kind.is_sequential else []), Nonblank.BLANK]


def _room(info: MediumInfo, policy: Nonblank) -> int:
    """Return the blocks of the largest class of orders that may come: a used medium's free ones are asked for later."""
    if not info.used:
        return info.free_blocks
    return info.capacity if policy is Nonblank.BLANK else info.kind.capacity


def suits(job: Job, info: MediumInfo) -> bool:
    """Say whether a medium can take this job's disc."""
    return class_of(job) in classes_for(info) and (not _appends(class_of(job)) or job.blocks <= info.free_blocks)


def _appends(name: str) -> bool:
    return name.endswith(f"/{Nonblank.APPEND}")


def class_of(job: Job) -> str:
    """Name the class of media a job needs. A simulation erases nothing, whatever was ordered."""
    nonblank = Nonblank.REJECT if job.simulate else job.nonblank
    return media_class(requested_medium(job.medium), job.blocks, nonblank)


def fresh(kind: MediumKind) -> MediumInfo:
    """Describe an ordinary blank of this kind."""
    return MediumInfo(kind, MediumStatus.BLANK, kind.capacity, kind.capacity)


@dataclass(frozen=True, slots=True)
class Demand:
    """What the queue needs of a recorder next: a blank of this kind, with this much room in blocks."""

    kind: MediumKind
    blocks: int


def demand(db: Session, recorder: str, kinds: Sequence[MediumKind]) -> Demand | None:
    """Say what the next queued copy for this recorder needs, among these kinds of blanks, the preferred first."""
    if not queued_classes(db):
        return None
    best: tuple[int, int] | None = None
    chosen = None
    for kind in kinds:
        copy = next_copy(db, recorder, fresh(kind))
        if copy is not None and (best is None or (-copy.priority, copy.id) < best):
            best, chosen = (-copy.priority, copy.id), Demand(kind, db.get_one(Job, copy.job_id).blocks)
    return chosen


def next_copy(db: Session, recorder: str, info: MediumInfo) -> Copy | None:
    """Find the queued copy that is next for a recorder with this medium: highest priority, then oldest."""
    wanted = sorted(set(classes_for(info)) & queued_classes(db))
    queries = [_next_of_class(recorder, name, info.free_blocks) for name in wanted]
    found = [copy for query in queries if (copy := db.scalar(query)) is not None]
    return min(found, key=lambda copy: (-copy.priority, copy.id), default=None)


#: Steps from class to class through the index: one seek a class, however long the queue.
_QUEUED_CLASSES = text(f"""
    WITH RECURSIVE present(media_class) AS (
        SELECT min(media_class) FROM copy WHERE {WAITS_FOR_A_RECORDER}
        UNION ALL
        SELECT (SELECT min(copy.media_class) FROM copy
                WHERE {WAITS_FOR_A_RECORDER} AND copy.media_class > present.media_class)
        FROM present WHERE present.media_class IS NOT NULL
    )
    SELECT media_class FROM present WHERE media_class IS NOT NULL
""")  # noqa: S608  (made of a constant of ours)


def queued_classes(db: Session) -> set[str]:
    """Return the classes of media that copies wait for."""
    return set(db.scalars(_QUEUED_CLASSES))


def _next_of_class(recorder: str, name: str, room: int) -> Select[Copy]:
    avoided = exists().where(
        Attempt.copy_id == Copy.id,
        Attempt.recorder == recorder,
        Attempt.error_remedy == Remedy.USE_OTHER_RECORDER,
        Recorder.name == recorder,
        or_(Recorder.cleared.is_(None), Attempt.finished > Recorder.cleared),
    )
    unresolved = exists().where(Attempt.copy_id == Copy.id, Attempt.outcome.is_(None))  # on a host that is away
    fits = [exists().where(Job.id == Copy.job_id, Job.blocks <= room)] if _appends(name) else []
    return (
        select(Copy)
        .where(Copy.media_class == name, text(WAITS_FOR_A_RECORDER), *fits)
        .where(or_(Copy.not_before.is_(None), ~Copy.not_before.between(now(), now() + LONGEST_BACK_OFF)))
        .where(~avoided, ~unresolved)
        .order_by(Copy.priority.desc(), Copy.id)
        .limit(1)
    )


def assign(database: Database, ring: Ring) -> list[Assignment]:
    """Give every ready recorder its next copy, each in a transaction of its own; commit, then ring."""
    with database.read() as db:
        names = select(Recorder.name).where(*_is_ready()).order_by(Recorder.name)
        ready = db.scalars(names).all() if queued_classes(db) else []  # an idle rig is asked no more than that
    made = []
    for name in ready:
        assignment = assign_to(database, name)
        if assignment is not None:
            made.append(assignment)
            ring(assignment)
    return made


def assign_to(database: Database, recorder: str) -> Assignment | None:
    """Promise the next copy to one recorder, or find nothing to do. A conflict means somebody else did it."""
    for _ in range(_TRIES):
        try:
            with database.write() as db:
                found, assignment = _assign_once(db, recorder)
        except IntegrityError:
            return None
        if not found or assignment is not None:
            return assignment
    return None


def _is_ready() -> tuple[ColumnElement[bool], ...]:
    return (
        Recorder.condition == Condition.READY,
        Recorder.intent == Intent.ENABLED,
        Recorder.attention.is_(None),
    )


def _assign_once(db: Session, name: str) -> tuple[bool, Assignment | None]:
    """Return whether a copy was found, and the assignment if it was ours to take."""
    recorder = db.scalar(select(Recorder).where(Recorder.name == name, *_is_ready()).with_for_update(skip_locked=True))
    unsettled = select(Attempt.id).where(Attempt.recorder == name, Attempt.outcome.is_(None))
    if recorder is None or db.scalar(unsettled) is not None:
        return False, None
    info = medium_of(recorder)
    candidate = next_copy(db, name, info) if info is not None else None
    if info is None or candidate is None:
        return False, None
    job = db.scalar(select(Job).where(Job.id == candidate.job_id).with_for_update())
    copy = _lock_queued(db, candidate) or _next_of_job(db, name, info, candidate.job_id)
    if job is None or copy is None or job.cancel_requested:
        return True, None
    return True, _promise(db, recorder, job, copy)


def _lock_queued(db: Session, copy: Copy) -> Copy | None:
    query = select(Copy).where(Copy.id == copy.id, Copy.state == CopyState.QUEUED, ~Copy.held)
    return db.scalar(query.with_for_update(skip_locked=True).execution_options(populate_existing=True))


def _next_of_job(db: Session, recorder: str, info: MediumInfo, job: str) -> Copy | None:
    """Find the copy that is next now, if it is of a job whose lock is ours: who had it before took the one we saw.

    Many recorders reach for the first copy of one job; each would else begin anew, and most would lose again.
    """
    copy = next_copy(db, recorder, info)
    return _lock_queued(db, copy) if copy is not None and copy.job_id == job else None


def _promise(db: Session, recorder: Recorder, job: Job, copy: Copy) -> Assignment:
    last = db.scalar(select(func.max(Attempt.id)).where(Attempt.recorder == recorder.name))
    attempt = Attempt(id=new_id(after=last), job_id=job.id, copy_id=copy.id, recorder=recorder.name)
    attempt.blocks_total = job.blocks
    attempt.medium_kind = recorder.medium_kind
    db.add(attempt)
    move(copy, CopyState.ASSIGNED)
    db.flush()
    activate(db, job)
    journal(db, "assigned", job=job.id, copy=copy.number, attempt=attempt.id, recorder=recorder.name)
    return Assignment(attempt.id, recorder.name)


def medium_of(recorder: Recorder) -> MediumInfo | None:
    """Return the medium that a recorder's row tells of."""
    if recorder.medium_kind is None or recorder.medium_status is None:
        return None
    kind = MediumKind(recorder.medium_kind)
    free = recorder.medium_free_blocks or 0
    capacity = max(free, recorder.medium_capacity or kind.capacity)
    return MediumInfo(kind, MediumStatus(recorder.medium_status), capacity, free, used=recorder.medium_used)
