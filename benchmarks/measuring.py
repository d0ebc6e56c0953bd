"""What every benchmark needs: its scale, clocks, interleaved runs, content to order, the programs it compares with."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmarks.table import Sample

T = TypeVar("T")

#: Bytes of random content made at once; repeated, since nothing here looks for repetitions.
_PIECE = 16 << 20
#: Free bytes that stay free: the machine has other uses for its disk.
_RESERVE = 4 << 30


@dataclass(frozen=True, slots=True)
class Scale:
    """How large a benchmark is to be, and where it keeps its files."""

    folder: Path
    quick: bool = False

    def pick(self, full: T, quick: T) -> T:
        """Choose a size."""
        return quick if self.quick else full

    def lacks_room(self, size: int) -> str:
        """Say what is missing on the disk; empty if `size` bytes fit."""
        free = shutil.disk_usage(self.folder).free
        return "" if free >= size + _RESERVE else f"{size / 1e9:.1f} GB do not fit, {free / 1e9:.1f} GB are free"


def boot_clock() -> float:
    """Return seconds since the host started: one clock for all its processes, as the evidence has it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_time_of(wall: float) -> float:
    """Turn seconds since 1970 into the boot clock's; right as long as nobody sets the wall clock meanwhile."""
    return wall - time.time() + boot_clock()


def seconds(step: Callable[[], object]) -> float:
    """Time one call."""
    begin = time.perf_counter()
    step()
    return time.perf_counter() - begin


def interleaved(rounds: int, contestants: Mapping[str, Callable[[], float]]) -> dict[str, Sample]:
    """Let contestants take turns, so that whatever else the machine does meets them all; return what each measured."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contest in contestants.items():
            os.sync()  # nobody pays for what another one left in the cache
            found[name].append(contest())
    return {name: Sample.of(values) for name, values in found.items()}


def wait_until(condition: Callable[[], T | None], what: str, deadline: float = 600.0, pause: float = 0.005) -> T:
    """Return the condition's first true value.

    Raises:
        TimeoutError: it never came.
    """
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"after {deadline:g} seconds still not: {what}")
        time.sleep(pause)
    return value


def run_program(command: Sequence[str | Path]) -> None:
    """Run a peer's program to its end; what it prints is dropped.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)


def fill(path: Path, size: int) -> None:
    """Make a file of random content, in the page cache and on the disk."""
    piece = os.urandom(min(_PIECE, size))
    with path.open("wb") as out:
        for start in range(0, size, len(piece)):
            out.write(piece[: size - start])
        out.flush()
        os.fsync(out.fileno())


def tiny_content(folder: Path, text: str) -> Path:
    """Make a folder with one small file."""
    folder.mkdir(parents=True)
    (folder / "note.txt").write_text(f"{text}\n", encoding="utf-8")
    return folder
