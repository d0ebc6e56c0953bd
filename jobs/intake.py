"""Content on its way into an order: looked through for all its faults, staged, laid out; a class for each kind."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jobs.errors import InvalidImage, OrderError
from jobs.manifest import Entry, Manifest
from jobs.manifest_file import read_manifest_file
from jobs.mastering.inspection import inspect_iso
from jobs.mastering.joliet import default_volume_id, name_faults
from jobs.mastering.medium import BLOCK, Family, MediumKind, largest, requested_medium
from jobs.ordering import Content, ContentKind, Options
from jobs.preparation import LaidOut, lay_out_for
from jobs.rigfile import read_rig
from jobs.roots import ContentRoots, shown
from jobs.scanning import Scan, scan, scan_image
from jobs.settings import Settings
from jobs.staging import stage
from jobs.store import ContentStore
from models.vocabulary import DiscFormat, Nonblank, StageMode

#: Hears the phase ("hashing", "decoding", "mastering") and how much of how much is through, in bytes.
Progress = Callable[[str, int, int], None]


def silent(_phase: str, _done: int, _total: int) -> None:
    """Hear progress and tell nobody."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Content that is staged and laid out. `notes` are sentences for who ordered: what is not quite as it was given."""

    laid: LaidOut
    medium: MediumKind | Family
    title: str
    notes: tuple[str, ...] = ()


class Intake(Protocol):
    """The content of one order, looked through; nothing of it is stored yet."""

    def faults(self) -> list[str]:
        """Name everything that is wrong with the content, and with the options as far as the content decides."""

    def take(self, progress: Progress) -> Taken:
        """Stage the content and lay it out.

        Raises:
            SourceChanged, Faults: it is not what was looked through any more.
            DiscFull: it does not fit the medium asked for.
            StoreError: the store can't keep it.
        """


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered, how, and where: all that an intake is given."""

    settings: Settings
    content: Content
    options: Options

    @property
    def roots(self) -> ContentRoots:
        """Where content may be read."""
        return ContentRoots(self.settings.content_roots)

    @property
    def media(self) -> list[MediumKind | Family]:
        """The media to try: the one asked for, else every family, the smallest first."""
        try:
            return [requested_medium(self.options.medium)] if self.options.medium else list(Family)
        except OrderError:
            return list(Family)  # an unknown word is a fault of its own

    @property
    def store(self) -> ContentStore | None:
        """Where content is copied to, if that is asked."""
        return ContentStore(self.settings.store) if self.options.stage is StageMode.COPY else None

    def named(self, title: str) -> str:
        """Return what the order is called: as given, as the content has it, or after the first source."""
        return self.content.title or title or self.content.paths[0].absolute().name or "disc"


def look_through(order: Order) -> Intake:
    """Look at all that an order names; what is wrong is for `faults` to say."""
    match order.content.kind:
        case ContentKind.IMAGE:
            return ImageIntake(order, scan_image(order.content.paths[0], order.roots))
        case ContentKind.MANIFEST:
            return TreeIntake(order, read_manifest_file(order.content.paths[0], order.roots))
        case _:
            return TreeIntake(order, scan(order.content.paths, order.roots))


@dataclass(frozen=True, slots=True)
class TreeIntake:
    """Files and folders, laid out as a data disc."""

    order: Order
    scanned: Scan

    def faults(self) -> list[str]:
        """Name everything that is wrong."""
        return [*self.scanned.faults, *name_faults(self.scanned.entries), *_file_faults(self.order, self.scanned)]

    def take(self, progress: Progress) -> Taken:
        """Stage the files and lay them out."""
        title = self.order.named(self.scanned.title)
        volume_id = self.order.content.volume_id or self.scanned.volume_id or default_volume_id(title)
        manifest = _staged(self.order, self.scanned, progress)
        return Taken(*lay_out_for(self.order.media, manifest, DiscFormat.JOLIET, volume_id), title)


@dataclass(frozen=True, slots=True)
class ImageIntake:
    """A ready-made ISO, burnt as it is."""

    order: Order
    scanned: Scan

    def faults(self) -> list[str]:
        """Name everything that is wrong."""
        return [*self.scanned.faults, *self._image_faults(), *_file_faults(self.order, self.scanned)]

    def _image_faults(self) -> Iterator[str]:
        if self.order.options.nonblank is Nonblank.APPEND:
            yield "a ready-made image can't be appended to a disc: it names blocks counted from the disc's start"
        if self.scanned.faults:
            return
        (entry,) = self.scanned.entries
        try:
            inspect_iso(Path(entry.source))
        except InvalidImage as error:
            yield error.message

    def take(self, progress: Progress) -> Taken:
        """Stage the image."""
        title = self.order.named("")
        manifest = _staged(self.order, self.scanned, progress)
        return Taken(*lay_out_for(self.order.media, manifest, DiscFormat.IMAGE, default_volume_id(title)), title)


def _staged(order: Order, scanned: Scan, progress: Progress) -> Manifest:
    return stage(
        scanned.entries,
        order.roots,
        store=order.store,
        progress=lambda done, total, _entries: progress("hashing", done, total),
    )


def _file_faults(order: Order, scanned: Scan) -> list[str]:
    faults = _room_faults(order.media[-1], scanned.entries)
    if order.options.stage is StageMode.REFERENCE:
        faults += _rig_faults(order.settings, scanned.entries)
    return faults


def _room_faults(medium: MediumKind | Family, entries: Iterable[Entry]) -> list[str]:
    """Refuse what can't fit whatever the layout, before hours of hashing."""
    blocks = sum(-(-entry.size // BLOCK) for entry in entries)
    if blocks <= largest(medium):
        return []
    room = f"it holds {largest(medium):,} blocks of {BLOCK} bytes"
    return [f"the content alone takes {blocks:,} blocks and does not fit on a {medium}: {room}"]


def _rig_faults(settings: Settings, entries: Iterable[Entry]) -> list[str]:
    """Refuse at once what the workers of this home's rig may not read."""
    rig = read_rig(settings.home) if settings.is_embedded else None
    if rig is None:
        return []
    roots = ContentRoots([Path(root) for root in rig.content_roots])
    outside = [entry.source for entry in entries if entry.source and not roots.contains(entry.source)]
    if not outside:
        return []
    remedy = "restart it with DISCMILL_CONTENT_ROOTS extended, or order with --stage copy"
    return [
        f"{shown(outside[0])} lies outside what the running rig may read ({', '.join(rig.content_roots)}); {remedy}"
    ]
