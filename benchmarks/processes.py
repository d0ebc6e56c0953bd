"""Programs as a whole, from their start to their end: seconds, seconds of processors, memory, and their first byte.

A process of its own, small and with few imports, starts them: what the kernel reports as a program's peak is never
less than the memory of whoever started it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.table import Sample

#: Bytes in a kilobyte as the kernel counts a process's peak, and in a megabyte of this project's tables.
_KB, _MB = 1024, 1e6
#: Bytes that a pipe holds, and that are taken from it at once.
_PIPE = 1 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a program took; `first_byte` is set where its output was read, in seconds from its start."""

    seconds: float
    cpu: float
    peak_mb: float
    first_byte: float


@dataclass(frozen=True, slots=True)
class Runs:
    """Several runs of one program."""

    runs: tuple[Run, ...]

    @property
    def seconds(self) -> Sample:
        """How long they took."""
        return Sample.of(run.seconds for run in self.runs)

    @property
    def cpu(self) -> Sample:
        """How long processors worked for them, children and kernel included."""
        return Sample.of(run.cpu for run in self.runs)

    @property
    def peak_mb(self) -> Sample:
        """The most memory that one process of them had, in megabytes."""
        return Sample.of(run.peak_mb for run in self.runs)

    @property
    def first_byte(self) -> Sample:
        """When their first byte came, in seconds from their start."""
        return Sample.of(run.first_byte for run in self.runs)


def run_whole(command: Sequence[str]) -> Run | None:
    """Run a program; what it prints is dropped. None if it fails."""
    return _run("whole", command)


def run_streaming(command: Sequence[str]) -> Run | None:
    """Run a program that writes an image to its output, and take all of it. None if it fails."""
    return _run("streaming", command)


def _run(how: str, command: Sequence[str]) -> Run | None:
    launcher = [sys.executable, "-m", "benchmarks.processes", how, *command]
    measured = json.loads(subprocess.run(launcher, stdout=subprocess.PIPE, check=True).stdout)
    return Run(**measured) if measured else None


def _measure(how: str, command: Sequence[str]) -> dict[str, float]:
    began, first_byte = time.perf_counter(), 0.0
    out = subprocess.PIPE if how == "streaming" else subprocess.DEVNULL
    program = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, pipesize=_PIPE)
    if program.stdout is not None:
        os.read(program.stdout.fileno(), 1)
        first_byte = time.perf_counter() - began
        while os.read(program.stdout.fileno(), _PIPE):
            pass
    _, status, used = os.wait4(program.pid, 0)
    took = time.perf_counter() - began
    program.returncode = os.waitstatus_to_exitcode(status)  # it was waited for here
    if program.returncode:
        return {}
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss * _KB / _MB
    return {"seconds": took, "cpu": cpu, "peak_mb": peak, "first_byte": first_byte}


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], sys.argv[2:])))
