"""The programs that burn, move discs and decode: whether they are there, and new enough."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.settings import program_environment
from workers.doctor.findings import Finding, failing, well, worrying

#: Where programs are looked for: what burners start with, and where Debian keeps mtx.
PLACES = os.pathsep.join((os.defpath, "/usr/sbin", "/sbin"))
#: Seconds that a program may take to say its version.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Program:
    """A program, its Debian package, how it tells its version, what it is for, and the oldest that was tried."""

    name: str
    package: str
    asked: tuple[str, ...]
    told: str
    purpose: str
    oldest: tuple[int, ...] = ()
    flaws: str = ""  #: of which version what is known, where discmill has an answer to it


BURN_PROGRAMS = (
    Program("xorriso", "xorriso", ("-version",), r"xorriso version\s*:\s*([\d.]+)", "it burns data", (1, 5, 4)),
    Program(
        "cdrskin",
        "cdrskin",
        ("--version",),
        r"cdrskin version\s*:\s*([\d.]+)|^cdrskin ([\d.]+)",
        "it burns audio",
        (1, 5, 4),
        "1.5.4 takes audio of more than 69:37 for too long; discmill counts itself",
    ),
)
CHANGER = Program("mtx", "mtx", ("--version",), r"mtx version ([\d.]+)", "it moves the discs of a changer", (1, 3, 12))
DECODERS = (
    Program("ffmpeg", "ffmpeg", ("-version",), r"ffmpeg version n?([\d.]+)", "it decodes M4A, AAC, WMA and the like"),
    Program(
        "ffprobe", "ffmpeg", ("-version",), r"ffprobe version n?([\d.]+)", "it looks into M4A, AAC, WMA and the like"
    ),
)


def program_findings(program: Program, *, is_needed: bool, places: str = PLACES) -> Iterator[Finding]:
    """Look for a program and ask it for its version."""
    name = f"program {program.name}"
    path = shutil.which(program.name, path=places)
    if path is None:
        yield _missing(name, program, is_needed=is_needed)
        return
    version = version_of(program, places)
    numbers = tuple(int(part) for part in version.split(".") if part)
    seen = f"{path}, version {version or 'unknown'}"
    if not version:
        yield worrying(name, seen, f"see what `{path} {' '.join(program.asked)}` says; {program.purpose}")
    elif numbers < program.oldest:
        oldest = ".".join(map(str, program.oldest))
        remedy = f"install {oldest} or later: older ones were never tried, and {program.purpose}"
        yield failing(name, seen, remedy) if is_needed else worrying(name, seen, remedy)
    else:
        known = program.flaws if program.flaws.startswith(f"{version} ") else ""
        yield well(name, f"{seen}; {known}" if known else seen)


def _missing(name: str, program: Program, *, is_needed: bool) -> Finding:
    remedy = f"apt-get install {program.package}"
    if is_needed:
        return failing(name, f"not installed, and {program.purpose}", remedy)
    if program in DECODERS:
        return worrying(name, f"not installed, and {program.purpose}", f"{remedy}, if such files are ordered here")
    return well(name, f"not installed, and nothing here needs it ({program.purpose})")


def version_of(program: Program, places: str = PLACES) -> str:
    """Ask a program for its version; empty if it is not there, or does not say."""
    path = shutil.which(program.name, path=places)
    if path is None:
        return ""
    try:
        said = subprocess.run(
            [path, *program.asked],
            capture_output=True,
            text=True,
            errors="replace",
            env=program_environment(),
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(program.told, said.stdout + said.stderr, re.MULTILINE)
    return next(filter(None, found.groups()), "").strip(".") if found else ""
