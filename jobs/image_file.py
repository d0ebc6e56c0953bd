# ruff: noqa: PLC0415  (what only the checks need is imported by them: an unchecked image is begun at once)
"""Images written to files from content without a job, checked as an order's are, or as fast as they can be copied."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from jobs.errors import Faults
from jobs.laying_out import LaidOut, lay_out_for
from jobs.manifest import Manifest
from jobs.mastering.garbage import uncollected
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.joliet import default_volume_id, name_faults
from jobs.mastering.medium import Family
from jobs.roots import ContentRoots
from jobs.scanning import Scan, scan
from models.vocabulary import DiscFormat

#: Hears the phase ("hashing", "writing") and how many bytes of how many are through.
Progress = Callable[[str, int, int], None]

#: Bytes read or written at a time.
_STRIDE = 1 << 20
#: Bytes of a file from which on the kernel copies it for us: below, that costs more calls than it saves copying.
_LARGE = 256 << 10


def lay_out_content(  # noqa: PLR0913  (each has one meaning)
    roots: ContentRoots,
    paths: Sequence[Path],
    family: Family | None,
    volume_id: str,
    progress: Progress,
    *,
    check: bool = True,
) -> LaidOut:
    """Scan files and folders and lay them out as an order of them would be, with the same defaults.

    Without `check` nothing is hashed, and no second reader looks at what was laid out.

    Raises:
        Faults: all that is wrong with the content.
        DiscFull: it does not fit.
    """
    with uncollected():
        scanned = scan(paths, roots)
        faults = [*scanned.faults, *name_faults(scanned.entries)]
        if faults:
            subject = "the content has faults, nothing was written"
            raise Faults(subject, faults)
        manifest = _hashed(scanned, roots, progress) if check else Manifest.unhashed(scanned.entries)
        named = volume_id or default_volume_id(paths[0].absolute().name or "disc")
        laid, _ = lay_out_for([family] if family else list(Family), manifest, DiscFormat.JOLIET, named)
        if check:
            _inspect(laid)
    return laid


def _hashed(scanned: Scan, roots: ContentRoots, progress: Progress) -> Manifest:
    from jobs.staging import stage

    return stage(scanned.entries, roots, progress=lambda done, total, _entries: progress("hashing", done, total))


def _inspect(laid: LaidOut) -> None:
    from jobs.mastering.inspection import inspect

    inspect(laid.image, laid.manifest)


def write_image(image: ExtentMap, path: Path, progress: Progress) -> str:
    """Write an image to a file, which is there whole or not at all; return its SHA-256.

    Raises:
        SourceChanged: a source is not what was staged, by its state or by its content.
    """
    from jobs.mastering.checksums import SourceGuard, pass_through

    digest, guard = hashlib.sha256(), SourceGuard(image.extents)
    with _whole_or_not(path) as file:
        takers = [guard.update, lambda _, data: digest.update(data), lambda _, data: file.write(data)]
        pass_through(image, takers, lambda done: progress("writing", done, image.size))
    return digest.hexdigest()


def copy_image(image: ExtentMap, path: Path, progress: Progress) -> None:
    """Write an image to a file, which is there whole or not at all, and take no digest of anything.

    Raises:
        SourceChanged: a source is not what was scanned, by its state.
    """
    with _whole_or_not(path) as file, ImageReader(image) as reader:
        position = 0
        for extent in image.extents:
            if extent.source is not None and extent.length >= _LARGE:
                _copy(reader, position, extent.offset, file, progress)
                file.flush()
                reader.send(extent, file.fileno(), lambda done: progress("writing", done, image.size))
                position = extent.offset + extent.length
        _copy(reader, position, image.size, file, progress)


def _copy(reader: ImageReader, start: int, end: int, file: IO[bytes], progress: Progress) -> None:
    """Copy a range of small files, metadata and gaps, many at a time."""
    buffer = memoryview(bytearray(min(_STRIDE, end - start)))
    for position in range(start, end, _STRIDE):
        part = buffer[: min(_STRIDE, end - position)]
        reader.readinto(position, part)
        file.write(part)
        progress("writing", position + len(part), reader.image.size)


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
