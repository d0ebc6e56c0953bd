"""What is shown: read-only documents, whose keys are a contract."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from jobs.errors import NotFound, OrderError
from models.attempt import Attempt
from models.event import Event
from models.job import Copy, Job
from models.manifest import Manifest, ManifestEntry
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, Intent, JobState, Outcome, Stage

Document = dict[str, object]

#: The kind of the events that tell who ordered what is not quite as it was given.
NOTED = "noted"
#: Share of an attempt's work that each stage stands for: a disc is written, then read.
_WRITTEN, _VERIFIED = 0.5, 0.5
#: Ids in one statement; PostgreSQL takes 65,535 values at most.
_IDS = 1000
#: An attempt and the number of its copy, joined: a list of 100,000 copies is more than a statement can hold. Columns
#: rather than objects, which would take most of the time; in parts, for PostgreSQL ends a transaction that idles.
_ATTEMPTS: Select[Any] = (
    select(*Attempt.__table__.columns, Copy.number)
    .join(Copy, Copy.id == Attempt.copy_id)
    .execution_options(yield_per=1000)
)


def job_document(db: Session, job_id: str, limit: int | None = None) -> Document:
    """Describe a job and every attempt to make its discs, or the last `limit` of them.

    Raises:
        NotFound: no such job.
    """
    job = find_job(db, job_id)
    query = _ATTEMPTS.where(Attempt.job_id == job.id).order_by(Attempt.id.desc()).limit(limit)
    return {**_summaries(db, [job])[0], "discs": _attempt_documents(db, query)[::-1]}


def attempts_of(db: Session, job: str, after: str = "") -> list[tuple[bool, Document]]:
    """Describe a job's attempts behind one of them, each with whether it is over: settled, and its disc has left."""
    query = _ATTEMPTS.where(Attempt.job_id == job, Attempt.id > after).order_by(Attempt.id)
    return [(_is_over(row), _attempt_document(row)) for row in db.execute(query)]


def outcomes_of(db: Session, job: str) -> "Counter[object]":
    """Count a job's attempts by their outcome."""
    return _outcomes(db, [job]).get(job, Counter())


def job_summary(db: Session, job_id: str) -> Document:
    """Describe a job without its attempts.

    Raises:
        NotFound: no such job.
    """
    return _summaries(db, [find_job(db, job_id)])[0]


def find_job(db: Session, job_id: str) -> Job:
    """Return a job.

    Raises:
        NotFound: no such job.
    """
    job = db.get(Job, job_id)
    if job is None:
        message = f"no job {job_id}; `discmill jobs` lists them"
        raise NotFound(message)
    return job


def job_documents(db: Session, state: str | None = None, limit: int = 50) -> list[Document]:
    """Describe jobs, the newest first.

    Raises:
        OrderError: the state is no word for one.
    """
    query = select(Job).order_by(Job.id.desc()).limit(limit)
    if state is not None:
        if state not in {str(word) for word in JobState}:
            message = f"unknown state {state!r}; choose one of {', '.join(JobState)}"
            raise OrderError(message)
        query = query.where(Job.state == state)
    return _summaries(db, db.scalars(query).all())


def attempt_document(db: Session, attempt_id: str) -> Document:
    """Describe one attempt.

    Raises:
        NotFound: no such attempt.
    """
    found = _attempt_documents(db, _ATTEMPTS.where(Attempt.id == attempt_id))
    if not found:
        message = f"no attempt {attempt_id}"
        raise NotFound(message)
    return found[0]


def attempt_at(db: Session, job: str, path: Path) -> Attempt | None:
    """Return the attempt of a job whose disc is a file, if one's is."""
    query = select(Attempt).where(Attempt.job_id == job, Attempt.path == str(path)).order_by(Attempt.id.desc())
    return db.scalars(query.limit(1)).one_or_none()


def disc_documents(db: Session, job: str | None = None, recorder: str | None = None) -> list[Document]:
    """Describe every attempt that touched a disc."""
    query = _ATTEMPTS.where(Attempt.medium_id.is_not(None)).order_by(Attempt.id)
    query = query.where(or_(Attempt.outcome.is_(None), Attempt.outcome != Outcome.UNUSED))
    if job is not None:
        query = query.where(Attempt.job_id == find_job(db, job).id)
    if recorder is not None:
        query = query.where(Attempt.recorder == recorder)
    return _attempt_documents(db, query)


def discs_in_trays(db: Session, job: str) -> int:
    """Count a job's good discs that have not left their recorders yet."""
    discs = [Outcome.GOOD, Outcome.SURPLUS]
    query = select(func.count()).where(
        Attempt.job_id == job, Attempt.outcome.in_(discs), Attempt.medium_id.is_not(None), Attempt.ejected.is_(None)
    )
    return db.scalar(query) or 0


def recorder_documents(db: Session) -> list[Document]:
    """Describe the rig."""
    recorders = db.scalars(select(Recorder).order_by(Recorder.name)).all()
    unsettled = {row.recorder: row for row in db.scalars(select(Attempt).where(Attempt.outcome.is_(None)))}
    counts = _outcomes_by_recorder(db)
    return [_recorder_document(recorder, unsettled.get(recorder.name), counts) for recorder in recorders]


def event_documents(
    db: Session, job: str | None = None, after: int = 0, limit: int = 1000
) -> list[tuple[int, Document]]:
    """Describe what happened after event number `after`, oldest first, each with its number."""
    query = select(Event).where(Event.id > after).order_by(Event.id).limit(limit)
    if job is not None:
        query = query.where(Event.job_id == job)
    return [(event.id, _event_document(event)) for event in db.scalars(query)]


def notes_of(db: Session, job: str) -> list[str]:
    """Return what whoever ordered a job was told of its content: sentences, oldest first."""
    query = select(Event.data).where(Event.job_id == job, Event.kind == NOTED).order_by(Event.id)
    return [str(data["note"]) for data in db.scalars(query)]


def newest_event(db: Session) -> int:
    """Return the number of the newest event, 0 if there is none."""
    return db.scalar(select(func.max(Event.id))) or 0


def find_documents(db: Session, what: str) -> list[Document]:
    """Find the jobs and discs that hold a file, by its name, its place or its SHA-256.

    A track is found by its samples' digest, and by that of the file they were decoded from.
    """
    digest = what.lower()
    is_digest = len(digest) == 64 and all(letter in "0123456789abcdef" for letter in digest)  # noqa: PLR2004
    name = what.rpartition("/")[2]
    digests = or_(ManifestEntry.sha256 == digest, ManifestEntry.origin_sha256 == digest)
    match = digests if is_digest else ManifestEntry.name == name
    if "/" in what and not is_digest:
        match = and_(match, ManifestEntry.path == what.strip("/"))
    columns: list[Any] = [ManifestEntry.path, ManifestEntry.size, ManifestEntry.sha256, Job.id.label("job"), Job.title]
    query: Select[Any] = select(*columns).join(Job, Job.manifest_id == ManifestEntry.manifest_id).where(match)
    rows = db.execute(query.order_by(Job.id, ManifestEntry.position)).all()
    discs = _discs_of(db, list(dict.fromkeys(row.job for row in rows)))
    return [_find_document(row, discs.get(row.job, [])) for row in rows]


def stamp(moment: datetime | None) -> str | None:
    """Write a time as RFC 3339 in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _summaries(db: Session, jobs: Sequence[Job]) -> list[Document]:
    ids = [job.id for job in jobs]
    copies = _grouped(
        db, select(Copy.job_id, Copy.state, func.count()).where(Copy.job_id.in_(ids)).group_by(Copy.job_id, Copy.state)
    )
    outcomes = _outcomes(db, ids)
    under_way = _work_under_way(db, ids)
    manifests = {
        row.id: row for row in db.scalars(select(Manifest).where(Manifest.id.in_([job.manifest_id for job in jobs])))
    }
    return [
        _job_document(
            job,
            copies.get(job.id, Counter()),
            outcomes.get(job.id, Counter()),
            under_way.get(job.id, 0.0),
            manifests[job.manifest_id],
        )
        for job in jobs
    ]


def _job_document(
    job: Job, copies: "Counter[object]", outcomes: "Counter[object]", under_way: float, manifest: Manifest
) -> Document:
    active = copies[CopyState.ASSIGNED] + copies[CopyState.ACTIVE]
    return {
        "job": job.id,
        "state": job.state,
        "cancelling": job.cancel_requested and not job.state.is_final,
        "reason": job.reason,
        "title": job.title,
        "client": job.client,
        "format": job.format,
        "medium": job.medium,
        "copies": job.copies,
        "good": outcomes[Outcome.GOOD],
        "spoiled": outcomes[Outcome.SPOILED],
        "surplus": outcomes[Outcome.SURPLUS],
        "queued": copies[CopyState.QUEUED],
        "active": active,
        "priority": job.priority,
        "progress": round(min(1.0, (copies[CopyState.DONE] + under_way) / job.copies), 4),
        "created": stamp(job.created),
        "finished": stamp(job.finished),
        "manifest": {
            "sha256": manifest.sha256,
            "entries": manifest.entries,
            "bytes": manifest.bytes,
            "blocks": job.blocks,
        },
        "image_sha256": job.image_sha256,
    }


def _attempt_documents(db: Session, query: Select[Any]) -> list[Document]:
    return [_attempt_document(row) for row in db.execute(query)]


def _is_over(attempt: Row[Any]) -> bool:
    """Say of an attempt that nothing but an operator's word will change it."""
    if attempt.outcome in {None, Outcome.LOST}:
        return False
    return attempt.ejected is not None or attempt.outcome in {Outcome.UNUSED, Outcome.SIMULATED}


def _attempt_document(attempt: Row[Any]) -> Document:
    error = {"code": attempt.error_code, "message": attempt.error_message, "remedy": attempt.error_remedy}
    return {
        "attempt": attempt.id,
        "copy": attempt.number,
        "job": attempt.job_id,
        "recorder": attempt.recorder,
        "stage": attempt.stage,
        "outcome": attempt.outcome,
        "verified": attempt.verified,
        "medium": attempt.medium_kind,
        "medium_id": attempt.medium_id,
        "blocks_done": attempt.blocks_done,
        "blocks_total": attempt.blocks_total,
        "speed_x": attempt.speed_x,
        "started": stamp(attempt.started),
        "finished": stamp(attempt.finished),
        "image_sha256": attempt.image_sha256,
        "path": attempt.path,
        "error": error if attempt.error_code else None,
    }


def shown_state(recorder: Recorder) -> str:
    """Say in one word how a recorder is: gone first, then what a person decided or must do, then what it does."""
    if recorder.condition is Condition.OFFLINE:
        return Condition.OFFLINE
    if recorder.condition in {Condition.BUSY, Condition.RECOVERING}:
        return recorder.condition
    if recorder.intent is not Intent.ENABLED:
        return recorder.intent
    return Condition.ATTENTION if recorder.attention is not None else recorder.condition


def _recorder_document(recorder: Recorder, attempt: Attempt | None, counts: dict[str, "Counter[object]"]) -> Document:
    medium = {
        "kind": recorder.medium_kind,
        "status": recorder.medium_status,
        "free_blocks": recorder.medium_free_blocks,
    }
    mine = counts.get(recorder.name, Counter())
    return {
        "name": recorder.name,
        "uri": recorder.uri,
        "host": recorder.host,
        "vendor": recorder.vendor,
        "product": recorder.product,
        "serial": recorder.serial,
        "firmware": recorder.firmware,
        "writes": recorder.writes,
        "intent": recorder.intent,
        "condition": recorder.condition,
        "state": shown_state(recorder),
        "medium": medium if recorder.medium_kind else None,
        "attempt": attempt.id if attempt else None,
        "progress": round(_share(attempt.stage, attempt.blocks_done, attempt.blocks_total), 4) if attempt else None,
        "good": mine[Outcome.GOOD],
        "spoiled": mine[Outcome.SPOILED],
        "message": recorder.attention or _quarantine(recorder) or recorder.message,
    }


def _quarantine(recorder: Recorder) -> str:
    if recorder.intent is not Intent.QUARANTINED:
        return ""
    return (
        f"spoiled {recorder.spoiled_in_row} discs in a row; look at it, then `discmill recorders clear {recorder.name}`"
    )


def _event_document(event: Event) -> Document:
    return {
        "at": stamp(event.at),
        "kind": event.kind,
        "job": event.job_id,
        "copy": event.copy,
        "attempt": event.attempt_id,
        "recorder": event.recorder,
        "data": event.data,
    }


def _find_document(row: Row[Any], discs: list[tuple[str, Outcome | None]]) -> Document:
    return {
        "path": row.path,
        "size": row.size,
        "sha256": row.sha256,
        "job": row.job,
        "title": row.title,
        "discs": [attempt for attempt, _ in discs],
        "good": sum(outcome is Outcome.GOOD for _, outcome in discs),
    }


def _discs_of(db: Session, jobs: Sequence[str]) -> dict[str, list[tuple[str, Outcome | None]]]:
    found: dict[str, list[tuple[str, Outcome | None]]] = {}
    for start in range(0, len(jobs), _IDS):
        query = select(Attempt.job_id, Attempt.id, Attempt.outcome).where(
            Attempt.job_id.in_(jobs[start : start + _IDS]), Attempt.outcome.in_([Outcome.GOOD, Outcome.SURPLUS])
        )
        for job, attempt, outcome in db.execute(query.order_by(Attempt.id)).all():
            found.setdefault(job, []).append((attempt, outcome))
    return found


def _work_under_way(db: Session, jobs: Sequence[str]) -> dict[str, float]:
    """Sum up, in discs, what unsettled attempts have done."""
    query = select(Attempt.job_id, Attempt.stage, Attempt.blocks_done, Attempt.blocks_total).where(
        Attempt.job_id.in_(jobs), Attempt.outcome.is_(None)
    )
    sums: dict[str, float] = {}
    for job, stage, done, total in db.execute(query).all():
        sums[job] = sums.get(job, 0.0) + _share(stage, done, total)
    return sums


def _share(stage: Stage, done: int, total: int) -> float:
    fraction = done / total if total else 0.0
    match stage:
        case Stage.WRITING:
            return _WRITTEN * fraction
        case Stage.CLOSING:
            return _WRITTEN
        case Stage.VERIFYING:
            return _WRITTEN + _VERIFIED * fraction
        case _:
            return 0.0


def _outcomes(db: Session, jobs: Sequence[str]) -> dict[str, "Counter[object]"]:
    query = select(Attempt.job_id, Attempt.outcome, func.count()).where(Attempt.job_id.in_(jobs))
    return _grouped(db, query.group_by(Attempt.job_id, Attempt.outcome))


def _outcomes_by_recorder(db: Session) -> dict[str, "Counter[object]"]:
    return _grouped(
        db, select(Attempt.recorder, Attempt.outcome, func.count()).group_by(Attempt.recorder, Attempt.outcome)
    )


def _grouped(db: Session, query: object) -> dict[str, "Counter[object]"]:
    found: dict[str, Counter[object]] = {}
    for key, word, count in db.execute(query).all():  # type: ignore[call-overload]
        found.setdefault(key, Counter())[word] = count
    return found
