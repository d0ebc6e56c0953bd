"""Images as files: written from content without a job, and compared with the master of one."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from jobs.errors import Faults
from jobs.mastering.audio_verification import compare_audio
from jobs.mastering.image import ChecksumTaker, ExtentMap, ImageReader, SourceGuard
from jobs.mastering.inspection import inspect
from jobs.mastering.joliet import default_volume_id, name_faults
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import Family
from jobs.mastering.progress import ProgressEvent, VerifyProgress
from jobs.mastering.verification import Comparison, Difference, compare
from jobs.preparation import LaidOut, lay_out_for
from jobs.roots import ContentRoots
from jobs.scanning import scan
from jobs.staging import stage
from models.vocabulary import DiscFormat

#: Hears the phase ("hashing", "writing", "verifying") and how many bytes of how many are through.
Progress = Callable[[str, int, int], None]

#: Bytes read or written at a time.
_STRIDE = 1 << 20


def lay_out_content(
    roots: ContentRoots, paths: Sequence[Path], family: Family | None, volume_id: str, progress: Progress
) -> LaidOut:
    """Stage files and folders and lay them out as an order of them would be, with the same defaults.

    Raises:
        Faults: all that is wrong with the content.
        DiscFull: it does not fit.
    """
    scanned = scan(paths, roots)
    faults = [*scanned.faults, *name_faults(scanned.entries)]
    if faults:
        subject = "the content has faults, nothing was written"
        raise Faults(subject, faults)
    manifest = stage(scanned.entries, roots, progress=lambda done, total, _entries: progress("hashing", done, total))
    named = volume_id or default_volume_id(paths[0].absolute().name or "disc")
    laid, _ = lay_out_for([family] if family else list(Family), manifest, DiscFormat.JOLIET, named)
    inspect(laid.image, manifest)
    return laid


def write_image(image: ExtentMap, path: Path, progress: Progress) -> str:
    """Write an image to a file, which is there whole or not at all; return its SHA-256.

    Raises:
        SourceChanged: a source is not what was staged.
    """
    taker, guard = ChecksumTaker(image.block_size), SourceGuard(image.extents)
    with _whole_or_not(path) as file, ImageReader(image) as reader:
        for position in range(0, image.size, _STRIDE):
            part = memoryview(reader.read(position, _STRIDE))
            guard.update(position, part)
            taker.update(part)
            file.write(part)
            progress("writing", position + len(part), image.size)
    return taker.result().sha256


def compare_image(
    path: Path, master: StoredMaster, family: Family, progress: Progress, first_block: int = 0
) -> Comparison:
    """Compare a file with a master, block by block; more than the master has is a difference too.

    `first_block` is where in the file the master's session begins. Samples may all be earlier or later by the same
    time, as drives read them.

    Raises:
        MediumDiffers: the file ends early.
    """
    ear = _Ear(master.block_size, progress)
    start = first_block * master.block_size
    if master.programme is not None:
        comparison = compare_audio(lambda: _pieces(path, start), master, ear)
    else:
        comparison = compare(_pieces(path, start), master, ear, family)
    surplus = path.stat().st_size - start - master.size
    if surplus <= 0:
        return comparison
    behind = Difference(master.blocks, -(-surplus // master.block_size), ("(behind the master's end)",))
    return replace(comparison, differences=(*comparison.differences, behind))


@dataclass(frozen=True, slots=True)
class _Ear:
    """Passes on how far a comparison is, in bytes."""

    block_size: int
    progress: Progress

    def notify(self, event: ProgressEvent) -> None:
        """Hear an event."""
        if isinstance(event, VerifyProgress):
            self.progress("verifying", event.done * self.block_size, event.total * self.block_size)

    def query_cancel(self) -> bool:
        """Never cancel."""
        return False


def _pieces(path: Path, start: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(_STRIDE):
            yield piece


@contextmanager
def _whole_or_not(path: Path) -> Iterator[IO[bytes]]:
    """Open a draft beside a file; it takes the file's place at the end, on the disk, or vanishes."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
