"""Keeps copies of content, named by their SHA-256, so that an order can outlive its sources."""

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from jobs.errors import DiscError, Remedy, SourceChanged
from jobs.manifest import Entry
from jobs.reading import Reader
from jobs.roots import shown

#: ioctl_ficlonerange(2): share a file's blocks with another one, copy on write.
_FICLONE = 0x4004_9409
#: Nobody writes to an object, its owner included.
_MODE = 0o444
_libc = ctypes.CDLL(None, use_errno=True)


class StoreError(DiscError):
    """The content store does not work."""

    code = "DISCMILL_E_STORE"
    remedy = Remedy.TRY_AGAIN


class StoreFull(StoreError):
    """The content store has no room."""

    code = "IMAPI_E_NOTENOUGHDISKFORSTASH"
    remedy = Remedy.FREE_SPACE


def reflink(source: int, copy: int) -> bool:
    """Let an empty open file share another one's blocks; False where the file system can't."""
    try:
        fcntl.ioctl(copy, _FICLONE, source)
    except OSError:
        return False
    return True


class ContentStore:
    """A folder of objects: `objects/ab/cdef…`, the name being the SHA-256 of the content.

    An object is never replaced, since entries are guarded by its inode. Whoever finds it there already
    renews its ctime, and `prune` spares what has a young one: so an order that is being staged keeps what
    no database names yet. A lock keeps the two apart.
    """

    def __init__(self, folder: Path, clone: Callable[[int, int], bool] = reflink) -> None:
        self._objects = folder / "objects"
        self._incoming = folder / "incoming"
        self._clone = clone

    def path(self, sha256: str) -> Path:
        """Return where the content with this digest is, or would be."""
        return self._objects / sha256[:2] / sha256[2:]

    @contextmanager
    def intake(self) -> Iterator["StoreIntake"]:
        """Open the door for a batch; what is not kept by the end is forgotten.

        Raises:
            StoreError: the store can't be written.
        """
        with _told(self._incoming):
            for folder in (self._objects, self._incoming):
                # Private, since objects can be read by all who get here, whoever could read their sources.
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            batch = Path(tempfile.mkdtemp(dir=self._incoming))
        try:
            yield StoreIntake(self, batch, self._clone)
        finally:
            shutil.rmtree(batch, ignore_errors=True)

    def prune(self, wanted: Container[str], before: float, *, dry_run: bool = False) -> int:
        """Remove objects that are not wanted, and what crashes left; return the bytes. `dry_run` only counts them.

        `wanted` holds SHA-256s; `before` is a time (seconds since 1970): what is younger stays.
        """
        unwanted = (path for path in self._objects.glob("??/*") if _digest(path) not in wanted)
        freed = sum(self._prune(path, before, dry_run=dry_run) for path in unwanted)
        for batch in self._incoming.glob("*"):
            freed += sum(self._prune(path, before, dry_run=dry_run) for path in batch.glob("*"))
            if not dry_run:
                _remove_empty(batch, before)
        return freed

    def _prune(self, path: Path, before: float, *, dry_run: bool) -> int:
        with self.lock(fcntl.LOCK_EX):
            try:
                found = path.stat()
            except FileNotFoundError:  # a batch that has just ended
                return 0
            if found.st_ctime >= before:
                return 0
            if not dry_run:
                path.unlink(missing_ok=True)
        return found.st_size

    @contextmanager
    def lock(self, kind: int) -> Iterator[None]:
        """Hold the store's lock: shared to keep objects, exclusive to remove one."""
        handle = os.open(self._incoming.parent / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, kind)
            yield
        finally:
            os.close(handle)


def _remove_empty(batch: Path, before: float) -> None:
    with suppress(FileNotFoundError):
        if batch.stat().st_ctime < before and not any(batch.iterdir()):
            batch.rmdir()


def _digest(path: Path) -> str:
    return path.parent.name + path.name


class StoreIntake:
    """One batch on its way into the store. For one thread at a time."""

    def __init__(self, store: ContentStore, folder: Path, clone: Callable[[int, int], bool]) -> None:
        self._store = store
        self._folder = folder
        self._clone = clone
        self._taken = 0

    def take(self, entry: Entry, handle: int, reader: Reader) -> Entry:
        """Copy an open source, by reflink where possible, and hash the copy on the way.

        Raises:
            SourceChanged: it is not what was scanned.
            StoreError: the store can't be written.
        """
        with self._draft() as (draft, copy):
            digest = self._fill(copy, entry, handle, reader)
        return replace(entry, sha256=digest, source=str(draft))

    def make(self, entry: Entry, fill: Callable[[int], None]) -> Entry:
        """Let somebody write to a draft, and hash what it holds then; the entry gets its size and digest.

        Raises:
            StoreError: the store can't be written; an OSError of `fill` means that.
        """
        with self._draft() as (draft, handle), _told(draft):
            fill(handle)
            with open(handle, "rb", closefd=False) as made:
                made.seek(0)
                digest = hashlib.file_digest(made, "sha256").hexdigest()
            return replace(entry, size=os.fstat(handle).st_size, sha256=digest, source=str(draft))

    @contextmanager
    def _draft(self) -> Iterator[tuple[Path, int]]:
        self._taken += 1
        draft = self._folder / str(self._taken)
        with _told(draft):
            handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
        try:
            os.fchmod(handle, _MODE)  # whatever the umask
            yield draft, handle
        finally:
            os.close(handle)

    def _fill(self, copy: int, entry: Entry, handle: int, reader: Reader) -> str:
        digest = hashlib.sha256()
        cloned = entry.size > 0 and self._clone(handle, copy)
        for piece in reader.pieces(copy if cloned else handle, entry):
            digest.update(piece)
            if not cloned:
                with _told(self._folder):
                    _write(copy, piece)
        if os.fstat(copy).st_size != entry.size:
            raise SourceChanged(shown(entry.source), "changed its size")
        return digest.hexdigest()

    def keep(self, entries: Sequence[Entry]) -> list[Entry]:
        """Put the batch among the objects, safe from a power cut; the entries then lead there.

        Raises:
            StoreError: the store can't be written, or holds an object that is damaged.
        """
        with _told(self._folder):
            _sync(self._folder)  # content first: an object must never be there without its bytes
            with self._store.lock(fcntl.LOCK_SH):
                kept = [self._keep(entry) for entry in entries]
            _sync(self._folder)
        return kept

    def _keep(self, entry: Entry) -> Entry:
        path = self._store.path(entry.sha256)
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
        try:
            os.link(entry.source, path)  # not renamed: that would replace an object others lead to
        except FileExistsError:
            path.chmod(_MODE)  # its ctime says now that it is in use
        found = path.lstat()
        if found.st_size != entry.size:
            raise StoreError(f"{path} has {found.st_size} bytes instead of {entry.size}; remove it and order again")
        return replace(entry, source=str(path), inode=found.st_ino, source_mtime_ns=found.st_mtime_ns)


def _write(handle: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(handle, piece) :]


def _sync(folder: Path) -> None:
    """Bring the file system of a folder to the disk, syncfs(2): a batch at once, not each small file."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(handle):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(handle)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the system's errors into the store's."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise StoreFull(f"the store {path.parent} is full; make room there") from error
        raise StoreError(f"the store can't be written at {path} ({error.strerror})") from error
