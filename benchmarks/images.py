"""A master with the image that it reads as, for benchmarks that burn or read it without an order."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import fill
from jobs.image_file import lay_out_content, write_image
from jobs.mastering.masters import MasterStore, StoredMaster
from jobs.mastering.medium import Family
from jobs.mastering.recorder import BurnOrder
from jobs.preparation import prepare_master
from jobs.roots import ContentRoots

#: Large files of a tree, and small ones with their size in bytes.
_LARGE, _SMALL, _SMALL_SIZE = 7, 200, 30_000


@dataclass(frozen=True, slots=True)
class Image:
    """A stored master, and a file with its bytes."""

    master: StoredMaster
    file: Path

    @property
    def gigabytes(self) -> float:
        """Its size."""
        return self.master.size / 1e9

    def order(self, evidence: Path, *, digest: bool) -> BurnOrder:
        """Order a burn of it."""
        return order_of(self.master, evidence, digest=digest)


def order_of(master: StoredMaster, evidence: Path, *, digest: bool) -> BurnOrder:
    """Order a burn of a master; without a digest it is a second copy."""
    return BurnOrder(
        master.image_path, master.size, master.block_size, master.sha256, evidence, evidence.name, digest=digest
    )


def make_image(folder: Path, size: int) -> Image:
    """Lay out a tree of some large and many small files, about `size` bytes in all; write its image."""
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for number in range(_LARGE):
        fill(tree / f"large {number}.bin", (size - _SMALL * _SMALL_SIZE) // _LARGE)
    for number in range(_SMALL):
        fill(tree / f"small {number}.bin", _SMALL_SIZE)
    laid = lay_out_content(ContentRoots([folder]), [tree], Family.BD, "BENCH", lambda *_: None)
    master = prepare_master(MasterStore(folder / "masters"), laid, lambda *_: None)
    write_image(laid.image, folder / "image.iso", lambda *_: None)
    return Image(master, folder / "image.iso")
