"""What lies on a disc that somebody used before it came into an emulated drive: a session that any reader mounts."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from jobs.errors import OrderError
from jobs.manifest import Entry, Manifest
from jobs.mastering.image import ImageReader
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.medium import BLOCK, MediumKind, MediumStatus
from workers.recorders.emulated_medium import Medium, MediumFolder
from workers.recorders.emulated_sessions import begun, ended
from workers.recorders.suitability import Wanted

_LABEL = "used"
#: The files on a used disc, and the second they bear: the same bytes on every one.
_FILES = {"READ ME.txt": b"This disc was used before, and not by this drive.\n", "old/data.bin": bytes(range(256)) * 80}
_SECOND = 946_684_800
#: Bytes copied at a time.
_STRIDE = 1 << 20


def use(folder: MediumFolder, medium: Medium, status: MediumStatus, image: Path | None = None) -> None:
    """Make a medium one that was burnt elsewhere, with an image or our own: it has data, and no writes of ours.

    Raises:
        OrderError: the image can't be read, is not whole blocks, or does not fit.
    """
    if image is None:
        _write_our_own(folder, medium.kind)
    else:
        _copy(image, folder.data, medium.capacity)
    blocks = folder.data.stat().st_size // BLOCK
    used = begun(medium, Wanted(0, blocks, BLOCK, _LABEL))
    folder.save(ended(used, leave_open=status is MediumStatus.APPENDABLE))


def _copy(image: Path, data: Path, capacity: int) -> None:
    try:
        size = image.stat().st_size
        if size % BLOCK or not BLOCK <= size <= capacity * BLOCK:
            raise OrderError(f"{image} has {size} bytes; wanted are whole blocks of {BLOCK}, up to {capacity} of them")
        shutil.copyfile(image, data)
    except OSError as error:
        raise OrderError(f"{image} can't be read: {error.strerror}") from error


def _write_our_own(folder: MediumFolder, kind: MediumKind) -> None:
    with tempfile.TemporaryDirectory(dir=folder.path) as content:
        options = LayoutOptions(kind.family, "USED")
        with (
            ImageReader(layout(Manifest.of(_entries(Path(content))), options)) as reader,
            folder.data.open("wb") as out,
        ):
            for position in range(0, reader.image.size, _STRIDE):
                out.write(reader.read(position, _STRIDE))


def _entries(folder: Path) -> list[Entry]:
    """Put the files into a folder, and name them and the folders they lie in."""
    time_ns = _SECOND * 10**9
    entries = [Entry(path="old", size=0, mtime_ns=time_ns, folder=True)]
    for path, data in _FILES.items():
        source = folder / path
        source.parent.mkdir(exist_ok=True)
        source.write_bytes(data)
        os.utime(source, ns=(time_ns, time_ns))
        digest = hashlib.sha256(data).hexdigest()
        inode = source.stat().st_ino
        entries.append(Entry(path, len(data), time_ns, False, str(source), inode, digest, time_ns))  # noqa: FBT003
    return entries
