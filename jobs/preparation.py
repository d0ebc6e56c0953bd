"""The master of a job: laid out, checked and summed once, then shared by all its copies."""

from collections.abc import Callable

from jobs.catalogue import load_manifest
from jobs.errors import SourceChanged
from jobs.laying_out import LaidOut, boot_images_of, lay_out
from jobs.manifest import Manifest
from jobs.mastering.checksums import take_checksums
from jobs.mastering.inspection import inspect
from jobs.mastering.joliet import LayoutOptions
from jobs.mastering.masters import MasterStore, StoredMaster
from jobs.mastering.medium import Family, requested_medium
from models.attempt import Attempt
from models.database import Database
from models.job import Job
from models.vocabulary import DiscFormat

#: Hears how many bytes of how many are through.
Progress = Callable[[int, int], None]


def prepare_master(store: MasterStore, laid: LaidOut, progress: Progress) -> StoredMaster:
    """Find a manifest's master in the store, or have its image checked by another reader, summed and kept.

    Raises:
        SourceChanged: a source is not what was staged.
        InvalidImage: the master is not what the manifest says.
    """
    stored = store.renew(laid.key)
    if stored is not None:
        return stored
    if laid.format is DiscFormat.JOLIET:
        inspect(laid.image, laid.manifest, boot=laid.options.boot, previous=laid.previous)
    checksums = take_checksums(laid.image, lambda done: progress(done, laid.image.size))
    return store.put(laid.key, laid.image, checksums, laid.programme)


def prepared_master(database: Database, store: MasterStore, job: Job) -> StoredMaster:
    """Return the master of an accepted job; lay it out anew where this host's store has lost it.

    Raises:
        SourceChanged: what is laid out now is not what was ordered.
    """
    stored = store.get(job.master_key)
    if stored is None:
        with database.read() as db:
            manifest = load_manifest(db, job.manifest_id)
        laid = lay_out(manifest, job.format, layout_options(job, manifest))
        stored = prepare_master(store, laid, lambda _done, _total: None)
    if stored.sha256 != job.image_sha256:
        raise SourceChanged(f"the content of job {job.id}", "lays out to another image")
    return stored


def burnt_master(database: Database, store: MasterStore, job: Job, attempt: Attempt) -> StoredMaster:
    """Return the master that an attempt was permitted to burn: the job's, or that of a session of the disc's own.

    Raises:
        SourceChanged: what is laid out now is not what was ordered, or the session's master is lost.
    """
    if attempt.master_key is None:
        return prepared_master(database, store, job)
    stored = store.get(attempt.master_key)
    if stored is None:
        raise SourceChanged(f"the session laid out for the disc of attempt {attempt.id}", "is lost")
    return stored


def layout_options(job: Job, manifest: Manifest) -> LayoutOptions:
    """Return the options a job's master was laid out with."""
    medium = requested_medium(job.medium)
    family = medium if isinstance(medium, Family) else medium.family
    boot = boot_images_of(manifest, job.format)
    return LayoutOptions(family=family, volume_id=job.volume_id, udf=job.udf, boot=boot)
