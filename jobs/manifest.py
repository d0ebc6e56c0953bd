"""What goes on a disc: entries, and the canonical form whose digest names them."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder of a manifest.

    `path` is the place on the disc, its parts joined by "/"; `mtime_ns` is the time it bears there.
    `source`, `inode`, `sha256` and `source_mtime_ns` are set for files only; `size` is in bytes. What the
    source's own time must still be is kept apart: one stored object may be read for several entries.
    `origin` and `origin_sha256` are set where `source` was made of another file: for audio it is the decoded
    samples, and they are the file they were decoded from.
    """

    path: str
    size: int
    mtime_ns: int
    folder: bool = False
    source: str = ""
    inode: int = 0
    sha256: str = ""
    source_mtime_ns: int = 0
    origin: str = ""
    origin_sha256: str = ""

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def canonical(self) -> str:
        """The entry as canonical JSON: keys sorted, no spaces, UTF-8 kept."""
        value: dict[str, object] = {"mtime_ns": self.mtime_ns, "path": self.path}
        if self.folder:
            value["folder"] = True
        else:
            value |= {"inode": self.inode, "sha256": self.sha256, "size": self.size, "source": self.source}
            value["source_mtime_ns"] = self.source_mtime_ns
        if self.origin:
            value |= {"origin": self.origin, "origin_sha256": self.origin_sha256}
        return _CANONICAL.encode(value)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The staged content of a disc: entries sorted by path, every parent folder among them.

    `head` is what the entries alone do not say, as canonical JSON: of an audio disc the `programme` and the `places`
    of the entries' samples, in bytes from the image's start and in the order of the entries; of a data disc its
    `boot` images. Empty where there is nothing to say.
    """

    entries: tuple[Entry, ...]
    sha256: str
    bytes: int  #: sum of the files' sizes
    head: str = ""

    @classmethod
    def of(cls, entries: Iterable[Entry], head: str = "") -> "Manifest":
        """Sort the entries and name them by the digest of their canonical JSON lines, after that of the head."""
        ordered: Sequence[Entry] = sorted(entries, key=lambda entry: entry.path)
        digest = hashlib.sha256(f"{head}\n".encode() if head else b"")
        for entry in ordered:
            digest.update(entry.canonical.encode("utf-8", "surrogateescape") + b"\n")
        return cls(tuple(ordered), digest.hexdigest(), sum(entry.size for entry in ordered), head)

    @classmethod
    def unhashed(cls, entries: Iterable[Entry]) -> "Manifest":
        """Sort entries whose content nobody has hashed: such a manifest has no name, and is not stored."""
        ordered = sorted(entries, key=lambda entry: entry.path)
        return cls(tuple(ordered), "", sum(entry.size for entry in ordered))
