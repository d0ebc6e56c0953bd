"""Reads a manifest file, the JSON in which a program says what goes where on a disc; see docs/manifest.md."""

import json
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobs.ordering import Boot
from jobs.reading import read_small
from jobs.roots import ContentRoots, shown
from jobs.scanning import EARLIEST_NS, LATEST_NS, Collector, Scan, is_text

#: Bytes of a manifest file; some hundred thousand entries.
MAX_SIZE = 64 << 20
#: Bytes of a place on the disc: UDF's limit of a path (UDF 2.60, chapter 2), the widest of all formats.
MAX_PLACE = 1023

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def read_manifest_file(path: Path, roots: ContentRoots) -> Scan:
    """Read a manifest file and look at all it names; relative sources are relative to the file's folder."""
    collector = Collector(roots)
    try:
        head = Fields(load_document(path), ("version", "format", "title", "volume_id", "entries", "boot"))
    except (OSError, ValueError, RecursionError) as error:
        return Scan((), (f"{shown(path)} is no manifest file: {explain(error)}",))
    title, volume_id = head.text("title"), head.text("volume_id")
    boot: tuple[Boot, ...] = ()
    if head.is_version(1) and head.is_format("joliet"):
        reading = _Reading(collector, path.absolute().parent)
        reading.read(head.items("entries"))
        boot = tuple(head.boot(number, value) for number, value in enumerate(head.items("boot", optional=True)))
    collector.faults[:0] = head.faults
    return collector.result(title, volume_id, boot)


def load_document(path: Path) -> object:
    """Load a JSON file; its objects remember which keys they have more than once.

    Raises:
        OSError, ValueError, RecursionError: it can't be read, is too large or is no JSON.
    """
    document: object = json.loads(read_small(path, MAX_SIZE, "make several orders of it"), object_pairs_hook=_object)
    return document


def explain(error: OSError | ValueError | RecursionError) -> str:
    """Say what is wrong with a file that `load_document` does not take."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, OSError):
        return f"it can't be read ({error.strerror})"
    return str(error)


class _Ambiguous(dict[str, object]):
    """A JSON object that has a key more than once."""

    repeated: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    ambiguous = _Ambiguous(value)
    ambiguous.repeated = tuple(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
    return ambiguous


class Fields:
    """The keys of a JSON object, asked for one by one; what is wrong with them gathers in `faults`."""

    def __init__(self, value: object, known: Collection[str]) -> None:
        self.faults: list[str] = []
        self._values: dict[str, object] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.faults.append("must be a JSON object")
        if isinstance(value, _Ambiguous):
            self.faults += [f"{key!r} is there more than once" for key in value.repeated]
        unknown = [key for key in self._values if key not in known]
        self.faults += [f"{key!r} is unknown; there are {', '.join(known)}" for key in unknown]

    def text(self, key: str) -> str:
        """Return a text that may be left out, but not empty."""
        value = self._values.get(key, "")
        if not isinstance(value, str) or (not value and key in self._values):
            self.faults.append(f"{key!r} must be a text that is not empty")
        elif not is_text(value):
            self.faults.append(f"{key!r} has characters that can't be stored (NUL, or half of a surrogate pair)")
        else:
            return value
        return ""

    def flag(self, key: str) -> bool:
        """Return true or false; false if it is left out."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            self.faults.append(f"{key!r} must be true or false")
        return value is True

    def items(self, key: str, *, optional: bool = False) -> list[object]:
        """Return a list, which must be there unless it is optional."""
        value = self._values.get(key, [] if optional else None)
        if not isinstance(value, list):
            self.faults.append(f"{key!r} must be a list")
            return []
        return value

    def is_version(self, version: int) -> bool:
        """Say whether the document is of this version; all the rest may mean something else in another one."""
        value = self._values.get("version")
        right = type(value) is int and value == version
        if not right:
            self.faults.append(f"'version' must be {version}")
        return right

    def is_format(self, word: str) -> bool:
        """Say whether the document is of this format, as it is if it names none."""
        right = self._values.get("format", word) == word
        if not right:
            self.faults.append(f"'format' must be {word!r}")
        return right

    def place(self, key: str) -> str:
        """Return a place on the disc, which must be there."""
        value = self.text(key)
        if value:
            self.faults += [f"{key!r} {fault}" for fault in _place_faults(value)]
        elif key not in self._values:
            self.faults.append(f"{key!r} is missing")
        return value

    def boot(self, number: int, value: object) -> Boot:
        """Read one of the boot images; its faults are noted here."""
        fields = Fields(value, ("path", "platform", "emulation", "manufacturer"))
        texts = {key: text for key in ("platform", "emulation", "manufacturer") if (text := fields.text(key))}
        boot = Boot(fields.place("path"), **texts)
        self.faults += [f"boot[{number}]: {fault}" for fault in fields.faults]
        return boot

    def sha256(self, key: str) -> str:
        """Return a SHA-256 in small letters, or nothing."""
        value = self.text(key).lower()
        if value and not _SHA256.fullmatch(value):
            self.faults.append(f"{key!r} must be 64 hexadecimal digits")
        return value

    def time(self, key: str) -> int | None:
        """Return a time in nanoseconds since 1970, or nothing."""
        value = self.text(key)
        time = _nanoseconds(value)
        if value and time is None:
            self.faults.append(f"{key!r} must be a time as in RFC 3339, such as 2024-05-17T09:30:00Z")
        elif time is not None and not EARLIEST_NS <= time <= LATEST_NS:
            self.faults.append(f"{key!r} must be in the years 1900 to 2155")
        return time


def _place_faults(place: str) -> list[str]:
    parts = place.split("/")
    if len(place.encode()) > MAX_PLACE:
        return [f"is longer than {MAX_PLACE} bytes"]
    if "\\" in place:
        return ["has a backslash; part folders with /"]
    if place.startswith("/"):
        return ["is absolute; places on a disc begin without /"]
    if not all(parts):
        return ["has an empty part"]
    return [f"has the part {part!r}" for part in (".", "..") if part in parts]


def _nanoseconds(text: str) -> int | None:
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    day, time, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{zone.upper()}")
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(seconds=1) * 10**9 + int((fraction or "").ljust(9, "0"))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One entry of the file."""

    place: str
    source: str
    sha256: str
    mtime_ns: int | None
    folder: bool

    @property
    def fault(self) -> str:
        """What is wrong with the keys together."""
        if not self.source and not self.folder:
            return "needs a 'source', or 'folder': true"
        if self.source and self.folder:
            return "has a 'source' and 'folder': true; a source that is a folder needs no such word"
        return "is a folder, which has no 'sha256'" if self.folder and self.sha256 else ""


class _Reading:
    """Goes through the entries of one file and gathers what they name."""

    def __init__(self, collector: Collector, folder: Path) -> None:
        self._collector = collector
        self._folder = folder
        self._places: dict[str, int] = {}

    def read(self, entries: list[object]) -> None:
        """Gather all entries; each fault names its entry."""
        for number, value in enumerate(entries):
            if self._collector.is_full:
                return
            known = len(self._collector.faults)
            place = self._read_entry(number, value)
            faults = self._collector.faults[known:]
            label = f"entries[{number}] ({shown(place)})" if place else f"entries[{number}]"
            self._collector.faults[known:] = [f"{label}: {fault}" for fault in faults]

    def _read_entry(self, number: int, value: object) -> str:
        fields = Fields(value, ("path", "source", "sha256", "mtime", "folder"))
        wanted = _Wanted(
            place=fields.place("path"),
            source=fields.text("source"),
            sha256=fields.sha256("sha256"),
            mtime_ns=fields.time("mtime"),
            folder=fields.flag("folder"),
        )
        first = self._places.setdefault(wanted.place, number) if wanted.place else number
        if first != number:
            fields.faults.append(f"has the place of entries[{first}]")
        if not fields.faults and wanted.fault:
            fields.faults.append(wanted.fault)
        self._collector.faults += fields.faults
        if not fields.faults:
            self._collect(wanted)
        return wanted.place

    def _collect(self, wanted: _Wanted) -> None:
        if wanted.folder:
            self._collector.add_folder(wanted.place)
        else:
            self._collector.add(self._folder / wanted.source, wanted.place)
        self._collector.amend(wanted.place, mtime_ns=wanted.mtime_ns, sha256=wanted.sha256)
