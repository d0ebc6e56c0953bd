# ruff: noqa: PLC0415  (what only the checks need is imported by them: an unchecked image is begun at once)
"""Images written to files from content without a job, checked as an order's are, or as fast as they can be copied."""

import hashlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from jobs.errors import Faults
from jobs.laying_out import LaidOut, lay_out_for
from jobs.manifest import Manifest
from jobs.mastering.extents import Extent
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
#: Small files and pieces of metadata that are worth a second process.
_CROWD = 2000


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
    large = [extent for extent in image.extents if extent.source is not None and extent.length >= _LARGE]
    strides = list(_strides(image, large))
    helped = len(image.extents) - len(large) >= _CROWD and threading.active_count() == 1  # a fork loses other threads
    with _whole_or_not(path) as file:
        os.truncate(file.fileno(), image.size)
        copier = _Copier(image, file.fileno(), lambda done: progress("writing", done, image.size))
        with _helper(copier, strides[1::2]) if helped else nullcontext():
            copier.copy(strides[::2] if helped else strides)
            copier.send(large)
    progress("writing", image.size, image.size)


def _strides(image: ExtentMap, large: Sequence[Extent]) -> Iterator[tuple[int, int]]:
    """Yield the pieces between large files, as (first byte, byte behind it)."""
    ends = [0, *(extent.offset + extent.length for extent in large)]
    for start, end in zip(ends, [*(extent.offset for extent in large), image.size], strict=True):
        yield from ((position, min(position + _STRIDE, end)) for position in range(start, end, _STRIDE))


class _Copier:
    """Copies parts of an image to where they belong in an open file; `hear` hears about how many bytes are there."""

    def __init__(self, image: ExtentMap, out: int, hear: Callable[[int], None]) -> None:
        self._image, self._out, self._hear = image, out, hear

    def copy(self, strides: Sequence[tuple[int, int]]) -> None:
        """Copy small files, metadata and gaps, many at a time."""
        buffer = memoryview(bytearray(_STRIDE))
        with ImageReader(self._image) as reader:
            for start, end in strides:
                reader.readinto(start, buffer[: end - start])
                self._write(start, buffer[: end - start])
                self._hear(end)

    def _write(self, position: int, data: memoryview) -> None:
        while data:
            count = os.pwrite(self._out, data, position)
            data, position = data[count:], position + count

    def send(self, extents: Sequence[Extent]) -> None:
        """Let the kernel copy large files."""
        with ImageReader(self._image) as reader:
            for extent in extents:
                os.lseek(self._out, extent.offset, os.SEEK_SET)
                reader.send(extent, self._out, self._hear)


@contextmanager
def _helper(copier: _Copier, strides: Sequence[tuple[int, int]]) -> Iterator[None]:
    """Let another process copy strides meanwhile: threads would take turns at opening small files.

    Where it fails, they are copied here, so that the reason is met here too.
    """
    child = os.fork()
    if not child:
        try:
            copier.copy(strides)
            os._exit(0)
        finally:
            os._exit(1)
    try:
        yield
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
    if status:
        copier.copy(strides)


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
