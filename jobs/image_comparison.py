"""Compares images in files with the master of a job."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.mastering.audio_verification import compare_audio
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import Family
from jobs.mastering.progress import ProgressEvent, VerifyProgress
from jobs.mastering.verification import Comparison, Difference, compare

#: Hears the phase ("verifying") and how many bytes of how many are through.
Progress = Callable[[str, int, int], None]

#: Bytes read at a time.
_STRIDE = 1 << 20


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
