"""What becomes of attempts: claim, permit, journal, settle. Every write here carries a fence."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from jobs.errors import DiscError, Fenced, NotFound, NotPermitted, Remedy
from jobs.lifecycle import advance, conclude, move
from jobs.mastering.medium import MediumInfo
from jobs.rollup import hold, journal, roll_up
from jobs.scheduling import LONGEST_BACK_OFF
from models.attempt import Attempt
from models.base import now
from models.job import Copy, Job
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, Intent, Outcome, Stage

#: Failed attempts of one copy until its job waits for a decision.
MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Owner:
    """The one worker that may act for a recorder: whoever raised its epoch last."""

    recorder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an attempt is: blocks done of all, speed in multiples of 1x."""

    done: int
    total: int
    speed_x: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be written down of an attempt that ended.

    `needs_person` is what a person has to look at before the recorder burns again.
    """

    outcome: Outcome
    verified: bool | None = None
    error: DiscError | None = None
    image_sha256: str | None = None
    needs_person: str | None = None


@dataclass(frozen=True, slots=True)
class Rules:
    """What an administrator set: spoiled discs in a row until quarantine, first back-off in seconds."""

    quarantine_after: int = 3
    back_off: float = 1.0


_DEFAULT_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Rows:
    """An attempt and what it belongs to, locked in the order recorder, job, copy, attempt."""

    recorder: Recorder
    job: Job
    copy: Copy
    attempt: Attempt


def lock_rows(db: Session, attempt_id: str) -> Rows | None:
    """Lock an attempt's rows in the one order used everywhere; None if there is no such attempt."""
    keys = db.execute(
        select(Attempt.recorder, Attempt.job_id, Attempt.copy_id).where(Attempt.id == attempt_id)
    ).one_or_none()
    if keys is None:
        return None
    return Rows(
        db.get_one(Recorder, keys.recorder, with_for_update=True, populate_existing=True),
        db.get_one(Job, keys.job_id, with_for_update=True, populate_existing=True),
        db.get_one(Copy, keys.copy_id, with_for_update=True, populate_existing=True),
        db.get_one(Attempt, attempt_id, with_for_update=True, populate_existing=True),
    )


def lock_owned(db: Session, attempt_id: str, owner: Owner) -> Rows:
    """Lock the rows of an attempt that this owner claimed.

    Raises:
        Fenced: the recorder has a newer owner, or the attempt is not this owner's or is settled.
    """
    rows = lock_rows(db, attempt_id)
    if rows is None or rows.recorder.name != owner.recorder or rows.recorder.epoch != owner.epoch:
        message = f"attempt {attempt_id} is not for owner {owner.epoch} of recorder {owner.recorder}"
        raise Fenced(message)
    if rows.attempt.epoch != owner.epoch or rows.attempt.outcome not in {None, Outcome.LOST}:
        message = f"attempt {attempt_id} was settled or taken over: {rows.attempt.outcome or rows.attempt.stage}"
        raise Fenced(message)
    return rows


def claim(db: Session, attempt_id: str, owner: Owner) -> bool:
    """Take an assigned attempt for this recorder's owner; False if it is not ours to take.

    One guarded UPDATE decides: a message delivered again changes no row.
    """
    current = select(Recorder.epoch).where(Recorder.name == owner.recorder).scalar_subquery()
    taken = db.execute(
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.stage == Stage.ASSIGNED, Attempt.outcome.is_(None))
        .where(Attempt.recorder == owner.recorder, current == owner.epoch)
        .values(stage=Stage.PREPARING, epoch=owner.epoch, started=now())
        .returning(Attempt.id)
    ).one_or_none()
    return taken is not None


def start(db: Session, attempt_id: str, owner: Owner) -> Rows | None:
    """Claim an attempt and mark its copy and recorder as at work; None if there is nothing to do.

    An attempt whose job was called off meanwhile is settled as unused.
    """
    rows = lock_rows(db, attempt_id)
    if rows is None or not claim(db, attempt_id, owner):
        return None
    db.refresh(rows.attempt)
    if rows.job.cancel_requested or rows.copy.state is not CopyState.ASSIGNED:
        _settle(db, rows, Verdict(Outcome.UNUSED))
        return None
    move(rows.copy, CopyState.ACTIVE)
    rows.recorder.condition = Condition.BUSY
    _note(db, "claimed", rows)
    roll_up(db, rows.job)
    return rows


def permit(  # noqa: PLR0913  (what there is to know of a burn before it begins)
    db: Session, attempt_id: str, owner: Owner, medium: MediumInfo, medium_id: str, *, master_key: str | None = None
) -> None:
    """Journal "writing medium M": the point of no return.

    `master_key` names the master of a session that was laid out for this very disc.

    Raises:
        Fenced: this owner may not write any more.
        NotPermitted: the attempt is not preparing, its job was called off, or another disc counts for its copy.
    """
    rows = lock_owned(db, attempt_id, owner)
    wanted = rows.copy.state is CopyState.ACTIVE and not rows.job.cancel_requested
    if rows.attempt.stage is not Stage.PREPARING or not wanted:
        message = f"attempt {attempt_id} may not write: it is {rows.attempt.stage}, its copy {rows.copy.state}"
        raise NotPermitted(message)
    advance(rows.attempt, Stage.WRITING)
    rows.attempt.medium_kind = medium.kind
    rows.attempt.medium_id = medium_id
    rows.attempt.medium_erases = rows.recorder.medium_erases
    rows.attempt.medium_session = medium.sessions + 1
    rows.attempt.first_block = medium.next_writable
    rows.attempt.master_key = master_key
    _note(db, "writing", rows, medium=medium_id)


def permit_blanking(db: Session, attempt_id: str, owner: Owner) -> None:
    """Journal that a rewritable medium is about to be erased: its identity is another one from here on.

    Raises:
        Fenced: this owner may not act for the recorder any more.
        NotPermitted: the job was called off.
    """
    rows = lock_owned(db, attempt_id, owner)
    if rows.attempt.stage is not Stage.PREPARING or rows.job.cancel_requested:
        message = f"attempt {attempt_id} may not erase: {rows.attempt.stage}"
        raise NotPermitted(message)
    rows.recorder.medium_erases += 1
    _note(db, "blanking", rows)


def may_write(db: Session, attempt_id: str, owner: Owner) -> bool:
    """Say whether a permit whose commit was not answered did take effect."""
    attempt = db.get(Attempt, attempt_id)
    return attempt is not None and attempt.stage is Stage.WRITING and attempt.epoch == owner.epoch


def enter(db: Session, attempt_id: str, owner: Owner, stage: Stage) -> None:
    """Move a claimed attempt on to closing or verifying; a stage it has reached already is no news.

    A lost one stays settled while its disc is looked at.

    Raises:
        Fenced: this owner may not act for the recorder any more.
    """
    rows = lock_owned(db, attempt_id, owner)
    if rows.attempt.outcome is None and rows.attempt.stage is not stage:
        advance(rows.attempt, stage)
        if stage is Stage.VERIFYING:
            rows.attempt.blocks_done = 0  # progress counts the blocks read back from here on
        _note(db, stage, rows)


def report_progress(db: Session, attempt_id: str, owner: Owner, progress: Progress) -> bool:
    """Store how far an attempt is; return whether it is to be called off."""
    db.execute(
        update(Attempt)
        .where(Attempt.id == attempt_id, Attempt.epoch == owner.epoch, Attempt.outcome.is_(None))
        .values(blocks_done=progress.done, blocks_total=progress.total, speed_x=progress.speed_x)
    )
    return is_called_off(db, attempt_id)


def is_called_off(db: Session, attempt_id: str) -> bool:
    """Say whether somebody cancelled the job of an attempt."""
    cancelled = select(Job.cancel_requested).join(Attempt, Attempt.job_id == Job.id).where(Attempt.id == attempt_id)
    return bool(db.scalar(cancelled))


def settle(db: Session, attempt_id: str, owner: Owner, verdict: Verdict, rules: Rules = _DEFAULT_RULES) -> Outcome:
    """Write down the verdict and act on it; return the outcome as it counts.

    A good disc that nobody needs any more becomes surplus.

    Raises:
        Fenced: somebody else settled the attempt, or owns the recorder now.
    """
    return _settle(db, lock_owned(db, attempt_id, owner), verdict, rules)


def withdraw(db: Session, attempt_id: str, why: str) -> bool:
    """Take back an assigned attempt that nobody claimed; False if somebody did meanwhile."""
    rows = lock_rows(db, attempt_id)
    if rows is None or rows.attempt.stage is not Stage.ASSIGNED:
        return False
    _settle(db, rows, Verdict(Outcome.UNUSED))
    _note(db, "withdrawn", rows, why=why)
    return True


def abandon(db: Session, attempt_id: str, heartbeat: int) -> bool:
    """Free the copy of an attempt that was preparing when its worker died; nothing was written.

    `heartbeat` is the counter at which the observer saw it stand still: if it moved, the worker lives.
    """
    rows = lock_rows(db, attempt_id)
    if rows is None or rows.attempt.stage is not Stage.PREPARING or rows.recorder.heartbeat != heartbeat:
        return False
    rows.recorder.epoch += 1  # fences the worker off, should it come back
    _settle(db, rows, Verdict(Outcome.UNUSED))
    return True


def lose(db: Session, attempt_id: str, heartbeat: int) -> bool:
    """Order anew the disc of a host that did not come back; its attempt is resolved when it does."""
    rows = lock_rows(db, attempt_id)
    if rows is None or rows.attempt.outcome is not None or rows.recorder.heartbeat != heartbeat:
        return False
    _settle(db, rows, Verdict(Outcome.LOST))
    return True


def take_over(db: Session, attempt_id: str, owner: Owner) -> None:
    """Let a recorder's new owner act for an attempt that an earlier owner left.

    Raises:
        Fenced: the recorder has a newer owner still, or the attempt is another recorder's.
    """
    rows = lock_rows(db, attempt_id)
    if rows is None or rows.recorder.name != owner.recorder or rows.recorder.epoch != owner.epoch:
        message = f"attempt {attempt_id} is not for owner {owner.epoch} of recorder {owner.recorder}"
        raise Fenced(message)
    rows.attempt.epoch = owner.epoch
    _note(db, "recovering", rows, stage=rows.attempt.stage)


def mark_ejected(db: Session, attempt_id: str, path: str | None) -> None:
    """Note that an attempt's disc has left its recorder, and where its file is if it is one.

    Raises:
        Fenced: the recorder has a newer owner, who has not taken the attempt over.
    """
    rows = lock_rows(db, attempt_id)
    if rows is None or rows.attempt.epoch != rows.recorder.epoch:
        message = f"attempt {attempt_id} is in the hands of a newer owner"
        raise Fenced(message)
    rows.attempt.ejected = now()
    rows.attempt.path = path or rows.attempt.path


def let_go(db: Session, attempt_id: str) -> bool:
    """Stop waiting for a disc that was called off and whose host is away; it is resolved when the host is back."""
    rows = lock_rows(db, attempt_id)
    if rows is None or rows.attempt.outcome is not None or not rows.job.cancel_requested:
        return False
    if rows.recorder.condition is not Condition.OFFLINE or rows.copy.state is not CopyState.ACTIVE:
        return False
    move(rows.copy, CopyState.CANCELLED)
    roll_up(db, rows.job)
    _note(db, "let-go", rows)
    return True


def resolve(db: Session, attempt_id: str, outcome: Outcome, by: str) -> Outcome:
    """Take a person's word for what a disc is: good or spoiled.

    Raises:
        NotFound: no such attempt.
        IllegalTransition: its stage or outcome forbids it.
        NotPermitted: it is being worked on.
    """
    rows = lock_rows(db, attempt_id)
    if rows is None:
        message = f"no attempt {attempt_id}"
        raise NotFound(message)
    if rows.attempt.stage in {Stage.ASSIGNED, Stage.PREPARING}:
        message = f"attempt {attempt_id} has written nothing; there is no disc to resolve"
        raise NotPermitted(message)
    if rows.attempt.outcome is None and rows.recorder.condition is not Condition.OFFLINE:
        message = f"attempt {attempt_id} is being worked on by {rows.recorder.name}; wait until it is settled"
        raise NotPermitted(message)
    settled = _settle(db, rows, Verdict(outcome, verified=rows.attempt.verified))
    _note(db, "resolved", rows, by=by, outcome=settled)
    return settled


def _settle(db: Session, rows: Rows, verdict: Verdict, rules: Rules = _DEFAULT_RULES) -> Outcome:
    outcome = verdict.outcome
    if outcome is Outcome.GOOD and not _is_needed(db, rows):
        outcome = Outcome.SURPLUS
    before = rows.attempt.outcome
    conclude(rows.attempt, outcome)
    _write_down(rows.attempt, verdict, before)
    _free_copy(db, rows, outcome, before)
    if before in {None, Outcome.LOST}:  # a second look at an old disc says nothing of the recorder as it is now
        _judge_recorder(rows.recorder, outcome, verdict, rules)
    if verdict.error is not None:
        _route(db, rows, verdict.error, rules)
    _check_waste(db, rows, outcome)
    rows.copy.held = rows.copy.state is CopyState.QUEUED and rows.job.reason is not None
    roll_up(db, rows.job)
    _note(db, outcome, rows, error=verdict.error.code if verdict.error else None)
    return outcome


def _is_needed(db: Session, rows: Rows) -> bool:
    """Say whether a good disc counts: one that was given up before does, until another is being written."""
    if rows.job.cancel_requested or rows.copy.state is CopyState.DONE:
        return False
    other = select(Attempt.id).where(
        Attempt.copy_id == rows.copy.id,
        Attempt.id != rows.attempt.id,
        Attempt.outcome.is_(None),
        Attempt.stage.not_in([Stage.ASSIGNED, Stage.PREPARING]),
    )
    return db.scalar(other) is None


def _write_down(attempt: Attempt, verdict: Verdict, before: Outcome | None) -> None:
    attempt.verified = verdict.verified
    attempt.image_sha256 = verdict.image_sha256 or attempt.image_sha256
    if before in {None, Outcome.LOST}:  # a second look at a disc does not change when it was finished
        attempt.finished = now()
    if verdict.error is not None:
        attempt.error_code = verdict.error.code
        attempt.error_message = verdict.error.message
        attempt.error_remedy = verdict.error.remedy


#: The states of a copy that its attempt answers for, by what was known of the attempt.
_HELD_BY = {None: {CopyState.ASSIGNED, CopyState.ACTIVE}, Outcome.GOOD: {CopyState.DONE}}


def _free_copy(db: Session, rows: Rows, outcome: Outcome, before: Outcome | None) -> None:
    """Move the copy on, unless it went its own way meanwhile: a later attempt has it, or another disc counts for it."""
    copy = rows.copy
    if outcome in {Outcome.GOOD, Outcome.SIMULATED}:
        move(copy, CopyState.DONE)
    elif copy.state in _HELD_BY.get(before, ()):
        move(copy, _state_without(db, rows))


def _state_without(db: Session, rows: Rows) -> CopyState:
    """Say where a copy is without this attempt: with another one that has it already, or in the queue again."""
    stage = db.scalar(
        select(Attempt.stage).where(
            Attempt.copy_id == rows.copy.id, Attempt.id != rows.attempt.id, Attempt.outcome.is_(None)
        )
    )
    if stage is not None:
        return CopyState.ASSIGNED if stage is Stage.ASSIGNED else CopyState.ACTIVE
    return CopyState.CANCELLED if rows.job.cancel_requested else CopyState.QUEUED


def _judge_recorder(recorder: Recorder, outcome: Outcome, verdict: Verdict, rules: Rules) -> None:
    if outcome in {Outcome.GOOD, Outcome.SURPLUS}:
        recorder.spoiled_in_row = 0
    elif outcome is Outcome.SPOILED and not _was_wanted(verdict):
        recorder.spoiled_in_row += 1
    if recorder.spoiled_in_row >= rules.quarantine_after:
        recorder.intent = Intent.QUARANTINED
    if verdict.needs_person is not None:
        recorder.attention = verdict.needs_person
        recorder.attention_ends_with_medium = False


def _was_wanted(verdict: Verdict) -> bool:
    """Tell a disc spoiled by a cancel, or by its sources: it says nothing about the recorder."""
    return verdict.error is not None and verdict.error.remedy in {Remedy.NONE, Remedy.FIX_ORDER}


def _route(db: Session, rows: Rows, error: DiscError, rules: Rules) -> None:
    """Let the error's remedy decide what happens next."""
    remedy = error.remedy
    if remedy is Remedy.NONE:
        return
    if remedy is Remedy.FIX_ORDER:
        hold(db, rows.job, f"{error.code}: {error.message}")
    elif remedy in {Remedy.CHANGE_MEDIUM, Remedy.USE_OTHER_RECORDER}:
        _ask_for_attention(rows.recorder, error.message, ends_with_medium=remedy is Remedy.CHANGE_MEDIUM)
    if remedy is not Remedy.CHANGE_MEDIUM:
        _back_off(db, rows, error, rules)


def _ask_for_attention(recorder: Recorder, why: str, *, ends_with_medium: bool) -> None:
    """Say what a person has to do; what asked for more before still does."""
    easy_before = recorder.attention is None or recorder.attention_ends_with_medium
    recorder.attention = recorder.attention or why
    recorder.attention_ends_with_medium = ends_with_medium and easy_before


def _back_off(db: Session, rows: Rows, error: DiscError, rules: Rules) -> None:
    if rows.copy.state is not CopyState.QUEUED:
        return  # done by another disc, called off, or another attempt's business by now
    rows.copy.failures += 1
    pause = timedelta(seconds=rules.back_off * 2 ** (rows.copy.failures - 1))
    rows.copy.not_before = now() + min(pause, LONGEST_BACK_OFF)
    if rows.copy.failures >= MOST_FAILURES:
        hold(db, rows.job, f"copy {rows.copy.number} failed {rows.copy.failures} times, last: {error.message}")


def _check_waste(db: Session, rows: Rows, outcome: Outcome) -> None:
    if outcome is not Outcome.SPOILED:
        return
    db.flush()
    spoiled = db.scalars(
        select(Attempt.id).where(Attempt.job_id == rows.job.id, Attempt.outcome == Outcome.SPOILED)
    ).all()
    if len(spoiled) - rows.job.forgiven >= rows.job.max_spoiled:
        hold(db, rows.job, f"{len(spoiled)} discs spoiled; `discmill retry {rows.job.id}` makes what is missing")


def _note(db: Session, kind: str, rows: Rows, **data: object) -> None:
    journal(
        db,
        kind,
        job=rows.job.id,
        copy=rows.copy.number,
        attempt=rows.attempt.id,
        recorder=rows.recorder.name,
        **data,
    )
