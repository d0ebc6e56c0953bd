"""The master of a job: laid out, checked and summed once, then shared by all its copies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.catalogue import load_manifest
from jobs.errors import DiscFull, SourceChanged
from jobs.manifest import Manifest
from jobs.mastering.image import Extent, ExtentMap, Source, take_checksums
from jobs.mastering.inspection import inspect
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.masters import MasterStore, StoredMaster, master_key
from jobs.mastering.medium import BLOCK, Family, MediumKind, largest, requested_medium
from jobs.mastering.programme import Programme
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

    @property
    def key(self) -> str:
        """The name of the master in the store: all that decides its bytes."""
        return master_key(self.manifest.sha256, f"{self.format} {self.options.canonical}")


def lay_out(manifest: Manifest, disc_format: DiscFormat, options: LayoutOptions) -> LaidOut:
    """Lay a manifest out: a data tree by its options, a ready-made image as it is."""
    image = _as_it_is(manifest) if disc_format is DiscFormat.IMAGE else layout(manifest, options)
    return LaidOut(manifest, disc_format, options, image)


def lay_out_for(
    media: Sequence[MediumKind | Family], manifest: Manifest, disc_format: DiscFormat, volume_id: str
) -> tuple[LaidOut, MediumKind | Family]:
    """Lay out for the first of several media that holds the image, since families differ in their padding.

    Raises:
        DiscFull: none does.
    """
    for medium in media:
        limit = largest(medium)
        if manifest.bytes > limit * BLOCK:
            continue  # not even the content alone fits
        family = medium if isinstance(medium, Family) else medium.family
        laid = lay_out(manifest, disc_format, LayoutOptions(family=family, volume_id=volume_id))
        if laid.image.blocks <= limit:
            return laid, medium
    last = media[-1]
    message = f"{manifest.bytes:,} bytes of content do not fit on a {last}: it holds {largest(last) * BLOCK:,} bytes"
    raise DiscFull(f"{message}; leave some out, or choose another medium")


def prepare_master(store: MasterStore, laid: LaidOut, progress: Progress) -> StoredMaster:
    """Find a manifest's master in the store, or have its image checked by another reader, summed and kept.

    Raises:
        SourceChanged: a source is not what was staged.
        InvalidImage: the master is not what the manifest says.
    """
    stored = store.get(laid.key)
    if stored is not None:
        return stored
    if laid.format is not DiscFormat.IMAGE:
        inspect(laid.image, laid.manifest)
    checksums = take_checksums(laid.image, lambda done: progress(done, laid.image.size))
    return store.put(laid.key, laid.image, checksums)


def prepared_master(database: Database, store: MasterStore, job: Job) -> StoredMaster:
    """Return the master of an accepted job; lay it out anew where this host's store has lost it.

    Raises:
        SourceChanged: what is laid out now is not what was ordered.
    """
    stored = store.get(job.master_key)
    if stored is None:
        with database.read() as db:
            manifest = load_manifest(db, job.manifest_id)
        stored = prepare_master(store, lay_out(manifest, job.format, layout_options(job)), lambda _done, _total: None)
    if stored.sha256 != job.image_sha256:
        raise SourceChanged(f"the content of job {job.id}", "lays out to another image")
    return stored


def layout_options(job: Job) -> LayoutOptions:
    """Return the options a job's master was laid out with."""
    medium = requested_medium(job.medium)
    family = medium if isinstance(medium, Family) else medium.family
    return LayoutOptions(family=family, volume_id=job.volume_id, udf=job.udf)


def _as_it_is(manifest: Manifest) -> ExtentMap:
    (entry,) = manifest.entries
    source = Source(entry.source, entry.size, entry.source_mtime_ns, entry.inode, entry.sha256)
    return ExtentMap(BLOCK, entry.size // BLOCK, (Extent(0, entry.size, source, place=entry.path),))
