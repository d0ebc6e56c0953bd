"""What may be forgotten after a while, so that a rig runs for years: never a disc's row in the ledger, never a digest.

Everything goes in small transactions, beside running workers and submits: whoever waits for the database waits for one
batch. What an unfinished job needs stays, and so does what is younger than the limit.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    CursorResult,
    Select,
    and_,
    delete,
    exists,
    func,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from jobs.mastering.masters import MasterStore
from jobs.settings import Settings
from jobs.store import ContentStore
from models.attempt import Attempt
from models.base import Base
from models.database import Database
from models.delivery import Delivery
from models.event import Event
from models.job import Copy, Job
from models.manifest import Manifest, ManifestEntry
from models.recorder import RecorderRequest
from models.vocabulary import JobState, Outcome

#: Rows of one transaction.
_BATCH = 2000
_FINAL = [state for state in JobState if state.is_final]
#: Outcomes of attempts whose medium stays usable: there is no disc.
_NO_DISC = [Outcome.UNUSED, Outcome.SIMULATED]


@dataclass(frozen=True, slots=True)
class Pruned:
    """How much was, or would be, forgotten: rows, folders, and bytes of stored content."""

    events: int
    requests: int
    deliveries: int
    attempts: int
    jobs: int
    manifests: int
    evidence: int
    masters: int
    content_bytes: int


def prune(database: Database, settings: Settings, before: datetime, *, dry_run: bool = False) -> Pruned:
    """Forget what is older than a moment and what nobody needs."""
    evidence = _prune_evidence(database, settings.evidence, before, dry_run=dry_run)  # asks for attempts' rows
    rows = _Rows(database, before, dry_run)
    counts = {
        "events": rows.events(),
        "requests": rows.of(RecorderRequest, RecorderRequest.id, RecorderRequest.answered < before),
        "deliveries": rows.of(Delivery, Delivery.id, _is_told(before)),
        "attempts": rows.of(Attempt, Attempt.id, _left_no_trace(before)),
        "jobs": rows.jobs(),
        "manifests": rows.manifests(),
    }
    with database.read() as db:
        masters = {str(key) for key in db.scalars(_needed_masters(before))}
        digests = {str(digest) for digest in db.scalars(_needed_digests(before))}
    stored, stamp = MasterStore(settings.store / "masters"), before.timestamp()
    return Pruned(
        **counts,
        evidence=evidence,
        masters=stored.prune(masters, stamp, dry_run=dry_run),
        content_bytes=ContentStore(settings.store).prune(digests, stamp, dry_run=dry_run),
    )


def _is_over(before: datetime) -> ColumnElement[bool]:
    """Say of a job that it ended before a moment and that no disc of it is still to be judged."""
    other = aliased(Attempt)
    is_open = or_(other.outcome.is_(None), other.outcome == Outcome.LOST)
    open_attempt = exists().where(other.job_id == Job.id, is_open)
    return and_(Job.state.in_(_FINAL), Job.finished < before, ~open_attempt)


def _is_needed(before: datetime) -> ColumnElement[bool]:
    return or_(Job.finished.is_(None), ~_is_over(before))


def _needed_masters(before: datetime) -> CompoundSelect[str | None]:
    """Name the masters of jobs, and those of sessions that were laid out for one disc."""
    sessions = select(Attempt.master_key).join(Job, Job.id == Attempt.job_id).where(_is_needed(before))
    return union(select(Job.master_key).where(_is_needed(before)), sessions.where(Attempt.master_key.is_not(None)))


def _needed_digests(before: datetime) -> Select[str | None]:
    jobs = select(Job.manifest_id).where(_is_needed(before))
    digest = ManifestEntry.sha256
    return select(digest).where(ManifestEntry.manifest_id.in_(jobs), digest.is_not(None)).distinct()


def _is_told(before: datetime) -> ColumnElement[bool]:
    return and_(Delivery.created < before, or_(Delivery.delivered.is_not(None), Delivery.given_up.is_not(None)))


def _left_no_trace(before: datetime) -> ColumnElement[bool]:
    """Say of an attempt that it was taken back before it had anything to do with a medium, and its job is over."""
    over = exists().where(Job.id == Attempt.job_id, _is_over(before))
    return and_(Attempt.outcome == Outcome.UNUSED, Attempt.medium_id.is_(None), Attempt.finished < before, over)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Forgets rows batch by batch; with `dry_run` it only counts."""

    database: Database
    before: datetime
    dry_run: bool

    def of(self, table: type[Base], key: "InstrumentedAttribute[str]", condition: ColumnElement[bool]) -> int:
        """Forget the rows of a table that meet a condition."""
        if self.dry_run:
            with self.database.read() as db:
                return db.scalar(select(func.count()).select_from(table).where(condition)) or 0
        removed = 0
        while True:
            with self.database.write() as db:
                batch = db.scalars(select(key).where(condition).limit(_BATCH)).all()
                removed += _removed(db, table, and_(key.in_(batch), condition)) if batch else 0
            if len(batch) < _BATCH:
                return removed

    def events(self) -> int:
        """Forget old events but the newest, whose number is where followers go on; those of unfinished jobs stay."""
        last, removed = 0, 0
        with self.database.read() as db:
            newest = db.scalar(select(func.max(Event.id))) or 0
        unfinished = exists().where(Job.id == Event.job_id, _is_needed(self.before))
        while True:
            with self.database.read() if self.dry_run else self.database.write() as db:
                batch = select(Event.id, Event.at).where(Event.id > last, Event.id < newest)
                rows = db.execute(batch.order_by(Event.id).limit(_BATCH)).all()
                if not any(row.at < self.before for row in rows):
                    return removed
                part = and_(Event.id.between(rows[0].id, rows[-1].id), Event.at < self.before, ~unfinished)
                removed += self._forget(db, Event, part)
                last = rows[-1].id

    def jobs(self) -> int:
        """Forget jobs that made no disc and have no key: ordered again, a key must give the same job."""
        removed = 0
        idle = and_(
            _is_over(self.before),
            Job.key.is_(None),
            ~exists().where(Attempt.job_id == Job.id),
            ~exists().where(Delivery.job_id == Job.id),
            ~exists().where(RecorderRequest.job_id == Job.id),
        )
        with self.database.read() as db:
            ids = db.scalars(select(Job.id).where(idle)).all()
        for job_id in ids:
            removed += self.dry_run or self._forget_job(job_id, idle)
        return removed

    def _forget_job(self, job_id: str, idle: ColumnElement[bool]) -> int:
        """Forget a job's copies, then the job; `retry` refuses one whose copies are not all there."""
        while True:
            with self.database.write() as db:
                job = db.scalar(select(Job).where(Job.id == job_id, idle).with_for_update(of=Job))
                if job is None:
                    return 0
                copies = db.scalars(select(Copy.id).where(Copy.job_id == job_id).limit(_BATCH)).all()
                if copies:
                    _removed(db, Copy, Copy.id.in_(copies))
                if len(copies) < _BATCH:
                    return _removed(db, Job, Job.id == job_id)

    def manifests(self) -> int:
        """Forget manifests that no job has: their submit failed, or their jobs are forgotten."""
        orphan = and_(Manifest.created < self.before, ~exists().where(Job.manifest_id == Manifest.id))
        with self.database.read() as db:
            ids = db.scalars(select(Manifest.id).where(orphan)).all()
        return len(ids) if self.dry_run else sum(self._forget_manifest(number, orphan) for number in ids)

    def _forget_manifest(self, number: int, orphan: ColumnElement[bool]) -> int:
        """Forget entries batch by batch; a submit that comes across it renews it, and fills in what is gone."""
        while True:
            with self.database.write() as db:
                db.execute(update(Manifest).where(Manifest.id == number, orphan).values(complete=False))
                if db.scalar(select(Manifest.id).where(Manifest.id == number, orphan).with_for_update()) is None:
                    return 0
                mine = ManifestEntry.manifest_id == number
                batch = db.scalars(select(ManifestEntry.position).where(mine).limit(_BATCH)).all()
                if batch:
                    _removed(db, ManifestEntry, and_(mine, ManifestEntry.position.in_(batch)))
                if len(batch) < _BATCH:
                    return _removed(db, Manifest, Manifest.id == number)

    def _forget(self, db: Session, table: type[Base], condition: ColumnElement[bool]) -> int:
        if self.dry_run:
            return db.scalar(select(func.count()).select_from(table).where(condition)) or 0
        return _removed(db, table, condition)


def _removed(db: Session, table: type[Base], condition: ColumnElement[bool]) -> int:
    done = db.execute(delete(table).where(condition), execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)  # noqa: S101  (what a DELETE gives; its type says less)
    return done.rowcount


def _prune_evidence(database: Database, folder: Path, before: datetime, *, dry_run: bool) -> int:
    """Remove this host's evidence of burns whose discs have their verdict and have left."""
    removed = 0
    for batch in _batches(sorted(folder.iterdir()) if folder.is_dir() else []):
        for path in _settled(database, batch, before):
            removed += 1
            if not dry_run:
                shutil.rmtree(path)
    return removed


def _batches(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    return (paths[start : start + _BATCH] for start in range(0, len(paths), _BATCH))


def _settled(database: Database, paths: Sequence[Path], before: datetime) -> list[Path]:
    names = [path.name for path in paths]
    gone = or_(Attempt.ejected.is_not(None), Attempt.outcome.in_(_NO_DISC))
    settled = and_(Attempt.outcome.is_not(None), Attempt.outcome != Outcome.LOST, Attempt.finished < before, gone)
    with database.read() as db:
        known = set(db.scalars(select(Attempt.id).where(Attempt.id.in_(names))))
        done = set(db.scalars(select(Attempt.id).where(Attempt.id.in_(names), settled)))
        first = db.scalar(select(func.min(Attempt.id)))
    # Of an attempt that was forgotten already; ids sort by time, so this database has a history that old.
    done |= {name for name in names if name not in known and first is not None and name > first}
    return [path for path in paths if path.name in done and path.stat().st_mtime < before.timestamp()]
