"""From an order to rows: scan, hash, lay out, check; then one short transaction makes the job visible."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from jobs.catalogue import store_manifest
from jobs.dispatch import Bell
from jobs.errors import Faults, InvalidImage, KeyTaken, OrderError
from jobs.manifest import Entry
from jobs.manifest_file import read_manifest_file
from jobs.mastering.inspection import inspect_iso
from jobs.mastering.joliet import default_volume_id, name_faults
from jobs.mastering.masters import MasterStore, StoredMaster
from jobs.mastering.medium import BLOCK, Family, MediumKind, largest, requested_medium
from jobs.ordering import Content, ContentKind, Options
from jobs.preparation import LaidOut, lay_out_for, prepare_master
from jobs.rigfile import read_rig
from jobs.rollup import journal
from jobs.roots import ContentRoots, shown
from jobs.scanning import Scan, scan, scan_image
from jobs.scheduling import assign, class_of
from jobs.settings import Settings
from jobs.staging import stage
from jobs.store import ContentStore
from models.base import new_id
from models.database import Database
from models.job import Copy, Job
from models.vocabulary import CopyState, DiscFormat, StageMode

log = logging.getLogger(__name__)

#: Hears the phase ("hashing", "mastering") and how many bytes of how many are through.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Mill:
    """What submitting needs: the settings, the database, the bell."""

    settings: Settings
    database: Database
    bell: Bell


@dataclass(frozen=True, slots=True)
class _Staged:
    """Content that is staged and laid out: all of an order but its rows."""

    laid: LaidOut
    master: StoredMaster
    medium: MediumKind | Family
    title: str


def silent(_phase: str, _done: int, _total: int) -> None:
    """Hear progress and tell nobody."""


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
    staged = _stage(mill.settings, content, options, progress)
    manifest_id = store_manifest(mill.database, staged.laid.manifest)
    job_id = _store_order(mill.database, _job(staged, options, manifest_id))
    assign_now(mill)
    return job_id


def assign_now(mill: Mill) -> None:
    """Assign at once what was stored; where that fails the dispatcher does it a moment later."""
    try:
        assign(mill.database, mill.bell.ring)
    except SQLAlchemyError as error:
        log.warning("what is stored waits for the dispatcher: %s", error)


def _stage(settings: Settings, content: Content, options: Options, progress: Progress) -> _Staged:
    scanned = _scan(settings, content)
    faults = [*options.faults(), *scanned.faults]
    if content.kind is ContentKind.IMAGE:
        faults += _image_faults(scanned)
    else:
        faults += name_faults(scanned.entries)
    faults += _room_faults(scanned, options)
    if options.stage is StageMode.REFERENCE:
        faults += _rig_faults(settings, scanned)
    if faults:
        subject = "the order has faults, nothing was stored"
        raise Faults(subject, faults)
    store = ContentStore(settings.store) if options.stage is StageMode.COPY else None
    manifest = stage(
        scanned.entries,
        ContentRoots(settings.content_roots),
        store=store,
        progress=lambda done, total, _entries: progress("hashing", done, total),
    )
    title, volume_id = _named(content, scanned)
    disc_format = DiscFormat.IMAGE if content.kind is ContentKind.IMAGE else DiscFormat.JOLIET
    laid, medium = lay_out_for(_media(options), manifest, disc_format, volume_id)
    masters = MasterStore(settings.store / "masters")
    master = prepare_master(masters, laid, lambda done, total: progress("mastering", done, total))
    return _Staged(laid, master, medium, title)


def _scan(settings: Settings, content: Content) -> Scan:
    roots = ContentRoots(settings.content_roots)
    match content.kind:
        case ContentKind.DATA:
            return scan(content.paths, roots)
        case ContentKind.IMAGE:
            return scan_image(content.paths[0], roots)
        case _:
            return read_manifest_file(content.paths[0], roots)


def _image_faults(scanned: Scan) -> list[str]:
    if scanned.faults:
        return []
    (entry,) = scanned.entries
    try:
        inspect_iso(Path(entry.source))
    except InvalidImage as error:
        return [error.message]
    return []


def _rig_faults(settings: Settings, scanned: Scan) -> list[str]:
    """Refuse at once what the workers of this home's rig may not read."""
    rig = read_rig(settings.home) if settings.is_embedded else None
    if rig is None:
        return []
    roots = ContentRoots([Path(root) for root in rig.content_roots])
    outside = [entry.source for entry in scanned.entries if entry.source and not roots.contains(entry.source)]
    if not outside:
        return []
    remedy = "restart it with DISCMILL_CONTENT_ROOTS extended, or order with --stage copy"
    return [
        f"{shown(outside[0])} lies outside what the running rig may read ({', '.join(rig.content_roots)}); {remedy}"
    ]


def _room_faults(scanned: Scan, options: Options) -> list[str]:
    """Refuse what can't fit whatever the layout, before hours of hashing."""
    medium = _media(options)[-1]
    blocks = _content_blocks(scanned.entries)
    if blocks <= largest(medium):
        return []
    room = f"it holds {largest(medium):,} blocks of {BLOCK} bytes"
    return [f"the content alone takes {blocks:,} blocks and does not fit on a {medium}: {room}"]


def _media(options: Options) -> list[MediumKind | Family]:
    """List the media to try: the one asked for, else every family, the smallest first."""
    try:
        return [requested_medium(options.medium)] if options.medium else list(Family)
    except OrderError:
        return list(Family)  # an unknown word is a fault of its own


def _named(content: Content, scanned: Scan) -> tuple[str, str]:
    """Return title and volume id: as given, as the manifest file has them, or after the first source."""
    title = content.title or scanned.title or content.paths[0].absolute().name or "disc"
    return title, content.volume_id or scanned.volume_id or default_volume_id(title)


def _content_blocks(entries: Iterable[Entry]) -> int:
    return sum(-(-entry.size // BLOCK) for entry in entries)


def _job(staged: _Staged, options: Options, manifest_id: int) -> Job:
    job = Job(
        id=new_id(),
        client=options.client,
        key=options.key,
        title=staged.title,
        format=staged.laid.format,
        manifest_id=manifest_id,
        stage=options.stage,
        medium=staged.medium,
        volume_id=staged.laid.options.volume_id,
        udf=staged.laid.options.udf,
        master_key=staged.laid.key,
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
    )
    job.order_sha256 = _order_digest(job)
    return job


#: What makes two orders with one key the same order: all that decides the discs and how they are made.
_ORDERED = (
    *("client", "title", "format", "stage", "medium", "volume_id", "image_sha256", "copies", "priority"),
    *("speed", "simulate", "verify", "nonblank", "max_spoiled"),
)


def _order_digest(job: Job) -> str:
    ordered = {name: getattr(job, name) for name in _ORDERED}
    return hashlib.sha256(json.dumps(ordered, sort_keys=True).encode()).hexdigest()


def _store_order(database: Database, job: Job) -> str:
    """Make job and copies visible at once, or find the job that the key belongs to."""
    try:
        with database.write() as db:
            known = _job_of_key(db, job)
            if known is not None:
                return known
            _insert(db, job)
            return job.id
    except IntegrityError:
        with database.read() as db:
            known = _job_of_key(db, job)
        if known is None:
            raise
        return known


def _insert(db: Session, job: Job) -> None:
    db.add(job)
    db.flush()
    common = {"job_id": job.id, "state": CopyState.QUEUED, "media_class": class_of(job), "priority": job.priority}
    db.execute(insert(Copy), [{**common, "number": number} for number in range(1, job.copies + 1)])
    journal(db, "submitted", job=job.id, title=job.title, copies=job.copies, client=job.client)


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
