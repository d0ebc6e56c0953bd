"""The disk of the home: whether it may be written, has room, and feeds all recorders at once."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from jobs.errors import DiscError
from jobs.mastering.medium import Family, MediumKind
from jobs.settings import RecorderSetting
from workers.doctor.findings import Finding, failing, well, worrying
from workers.recorders.emulated_uri import SCHEME as EMULATED
from workers.recorders.emulated_uri import parse_uri

_MIB = 1 << 20
#: Bytes written and read to measure, and seconds that each may take; what was done by then is counted.
_SAMPLE, _PATIENCE = 64 * _MIB, 3.0
#: Bytes a recorder may need of the evidence's disk at once: the samples of an audio burn (74 to 80 minutes).
_SPOOL = 900 * _MIB
#: Bytes without which nothing works: the database's journal, a burn's evidence.
_LEAST = 200 * _MIB
#: The fastest that drives burn each family at, in multiples of 1x.
_FASTEST = {Family.CD: 52, Family.DVD: 24, Family.DVD_DL: 12, Family.BD: 16}


def room_findings(home: Path, recorders: int) -> Iterator[Finding]:
    """See whether the home may be written and has room."""
    folder = existing(home)
    if not os.access(folder, os.W_OK | os.X_OK):
        remedy = f"chown it to the user that runs discmill, or set DISCMILL_HOME; now {folder} is not its own"
        yield failing("home", f"{home} can't be written", remedy)
        return
    yield well("home", str(home))
    free, needed = shutil.disk_usage(folder).free, _LEAST + recorders * _SPOOL
    status = os.statvfs(folder)
    seen = f"{_size(free)} free on the disk of {home}"
    remedy = "make room, `discmill db prune`, or move DISCMILL_HOME to a larger disk"
    if free < _LEAST or (status.f_files and not status.f_favail):
        yield failing("disk space", f"{seen}, {status.f_favail} files", remedy)
    elif free < needed:
        yield worrying("disk space", f"{seen}; {recorders} audio burns at once take {_size(needed)}", remedy)
    else:
        yield well("disk space", seen)


def speed_findings(home: Path, needed: float) -> Iterator[Finding]:
    """Measure how fast the home's disk is, against the bytes a second that the recorders take."""
    try:
        written, read = measure(existing(home))
    except OSError as error:
        yield failing("disk speed", f"{home} can't be written: {error.strerror}", "see to the disk")
        return
    seen = f"writes {_size(written)} and reads {_size(read)} a second; all recorders at once take {_size(needed)}"
    if min(written, read) >= needed:
        yield well("disk speed", seen)
    else:
        remedy = (
            "order with --speed, burn on fewer recorders at once, or move content and DISCMILL_HOME to a faster disk"
        )
        yield worrying("disk speed", seen, remedy)


def measure(folder: Path) -> tuple[float, float]:
    """Write a file that nobody else sees, and read it back from the disk; return bytes a second of each.

    Raises:
        OSError: it can't be written.
    """
    piece = os.urandom(_MIB)
    with tempfile.TemporaryFile(dir=folder) as file:
        handle = file.fileno()
        size, written = _paced(lambda: os.write(handle, piece), lambda: os.fdatasync(handle))
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.lseek(handle, 0, os.SEEK_SET)
        _, read = _paced(lambda: len(os.read(handle, _MIB)), lambda: None, most=size)
    return written, read


def _paced(step: Callable[[], int], finish: Callable[[], object], most: int = _SAMPLE) -> tuple[int, float]:
    """Repeat a step until so many bytes are through or patience ends; return bytes, and bytes a second."""
    began, done = time.monotonic(), 0
    while done < most and time.monotonic() - began < _PATIENCE:
        done += step()
    finish()
    return done, done / max(time.monotonic() - began, 1e-6)


def demand(recorders: Iterable[RecorderSetting], writes: Mapping[str, list[str]]) -> float:
    """Return the bytes a second that recorders take at their fastest, all at once.

    `writes` tells by name which kinds a recorder writes; one that is not in it may write everything. An emulated
    one counts as fast as it was told to be, and not at all where it goes as fast as the disk does.
    """
    return sum(_appetite(recorder, writes.get(recorder.name) or list(MediumKind)) for recorder in recorders)


def _appetite(recorder: RecorderSetting, kinds: list[str]) -> float:
    families = {kind.family for kind in MediumKind if kind in kinds}
    if not recorder.uri.startswith(f"{EMULATED}:"):
        return float(max((_FASTEST[family] * family.speed_1x for family in families), default=0))
    try:
        asked = parse_uri(recorder.uri)
    except DiscError:
        return 0.0  # the recorder's own check says why
    return max((asked.speed or 0) * family.speed_1x for family in families)


def existing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that is there."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), Path("/"))


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"  # noqa: PLR2004
