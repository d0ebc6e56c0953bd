"""From an order to rows: content is taken in and its master prepared; then one short transaction shows the job."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from jobs.audio import scan_audio, scan_cue
from jobs.audio_intake import AudioIntake
from jobs.audio_manifest import is_audio_manifest, read_audio_manifest
from jobs.catalogue import store_manifest
from jobs.data_intake import ImageIntake, TreeIntake
from jobs.dispatch import Bell
from jobs.errors import Faults, KeyTaken
from jobs.intake import Intake, Order, Progress, Taken, silent
from jobs.manifest_file import read_manifest_file
from jobs.mastering.masters import MasterStore, StoredMaster
from jobs.mastering.programme import Programme
from jobs.ordering import Content, ContentKind, Options
from jobs.overview import NOTED
from jobs.preparation import prepare_master
from jobs.rollup import journal
from jobs.scanning import scan, scan_image
from jobs.scheduling import assign, class_of
from jobs.settings import Settings
from jobs.webhooks import webhook_fault
from models.base import new_id
from models.database import Database
from models.job import Copy, Job
from models.vocabulary import CopyState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mill:
    """What submitting needs: the settings, the database, the bell."""

    settings: Settings
    database: Database
    bell: Bell


@dataclass(frozen=True, slots=True)
class _Staged:
    """All of an order but its rows."""

    taken: Taken
    master: StoredMaster


def submit(mill: Mill, content: Content, options: Options, progress: Progress = silent) -> str:
    """Stage an order and store it; commit, then ring. Return the job's id.

    The same key again returns the same job. A broker that is away costs nothing but time.

    Raises:
        Faults: all that is wrong with the order; nothing of it was stored.
        SourceChanged: a source changed while it was staged.
        DiscFull: the content does not fit the medium asked for.
        KeyTaken: the key belongs to another order.
    """
    options = replace(options, client=options.client or mill.settings.client)
    staged = _take(mill, content, options, progress)
    manifest_id = store_manifest(mill.database, staged.taken.laid.manifest)
    job_id = _store_order(mill.database, _job(staged, options, manifest_id), staged.taken.notes)
    assign_now(mill)
    return job_id


def assign_now(mill: Mill) -> None:
    """Assign at once what was stored; where that fails the dispatcher does it a moment later."""
    try:
        assign(mill.database, mill.bell.ring)
    except SQLAlchemyError as error:
        log.warning("what is stored waits for the dispatcher: %s", error)


def look_through(order: Order) -> Intake:
    """Look at all that an order names; what is wrong is for the intake's `faults` to say."""
    paths, roots = order.content.paths, order.roots
    path = next(iter(paths), Path())
    match order.content.kind:
        case ContentKind.AUDIO:
            return AudioIntake(order, scan_audio(paths, roots))
        case ContentKind.CUE:
            return AudioIntake(order, scan_cue(path, roots))
        case ContentKind.IMAGE:
            return ImageIntake(order, scan_image(path, roots))
        case ContentKind.MANIFEST if is_audio_manifest(path):
            return AudioIntake(order, read_audio_manifest(path, roots))
        case ContentKind.MANIFEST:
            return TreeIntake(order, read_manifest_file(path, roots))
        case _:
            return TreeIntake(order, scan(paths, roots))


def _take(mill: Mill, content: Content, options: Options, progress: Progress) -> _Staged:
    intake = look_through(Order(mill.settings, content, options))
    faults = [*options.faults(), *_webhook_faults(mill.settings, options), *intake.faults()]
    if faults:
        subject = "the order has faults, nothing was stored"
        raise Faults(subject, faults)
    taken = intake.take(progress)
    masters = MasterStore(mill.settings.store / "masters")
    master = prepare_master(masters, taken.laid, lambda done, total: progress("mastering", done, total))
    return _Staged(taken, master)


def _webhook_faults(settings: Settings, options: Options) -> list[str]:
    fault = webhook_fault(options.webhook, settings.webhooks) if options.webhook is not None else None
    return [fault] if fault else []


def _job(staged: _Staged, options: Options, manifest_id: int) -> Job:
    taken, laid = staged.taken, staged.taken.laid
    job = Job(
        id=new_id(),
        client=options.client,
        key=options.key,
        title=taken.title,
        format=laid.format,
        manifest_id=manifest_id,
        stage=options.stage,
        medium=taken.medium,
        volume_id=laid.options.volume_id,
        udf=laid.options.udf,
        master_key=laid.key,
        blocks=staged.master.blocks,
        block_size=staged.master.block_size,
        image_sha256=staged.master.sha256,
        copies=options.copies,
        priority=options.priority,
        speed=options.speed,
        simulate=options.simulate,
        verify=options.verify,
        nonblank=options.nonblank,
        max_spoiled=options.spoiled_limit,
        webhook=options.webhook,
    )
    job.order_sha256 = _order_digest(job, laid.programme)
    return job


#: What makes two orders with one key the same order: all that decides the discs and how they are made.
_ORDERED = (
    *("client", "title", "format", "stage", "medium", "volume_id", "image_sha256", "copies", "priority"),
    *("speed", "simulate", "verify", "nonblank", "max_spoiled"),
)


def _order_digest(job: Job, programme: Programme | None) -> str:
    ordered = {name: getattr(job, name) for name in _ORDERED}
    if programme is not None:
        ordered["programme"] = programme.canonical  # what an audio disc tells of its tracks is not in its blocks
    if job.webhook is not None:  # not among them: an order without one keeps the digest it always had
        ordered["webhook"] = job.webhook
    return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest()


def _store_order(database: Database, job: Job, notes: Sequence[str]) -> str:
    """Make job and copies visible at once, or find the job that the key belongs to."""
    try:
        with database.write() as db:
            known = _job_of_key(db, job)
            if known is not None:
                return known
            _insert(db, job, notes)
            return job.id
    except IntegrityError:
        with database.read() as db:
            known = _job_of_key(db, job)
        if known is None:
            raise
        return known


def _insert(db: Session, job: Job, notes: Sequence[str]) -> None:
    db.add(job)
    db.flush()
    common = {"job_id": job.id, "state": CopyState.QUEUED, "media_class": class_of(job), "priority": job.priority}
    db.execute(insert(Copy), [{**common, "number": number} for number in range(1, job.copies + 1)])
    journal(db, "submitted", job=job.id, title=job.title, copies=job.copies, client=job.client)
    for note in notes:
        journal(db, NOTED, job=job.id, note=note)


def _job_of_key(db: Session, job: Job) -> str | None:
    """Return the job with the same client and key, if any.

    Raises:
        KeyTaken: it is another order.
    """
    if job.key is None:
        return None
    known = db.scalar(select(Job).where(Job.client == job.client, Job.key == job.key))
    if known is None:
        return None
    if known.order_sha256 != job.order_sha256:
        message = f"key {job.key!r} belongs to job {known.id}, which is another order; use another key"
        raise KeyTaken(message)
    return known.id
