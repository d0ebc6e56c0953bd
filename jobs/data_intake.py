"""Data on its way into an order: files and folders, laid out as a disc, or a ready-made image."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.booting import Booting
from jobs.errors import InvalidImage
from jobs.intake import Order, Progress, Taken
from jobs.laying_out import lay_out_for
from jobs.manifest import Entry, Manifest
from jobs.mastering.inspection import inspect_iso
from jobs.mastering.joliet import default_volume_id, name_faults
from jobs.mastering.medium import BLOCK, Family, MediumKind, largest
from jobs.rigfile import read_rig
from jobs.roots import ContentRoots, shown
from jobs.scanning import Scan
from jobs.settings import Settings
from jobs.staging import stage
from models.vocabulary import DiscFormat, Nonblank, StageMode


@dataclass(frozen=True, slots=True)
class TreeIntake:
    """Files and folders, laid out as a data disc."""

    order: Order
    scanned: Scan

    def faults(self) -> list[str]:
        """Name everything that is wrong."""
        return [
            *self.scanned.faults,
            *name_faults(self.scanned.entries),
            *_file_faults(self.order, self.scanned),
            *self._boot_faults(),
        ]

    def _boot_faults(self) -> Iterator[str]:
        if self._booting.boots and self.order.options.nonblank is Nonblank.APPEND:
            yield "boot images need a disc of their own: firmware reads the first session only; order --nonblank reject"
        if not self.scanned.faults:
            yield from self._booting.faults()

    @property
    def _booting(self) -> Booting:
        return Booting((*self.order.content.boot, *self.scanned.boot), self.scanned.entries)

    def take(self, progress: Progress) -> Taken:
        """Stage the files and lay them out."""
        title = self.order.named(self.scanned.title)
        volume_id = self.order.content.volume_id or self.scanned.volume_id or default_volume_id(title)
        staged = _staged(self.order, self.scanned, progress)
        manifest = Manifest.of(staged.entries, self._booting.head())
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
