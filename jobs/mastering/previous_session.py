"""What the sessions of a disc hold, so that the one that follows can show it: each session replaces the tree."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.errors import AlreadyStaged
from jobs.manifest import Entry
from jobs.mastering.joliet_names import Parts

#: Faults named in one message.
_MOST_FAULTS = 20
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class EarlierEntry:
    """A file or folder on a disc; `seconds` since 1970, `parts` are (block, bytes) of its content."""

    path: str
    folder: bool
    size: int
    seconds: int
    parts: Parts = ()

    @property
    def entry(self) -> Entry:
        """The entry as a manifest would have it, without a source."""
        return Entry(self.path, self.size, self.seconds * _SECOND, folder=self.folder)


@dataclass(frozen=True, slots=True)
class PreviousSession:
    """What a disc shows before a session is added that starts at the block `start`."""

    start: int
    entries: tuple[EarlierEntry, ...]

    @property
    def canonical(self) -> str:
        """All that decides what it adds to the next session, as canonical JSON, for the keys of caches."""
        digest = hashlib.sha256()
        for entry in self.entries:
            facts = [entry.path, entry.folder, entry.size, entry.seconds, entry.parts]
            digest.update(json.dumps(facts).encode() + b"\n")
        return json.dumps({"sha256": digest.hexdigest(), "start": self.start}, separators=(",", ":"))


def merged(entries: Sequence[Entry], previous: PreviousSession | None) -> tuple[Sequence[Entry], dict[str, Parts]]:
    """Put new entries over what a disc shows; return all entries, and where those files lie that are on it already.

    Raises:
        AlreadyStaged: a file would take the place of a folder, or a folder that of a file; the message names all.
    """
    if previous is None:
        return entries, {}
    kinds = {entry.path: entry.folder for entry in entries}
    kept = [old for old in previous.entries if old.path not in kinds]
    clashes = [old.path for old in previous.entries if kinds.get(old.path, old.folder) is not old.folder]
    if clashes:
        kind = [f"{path} is a {'file' if kinds[path] else 'folder'} on the disc" for path in clashes[:_MOST_FAULTS]]
        raise AlreadyStaged(f"{'; '.join(kind)}; rename what is staged, or use a blank disc")
    places = {old.path: old.parts for old in kept if not old.folder}
    return sorted([*entries, *(old.entry for old in kept)], key=lambda entry: entry.path), places
