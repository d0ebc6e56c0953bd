"""Makes manifests for tests of mastering: of real folders, and of files that need not exist."""

import hashlib
from pathlib import Path

from jobs.manifest import Entry, Manifest

#: Seconds since 1970 that entries without a file have.
NOON = 1_700_000_000


def manifest_of(folder: Path) -> Manifest:
    """Make the manifest of what lies below a folder; links and devices are left out."""
    found = (path for path in folder.rglob("*") if not path.is_symlink() and (path.is_dir() or path.is_file()))
    return Manifest.of(entry_of(path, path.relative_to(folder).as_posix()) for path in found)


def entry_of(path: Path, place: str) -> Entry:
    """Make the entry of a file or folder that shall lie at `place` on the disc."""
    found = path.stat()
    if path.is_dir():
        return Entry(place, 0, found.st_mtime_ns, folder=True)
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    time = found.st_mtime_ns
    return Entry(place, found.st_size, time, source=str(path), inode=found.st_ino, sha256=digest, source_mtime_ns=time)


def a_file(place: str, size: int = 1000, seconds: int = NOON) -> Entry:
    """Make the entry of a file that is not there."""
    time = seconds * 10**9 + 999_999_999
    return Entry(place, size, time, source=f"/nowhere/{place}", inode=7, sha256="0" * 64, source_mtime_ns=1)


def a_folder(place: str, seconds: int = NOON) -> Entry:
    """Make the entry of a folder."""
    return Entry(place, 0, seconds * 10**9, folder=True)
