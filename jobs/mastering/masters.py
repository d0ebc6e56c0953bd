"""Keeps laid-out masters on disk, so that all copies of a job, and a job ordered again, are laid out once."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.mastering.checksums import Checksums, read_digest
from jobs.mastering.extents import Source, read_figures, read_sources
from jobs.mastering.image import CHUNK_BLOCKS, ExtentMap
from jobs.mastering.medium import AUDIO_BLOCK
from jobs.mastering.programme import Programme

_IMAGE = "image.map"
_CHECKSUMS = "checksums.bin"
_PROGRAMME = "programme.json"


def master_key(manifest_sha256: str, options: str) -> str:
    """Name the master that a manifest and the canonical text of its layout options give."""
    return hashlib.sha256(f"{manifest_sha256}\n{options}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredMaster:
    """A master on disk: the extent map, what the image must read as, and of an audio disc the programme."""

    folder: Path

    @property
    def image_path(self) -> Path:
        """The file of the extent map, for the burner to read."""
        return self.folder / _IMAGE

    @property
    def is_whole(self) -> bool:
        """True if all files are there and fit each other."""
        try:
            wanted = 65 + 4 * -(-self.blocks // CHUNK_BLOCKS)  # a digest and its newline, then four bytes a chunk
            return (self.folder / _CHECKSUMS).stat().st_size == wanted and self._has_its_programme
        except (OSError, ValueError, KeyError, StopIteration):
            return False

    @property
    def _has_its_programme(self) -> bool:
        programme = self.programme
        if self.block_size != AUDIO_BLOCK:
            return programme is None
        return programme is not None and programme.blocks == self.blocks

    @property
    def block_size(self) -> int:
        """Bytes of a block."""
        return read_figures(self.image_path)[0]

    @property
    def blocks(self) -> int:
        """Blocks of the image, padding included."""
        return read_figures(self.image_path)[1]

    @property
    def size(self) -> int:
        """Bytes of the image, padding included."""
        return self.block_size * self.blocks

    @property
    def sha256(self) -> str:
        """The SHA-256 of the whole image."""
        return read_digest(self.folder / _CHECKSUMS)

    @property
    def programme(self) -> Programme | None:
        """The programme of an audio disc; None for data."""
        try:
            return Programme.read((self.folder / _PROGRAMME).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def sources(self) -> Iterator[Source]:
        """Read through the files that the image is made of, without loading all of them at once."""
        return read_sources(self.image_path)

    def load_image(self) -> ExtentMap:
        """Read the extent map."""
        return ExtentMap.load(self.image_path)

    def load_checksums(self) -> Checksums:
        """Read the checksums."""
        return Checksums.load(self.folder / _CHECKSUMS)


class MasterStore:
    """A folder of masters, each in a folder named by its key; whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> StoredMaster | None:
        """Return the master with this key, or nothing."""
        stored = StoredMaster(self._folder / key)
        return stored if stored.is_whole else None

    def renew(self, key: str) -> StoredMaster | None:
        """Return the master with this key for an order that is not stored yet: `prune` spares what has a young time."""
        with self._lock(fcntl.LOCK_SH):
            stored = self.get(key)
            if stored is not None:
                with contextlib.suppress(PermissionError):  # another user's: at worst it is laid out again
                    os.utime(stored.folder)
        return stored

    def prune(self, wanted: Container[str], before: float, *, dry_run: bool = False) -> int:
        """Remove masters that are not wanted, and what crashes left; return how many. `dry_run` only counts them.

        `wanted` holds keys; `before` is a time (seconds since 1970): what is younger stays.
        """
        if not self._folder.is_dir():
            return 0
        found = [path for path in self._folder.iterdir() if path.is_dir() and path.name not in wanted]
        return sum(self._prune(path, before, dry_run=dry_run) for path in found)

    def _prune(self, path: Path, before: float, *, dry_run: bool) -> bool:
        gone = path.with_name(f"draft-{path.name}")
        with self._lock(fcntl.LOCK_EX):
            try:
                if path.stat().st_mtime >= before:
                    return False
                if not dry_run:
                    path.rename(gone)  # at once: nobody is to find half of it
            except FileNotFoundError:  # a draft that has just become a master
                return False
        if not dry_run:
            shutil.rmtree(gone)
        return True

    @contextlib.contextmanager
    def _lock(self, kind: int) -> Iterator[None]:
        """Hold the folder's lock: shared to renew a master, exclusive to remove one."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, kind)
            yield
        finally:
            os.close(handle)

    def put(self, key: str, image: ExtentMap, checksums: Checksums, programme: Programme | None = None) -> StoredMaster:
        """Store a master, safe from a power cut; one that is there already stays. Audio comes with its programme.

        Raises:
            OSError: there is no room, or the folder can't be written.
        """
        # Private, since masters tell names of files; who lets workers of another user in opens this one folder.
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=self._folder))
        try:
            draft.chmod(0o755)
            image.save(draft / _IMAGE)
            checksums.save(draft / _CHECKSUMS)
            if programme is not None:
                programme.save(draft / _PROGRAMME)
            _sync(draft)
            self._publish(draft, self._folder / key)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _sync(self._folder)
        return StoredMaster(self._folder / key)

    def _publish(self, draft: Path, master: Path) -> None:
        try:
            draft.rename(master)
        except OSError:
            # A folder with files in it is never replaced: somebody else was as fast, with the same bytes.
            if self.get(master.name) is None:
                shutil.rmtree(master)  # damaged: nobody can be using it
                draft.rename(master)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
