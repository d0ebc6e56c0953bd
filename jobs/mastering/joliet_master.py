"""Staging a data disc tree by tree (IMAPI IJolietDiscMaster), with boot images and roll-back points as v2 has them.

Append-only: what was staged can be replaced, but its bytes stay in the image; only clearing, or going back to a
point that was kept, takes anything away.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jobs.errors import (
    AlreadyStaged,
    BadName,
    BadProperty,
    BurnCancelled,
    DiscError,
    DiscFull,
    Faults,
    NotFound,
    PropertiesIgnored,
)
from jobs.manifest import Entry, Manifest
from jobs.mastering.boot import BootImage, Emulation, Platform, boot_faults, partition_type_of
from jobs.mastering.content import Content, check_room
from jobs.mastering.image import ExtentMap
from jobs.mastering.inspection import inspect
from jobs.mastering.joliet import LayoutOptions, layout, name_faults
from jobs.mastering.masters import master_key
from jobs.mastering.medium import BLOCK
from jobs.mastering.previous_session import PreviousSession
from jobs.mastering.programme import Programme
from jobs.mastering.progress import AddProgress
from jobs.mastering.session import MasteringSession
from jobs.mastering.stash import told
from jobs.roots import ContentRoots
from jobs.scanning import Collector
from jobs.staging import stage
from models.vocabulary import DiscFormat

#: What is added: a folder's content or a file; or names, each with bytes, a file, a folder, or more names.
Tree = Path | Mapping[str, Any]
#: Whoever uses the library reads what its own rights allow; orders have roots of their own.
_ANYWHERE = ContentRoots([Path("/")])


@dataclass(frozen=True, slots=True)
class ChangePoint:
    """Everything staged at one moment (IMAPI v2 ChangePoint): entries by place, and files that were replaced."""

    entries: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))
    superseded: tuple[Entry, ...] = ()


class JolietDiscMaster(Content):
    """The staged tree of a data disc: ISO 9660 with Joliet and Rock Ridge."""

    format = DiscFormat.JOLIET
    block_size = BLOCK

    def __init__(
        self, session: MasteringSession, today: Callable[[], date] = lambda: datetime.now(tz=UTC).date()
    ) -> None:
        super().__init__(session)
        self._today = today
        self._taken = 0
        self._previous: PreviousSession | None = None
        self._obstacle: DiscError | None = None
        self._start_over()

    def _start_over(self) -> None:
        self._staged = ChangePoint()
        self._points: list[ChangePoint] = []
        self._measured: tuple[ChangePoint, int] | None = None
        self._boot: tuple[BootImage, ...] = ()
        self._properties = _defaults(self._today())

    @property
    def previous(self) -> PreviousSession | None:
        """The sessions that are on the disc already, and that this image continues; None: it is the first one."""
        return self._previous

    @property
    def obstacle(self) -> DiscError | None:
        """Why the image can't continue the sessions that the selected disc holds; None if it does, or has none."""
        return self._obstacle

    @property
    def start(self) -> int:
        """The block of the disc at which the image begins."""
        return 0 if self._previous is None else self._previous.start

    def follow(self, previous: PreviousSession | None, obstacle: DiscError | None = None) -> None:
        """Continue a disc's sessions, or begin a disc: because it is blank, or because of an obstacle.

        Raises:
            DiscFull: what is staged does not fit behind them.
        """
        before, self._previous, self._measured = self._previous, previous, None
        self._obstacle = obstacle
        try:
            if self._has_staged():
                check_room(self._measure(), self._session)
        except DiscFull:
            self._previous, self._measured = before, None
            raise

    def add_data(self, tree: Tree, *, overwrite: bool = False) -> None:
        """Merge a tree into the root of the disc (AddData); all of it or nothing.

        A folder gives its content, a file itself; folders of one name merge. With `overwrite` a file takes the place
        of one staged before, whose bytes stay in the image. Files are hashed now, and guarded from now on.

        Raises:
            AlreadyStaged: a place is taken, by a file and without `overwrite`, or by another kind of thing.
            BadName: a name or path that no tree of the disc can hold; the message names all of them.
            DiscFull: it does not fit.
            Faults: sources that can't be read, or changed meanwhile.
            BurnCancelled: a listener asked for it.
        """
        self._session.check_active(self)
        self._session.check_medium()
        if self._adopted is not None:
            raise AlreadyStaged("a whole master is staged; clear it first")
        added = self._gather(tree)
        merged = _merge(self._staged, added, overwrite=overwrite)
        check_room(self._measure_if_close(merged), self._session)
        fresh = {entry.path: entry for entry in stage(added, _ANYWHERE, progress=_Told(self._session, added)).entries}
        self._staged = replace(merged, entries=MappingProxyType({**merged.entries, **fresh}))

    def _gather(self, tree: Tree) -> Sequence[Entry]:
        collector = Collector(_ANYWHERE)
        self._collect(collector, tree, "")
        scanned = collector.result()
        bad = name_faults(scanned.entries)
        if bad:
            raise BadName("; ".join(bad))
        if scanned.faults:
            raise Faults("the tree can't be added", scanned.faults)
        return scanned.entries

    def _collect(self, collector: Collector, tree: bytes | Tree, place: str) -> None:
        if isinstance(tree, bytes):
            collector.add(self._keep(tree), place)
        elif isinstance(tree, Path):
            collector.add(tree, place)
        else:
            if place:
                collector.add_folder(place)
            for name, inner in tree.items():
                if not name or "/" in name:
                    raise BadName(f"{name!r} can't be a name on a disc: it is empty, or has a / in it")
                self._collect(collector, inner, f"{place}/{name}" if place else name)

    def _keep(self, content: bytes) -> Path:
        """Put bytes that are no file yet into the stash."""
        self._session.stash.reserve(len(content))
        self._taken += 1
        path = self._session.place(f"data/{self._taken}")
        with told(str(path)):
            path.write_bytes(content)
        return path

    def change_point(self) -> ChangePoint:
        """Keep what is staged now, to be gone back to (v2 ChangePoint)."""
        self._session.check_active(self)
        self._points.append(self._staged)
        return self._staged

    def roll_back(self, point: ChangePoint) -> None:
        """Go back to a point that was kept (v2 RollbackToChangePoint); later ones are forgotten.

        Raises:
            NotFound: it is not kept, or not any more.
        """
        self._session.check_active(self)
        known = next((index for index, kept in enumerate(self._points) if kept is point), None)
        if known is None:
            raise NotFound("nothing can be rolled back to that point: it was locked in, left behind, or never kept")
        del self._points[known + 1 :]
        self._staged = point

    def lock_in(self) -> None:
        """Forget all points: what is staged stays (v2 LockInChangePoint)."""
        self._session.check_active(self)
        self._points.clear()

    def properties(self) -> dict[str, object]:
        """Return all properties by IMAPI's names (GetJolietProperties)."""
        self._session.check_active(self)
        return dict(self._properties)

    def set_properties(self, values: Mapping[str, object]) -> None:
        """Set some properties (SetJolietProperties). Those that nobody knows are skipped, with a warning.

        `VolumeName`; and of one boot image: `PlaceBootImageOnDisc`, `BootImage` (bytes or a path),
        `BootImageManufacturerIDString` (24 bytes), `BootImagePlatform` (0 x86, 1 PowerPC, 2 Mac, 0xEF EFI),
        `BootImageEmulationType` (0 none, 1 to 3 floppy of 1.2, 1.44, 2.88 MB, 4 hard disk).

        Raises:
            BadProperty: a value that can't be; nothing is set.
        """
        self._session.check_active(self)
        known = {name: value for name, value in values.items() if name in self._properties}
        wanted = {**self._properties, **known}
        for name, value in known.items():
            if not isinstance(value, _KINDS[name]):
                raise BadProperty(f"{name} can't be {value!r}")
        boot = self._boot_of(wanted) if known.keys() & _BOOT else self._boot
        self._properties, self._boot, self._measured = wanted, boot, None
        ignored = sorted(values.keys() - known.keys())
        if ignored:
            warnings.warn(PropertiesIgnored(f"skipped: {', '.join(ignored)}"), stacklevel=2)

    def add_boot_image(
        self, content: bytes | Path, platform: Platform, emulation: Emulation = Emulation.NONE, manufacturer: str = ""
    ) -> None:
        """Add one of several boot images (v2 IBootOptions): the first is the one that firmware takes by default.

        Raises:
            BadProperty: it can't be one.
        """
        self._session.check_active(self)
        image = self._boot_image(content, platform, emulation, manufacturer)
        self._boot, self._measured = self._checked((*self._boot, image)), None

    def _boot_of(self, wanted: Mapping[str, object]) -> tuple[BootImage, ...]:
        content = wanted["BootImage"]
        if not wanted["PlaceBootImageOnDisc"] or not isinstance(content, bytes | Path):
            return ()
        try:
            platform = Platform(int(str(wanted["BootImagePlatform"])))
            emulation = Emulation(int(str(wanted["BootImageEmulationType"])))
        except ValueError as error:
            raise BadProperty(f"{error} for a boot image") from error
        manufacturer = str(wanted["BootImageManufacturerIDString"])
        return self._checked((self._boot_image(content, platform, emulation, manufacturer),))

    def _boot_image(
        self, content: bytes | Path, platform: Platform, emulation: Emulation, manufacturer: str
    ) -> BootImage:
        entry = self._file(content)
        partition = partition_type_of(entry) if emulation is Emulation.HARD_DISK else 0
        return BootImage(entry, platform, emulation, manufacturer, partition)

    def _checked(self, images: tuple[BootImage, ...]) -> tuple[BootImage, ...]:
        faults = boot_faults(images, self._entries)
        if faults:
            raise BadProperty("; ".join(faults))
        return images

    def _file(self, content: bytes | Path) -> Entry:
        """Hash what is no entry of the tree: a boot image is hidden on the disc."""
        collector = Collector(_ANYWHERE)
        collector.add(content if isinstance(content, Path) else self._keep(content), "boot")
        scanned = collector.result()
        if scanned.faults:
            raise Faults("the boot image can't be used", scanned.faults)
        (entry,) = stage(scanned.entries, _ANYWHERE).entries
        return replace(entry, path="")

    @property
    def _entries(self) -> tuple[Entry, ...]:
        return tuple(self._staged.entries.values())

    def check_complete(self) -> None:
        """Let it be burnt: trees are complete at any time."""

    def _has_staged(self) -> bool:
        return bool(self._staged.entries)

    def _measure(self) -> int:
        if self._measured is None or self._measured[0] is not self._staged:
            self._measured = self._staged, self._layout(self._staged).blocks
        return self._measured[1]

    def _measure_if_close(self, point: ChangePoint) -> int:
        """Return at least the blocks that a layout needs, exactly where it is not certain that they fit."""
        entries = point.entries.values()
        content = sum(-(-entry.size // BLOCK) for entry in (*entries, *point.superseded))
        records = sum(4 * (len(entry.path) + 100) for entry in entries) // BLOCK
        folders = sum(entry.folder for entry in entries)
        generous = content + 2 * records + 4 * (folders + 1) + 1000
        return content if generous <= self._session.room else self._layout(point).blocks

    @property
    def _options(self) -> LayoutOptions:
        medium = self._session.medium
        assert medium is not None  # noqa: S101  (nothing is staged before one is selected)
        udf = False if self._previous is not None else None
        return LayoutOptions(medium.kind.family, str(self._properties["VolumeName"]), udf, self._boot)

    def _layout(self, point: ChangePoint) -> ExtentMap:
        manifest = Manifest.of(point.entries.values())
        return layout(manifest, self._options, superseded=point.superseded, previous=self._previous)

    def _lay_out(self) -> tuple[str, ExtentMap, Programme | None]:
        point, previous = self._staged, self._previous
        manifest, image = Manifest.of(point.entries.values()), self._layout(point)
        inspect(image, manifest, superseded=point.superseded, boot=self._boot, previous=previous)
        replaced = "".join(entry.canonical for entry in point.superseded)
        before = previous.canonical if previous is not None else ""
        key = master_key(manifest.sha256, f"{DiscFormat.JOLIET} {self._options.canonical} {replaced} {before}")
        return key, image, None

    def _drop(self) -> None:
        self._previous = self._obstacle = None
        self._start_over()


class _Told:
    """Tells listeners how far adding is, in steps of bytes and files, and ends it when one asks for that."""

    def __init__(self, session: MasteringSession, added: Sequence[Entry]) -> None:
        self._audience = session.audience
        self._folders = sum(entry.folder for entry in added)
        self._files = len(added) - self._folders

    def __call__(self, done: int, total: int, entries: int) -> None:
        if self._audience.query_cancel():
            raise BurnCancelled("adding was called off; nothing was added")
        self._audience.notify(AddProgress(done + entries - self._folders, total + self._files))


def _merge(point: ChangePoint, added: Sequence[Entry], *, overwrite: bool) -> ChangePoint:
    merged, superseded = dict(point.entries), list(point.superseded)
    for entry in added:
        other = merged.get(entry.path)
        if other is None:
            merged[entry.path] = entry
        elif other.folder is not entry.folder or not (other.folder or overwrite):
            kind = "folder" if other.folder else "file"
            raise AlreadyStaged(f"{entry.path} is staged already, a {kind}; clear what is staged, or overwrite")
        elif not other.folder:
            merged[entry.path] = entry
            superseded.append(other)
    return ChangePoint(MappingProxyType(merged), tuple(superseded))


def _defaults(today: date) -> dict[str, object]:
    return {
        "VolumeName": f"{today:%Y_%m_%d}",
        "PlaceBootImageOnDisc": False,
        "BootImage": None,
        "BootImageManufacturerIDString": "",
        "BootImagePlatform": Platform.X86,
        "BootImageEmulationType": Emulation.NONE,
    }


_BOOT = {name for name in _defaults(date.min) if name.startswith(("Place", "Boot"))}
_KINDS: dict[str, type | tuple[type, ...]] = {
    "VolumeName": str,
    "PlaceBootImageOnDisc": bool,
    "BootImage": (bytes, Path, type(None)),
    "BootImageManufacturerIDString": str,
    "BootImagePlatform": int,
    "BootImageEmulationType": int,
}
