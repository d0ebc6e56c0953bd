"""Looks through the sources of an order: what goes where on the disc, and all that is wrong with it."""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jobs.errors import OrderError
from jobs.manifest import Entry
from jobs.mastering.opening import is_for_all, look_at, open_unlinked
from jobs.roots import ContentRoots, shown

if TYPE_CHECKING:
    from jobs.ordering import Boot

#: Entries of one disc. Links between folders can make a small tree endless in practice; this ends it.
MAX_ENTRIES = 1_000_000
#: Times a disc can hold, in nanoseconds: ISO 9660 keeps the year in a byte, from 1900 on (ECMA-119, 9.1.5).
EARLIEST_NS = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()) * 10**9
LATEST_NS = int(datetime(2156, 1, 1, tzinfo=UTC).timestamp()) * 10**9 - 1

_KINDS = {
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a fifo",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(frozen=True, slots=True)
class Scan:
    """What the sources of an order hold, sorted by place, not hashed yet; and every fault found.

    A file's `sha256` is empty, or what a manifest file demands. `title`, `volume_id` and `boot` come from one, too.
    """

    entries: tuple[Entry, ...]
    faults: tuple[str, ...]
    title: str = ""
    volume_id: str = ""
    boot: "tuple[Boot, ...]" = ()


def scan(paths: Sequence[Path], roots: ContentRoots) -> Scan:
    """Look through files and folders, merged into the root of the disc in the order given.

    As with IMAPI's AddData, a folder gives its content and not itself; a file lands in the root by its name.
    """
    collector = Collector(roots)
    for path in paths:
        collector.add(path)
    return collector.result()


def scan_image(path: Path, roots: ContentRoots) -> Scan:
    """Look at one file that is an image already."""
    return scan_file(path, roots, "an image")


def scan_file(path: Path, roots: ContentRoots, what: str) -> Scan:
    """Look at one file; `what` is what it should be, for who names a folder."""
    collector = Collector(roots)
    collector.add_file(path, what)
    return collector.result()


class _Found(NamedTuple):
    """What the walk came to: its real path, its place on the disc, the real folders the walk came through."""

    real: str
    place: str
    above: tuple[str, ...] = ()

    @property
    def inside(self) -> "_Found":
        """What the paths of its children begin with, and what these came through."""
        return _Found(self.real.rstrip("/") + "/", self.place and f"{self.place}/", (*self.above, self.real))


class Collector:
    """Gathers entries, one for each place on the disc, and faults."""

    def __init__(self, roots: ContentRoots) -> None:
        self.faults: list[str] = []
        self._roots = roots
        self._entries: dict[str, Entry] = {}
        self._origins: dict[str, str] = {}  # of folders, for reports
        self._undated: set[str] = set()
        self._full = False

    def add(self, path: Path, place: str = "") -> None:
        """Add a source: a folder's content below `place`, a file at it; in the root if there is none."""
        if place and not self._add_parents(place):
            return
        source = self._find(path)
        if source is not None:
            real, found = source
            self._walk(self._take(_Found(real, place or ("" if stat.S_ISDIR(found.st_mode) else path.name)), found))

    def add_file(self, path: Path, what: str) -> None:
        """Add a file to the root, and refuse a folder."""
        source = self._find(path)
        if source is None:
            return
        if stat.S_ISDIR(source[1].st_mode):
            self.faults.append(f"{shown(path)} is a folder; {what} is one file")
        else:
            self._take(_Found(source[0], path.name), source[1])

    def add_folder(self, place: str) -> None:
        """Add a folder that no source stands for."""
        if self._add_parents(place):
            self._add_undated(place, "a folder of that name")

    def amend(self, place: str, *, mtime_ns: int | None = None, sha256: str = "") -> None:
        """Give an entry another time on the disc, or the digest its content must have."""
        entry = self._entries.get(place)
        if entry is None or (mtime_ns is None and not sha256):
            return  # there is none where a fault is noted
        if mtime_ns is not None:
            self._undated.discard(place)
            entry = replace(entry, mtime_ns=mtime_ns)
        if sha256 and entry.folder:
            self.faults.append("only a file can have a sha256, and its source is a folder")
        self._entries[place] = entry if entry.folder else replace(entry, sha256=sha256)

    def result(self, title: str = "", volume_id: str = "", boot: "tuple[Boot, ...]" = ()) -> Scan:
        """Return what was gathered; nothing at all is a fault as well."""
        if not self._entries and not self.faults:
            self.faults.append("there is nothing to burn: no file and no folder in the sources")
        # The clock would make every layout another one; so a folder that nothing dates is as new as the disc.
        dated = (entry.mtime_ns for place, entry in self._entries.items() if place not in self._undated)
        newest = max(dated, default=0)
        for place in self._undated:
            self._entries[place] = replace(self._entries[place], mtime_ns=newest)
        ordered = sorted(self._entries.values(), key=lambda entry: entry.path)
        return Scan(tuple(ordered), tuple(self.faults), title, volume_id, boot)

    @property
    def is_full(self) -> bool:
        """True if there are more entries than a disc may have; that is a fault, noted once."""
        full = len(self._entries) > MAX_ENTRIES
        if full and not self._full:
            self.faults.append(f"there are more than {MAX_ENTRIES:,} files and folders; make several orders of it")
        self._full = full
        return full

    def _find(self, path: str | Path) -> tuple[str, os.stat_result] | None:
        """Follow a path to its real place, and look at what is there."""
        try:
            real = str(self._roots.resolve(Path(path)))
            return real, look_at(real)
        except OrderError as fault:
            self.faults.append(fault.message)
        except OSError as error:
            self.faults.append(f"{shown(path)} can't be read ({error.strerror})")
        return None

    def _see(self, real: str, child: os.DirEntry[str]) -> tuple[str, os.stat_result] | None:
        """Look at a child of an open folder, which is its own real place."""
        try:
            return real, child.stat(follow_symlinks=False)
        except OSError as error:
            self.faults.append(f"{shown(real)} can't be read ({error.strerror})")
        return None

    def _walk(self, top: _Found | None) -> None:
        pending = [top] if top else []
        while pending and not self.is_full:
            pending.extend(reversed(self._list(pending.pop())))

    def _list(self, folder: _Found) -> list[_Found]:
        """List a folder through one handle: what is swapped for a link meanwhile is not looked into."""
        try:
            handle = open_unlinked(folder.real, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            self.faults.append(f"{shown(folder.real)} can't be read ({error.strerror})")
            return []
        try:
            with os.scandir(handle) as found:
                children = sorted(found, key=lambda child: child.name)
            inside = folder.inside
            inner = [self._child(inside, child) for child in children]
        finally:
            os.close(handle)
        return [each for each in inner if each is not None]

    def _child(self, inside: _Found, child: os.DirEntry[str]) -> _Found | None:
        real = inside.real + child.name
        source = self._find(real) if child.is_symlink() else self._see(real, child)
        if source is None:
            return None
        return self._take(_Found(source[0], inside.place + child.name, inside.above), source[1])

    def _take(self, source: _Found, found: os.stat_result) -> _Found | None:
        """Take a file, or a folder that is to be walked then; or note what forbids it."""
        is_folder = stat.S_ISDIR(found.st_mode)
        fault = _fault(source, found)
        if fault:
            self.faults.append(fault)
        elif not is_folder:
            self._add_file(source, found)
        elif not source.place or self._add_dated(source, found):
            return source
        return None

    def _add_file(self, source: _Found, found: os.stat_result) -> None:
        time = found.st_mtime_ns
        entry = Entry(source.place, found.st_size, time, source=source.real, inode=found.st_ino, source_mtime_ns=time)
        other = self._entries.setdefault(source.place, entry)
        if other.folder or other.source != source.real:
            self._clash(source.place, source.real)

    def _add_dated(self, source: _Found, found: os.stat_result) -> bool:
        """Add a folder, or merge it with one there is; the first that has a time gives it."""
        place = source.place
        other = self._entries.get(place)
        if other is not None and not other.folder:
            self._clash(place, source.real)
            return False
        if other is None or place in self._undated:
            self._entries[place] = Entry(place, 0, found.st_mtime_ns, folder=True)
            self._origins[place] = source.real
            self._undated.discard(place)
        return True

    def _add_parents(self, place: str) -> bool:
        parts = place.split("/")
        parents = ["/".join(parts[:count]) for count in range(1, len(parts))]
        return all(self._add_undated(parent, f"the folder that holds {shown(place)}") for parent in parents)

    def _add_undated(self, place: str, origin: str) -> bool:
        other = self._entries.get(place)
        if other is None:
            self._entries[place] = Entry(place, 0, 0, folder=True)
            self._origins[place] = origin
            self._undated.add(place)
        elif not other.folder:
            self._clash(place, origin)
            return False
        return True

    def _clash(self, place: str, second: str) -> None:
        first = self._entries[place].source or self._origins[place]
        self.faults.append(
            f"two things want the place {shown(place)}: {shown(first)} and {shown(second)}; rename or leave out one"
        )


def _fault(source: _Found, found: os.stat_result) -> str:
    is_folder = stat.S_ISDIR(found.st_mode)
    if not is_folder and not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "special")
        return f"{shown(source.real)} is {kind}; only files and folders go on a disc"
    if not is_text(source.real) or not is_text(source.place):
        return f"{shown(source.real)} has a name that is not UTF-8; rename it"
    if not EARLIEST_NS <= found.st_mtime_ns <= LATEST_NS:
        return f"{shown(source.real)} has a time outside the years 1900 to 2155; give it another (touch)"
    if is_folder and source.real in source.above:
        return f"the link {shown(source.place)} leads back to {shown(source.real)}, which holds it; remove that link"
    # Asked now, not found out after an hour of hashing; a folder tells when it is listed.
    if not is_folder and not _is_readable(source.real, found):
        return f"{shown(source.real)} can't be read (permission denied)"
    return ""


def _is_readable(real: str, found: os.stat_result) -> bool:
    return is_for_all(found) or os.access(real, os.R_OK, effective_ids=True)


def is_text(value: str) -> bool:
    """Say whether a text can be stored: UTF-8, without NUL."""
    if value.isascii():
        return "\0" not in value
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False
