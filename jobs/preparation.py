"""The master of a job: laid out, checked and summed once, then shared by all its copies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.booting import boot_images
from jobs.catalogue import load_manifest
from jobs.errors import DiscFull, SourceChanged
from jobs.manifest import Manifest
from jobs.mastering.image import ExtentMap, take_checksums
from jobs.mastering.image_master import as_it_is
from jobs.mastering.inspection import inspect
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.masters import MasterStore, StoredMaster, master_key
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, Family, MediumKind, largest, requested_medium
from jobs.mastering.previous_session import PreviousSession
from jobs.mastering.programme import Programme
from jobs.mastering.redbook import AUDIO_LAYOUT_VERSION, layout_audio
from models.attempt import Attempt
from models.database import Database
from models.job import Job
from models.vocabulary import DiscFormat

#: Hears how many bytes of how many are through.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A manifest, how it was laid out, and the image that came of it."""

    manifest: Manifest
    format: DiscFormat
    options: LayoutOptions
    image: ExtentMap
    programme: Programme | None = None  #: of audio: its tracks, and what the disc tells of them
    previous: PreviousSession | None = None  #: the session that it follows on a disc, if it does

    @property
    def key(self) -> str:
        """The name of the master in the store: all that decides its bytes, and what the disc tells besides."""
        how = str(AUDIO_LAYOUT_VERSION) if self.format is DiscFormat.REDBOOK else self.options.canonical
        behind = "" if self.previous is None else f" {self.previous.canonical}"
        return master_key(self.manifest.sha256, f"{self.format} {how}{behind}")


def lay_out(manifest: Manifest, disc_format: DiscFormat, options: LayoutOptions) -> LaidOut:
    """Lay a manifest out: a data tree by its options, tracks by their programme, a ready-made image as it is."""
    match disc_format:
        case DiscFormat.IMAGE:
            return LaidOut(manifest, disc_format, options, as_it_is(manifest))
        case DiscFormat.REDBOOK:
            return LaidOut(manifest, disc_format, options, *layout_audio(manifest))
        case _:
            return LaidOut(manifest, disc_format, options, layout(manifest, options))


def lay_out_session(manifest: Manifest, options: LayoutOptions, previous: PreviousSession) -> LaidOut:
    """Lay a data tree out as the session that follows another one, whose files it shows as well."""
    image = layout(manifest, options, previous=previous)
    return LaidOut(manifest, DiscFormat.JOLIET, options, image, previous=previous)


def lay_out_for(
    media: Sequence[MediumKind | Family], manifest: Manifest, disc_format: DiscFormat, volume_id: str
) -> tuple[LaidOut, MediumKind | Family]:
    """Lay out for the first of several media that holds the image, since families differ in their padding.

    Raises:
        DiscFull: none does.
    """
    block_size = AUDIO_BLOCK if disc_format is DiscFormat.REDBOOK else BLOCK
    for medium in media:
        limit = largest(medium)
        if manifest.bytes > limit * block_size:
            continue  # not even the content alone fits
        family = medium if isinstance(medium, Family) else medium.family
        boot = boot_images(manifest) if disc_format is DiscFormat.JOLIET else ()
        laid = lay_out(manifest, disc_format, LayoutOptions(family=family, volume_id=volume_id, boot=boot))
        if laid.image.blocks <= limit:
            return laid, medium
    raise DiscFull(_too_much(manifest.bytes, media[-1], disc_format))


def _too_much(size: int, medium: MediumKind | Family, disc_format: DiscFormat) -> str:
    room = largest(medium)
    if disc_format is DiscFormat.REDBOOK:
        lengths = f"{_minutes(-(-size // AUDIO_BLOCK))} of sound do not fit on a {medium}: it holds {_minutes(room)}"
        return f"{lengths}; leave some out"
    sizes = f"{size:,} bytes of content do not fit on a {medium}: it holds {room * BLOCK:,} bytes"
    return f"{sizes}; leave some out, or choose another medium"


def _minutes(blocks: int) -> str:
    """Write a length as audio people do: minutes, seconds, and blocks of 1/75 second."""
    return f"{blocks // 4500}:{blocks // 75 % 60:02d}.{blocks % 75:02d}"


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
    boot = boot_images(manifest) if job.format is DiscFormat.JOLIET else ()
    return LayoutOptions(family=family, volume_id=job.volume_id, udf=job.udf, boot=boot)
