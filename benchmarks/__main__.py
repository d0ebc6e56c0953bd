"""Runs the benchmarks: `python -m benchmarks [--only NAME] [--quick] [--folder DIR]`."""

import argparse
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    assignment,
    growth,
    idle,
    latency,
    load,
    manifests,
    mastering,
    memory,
    overhead,
    overview,
    recorders,
    rig64,
    streaming,
    submits,
    verifying,
)
from benchmarks.measuring import Scale
from benchmarks.table import Row, render

_BENCHMARKS: dict[str, Callable[[Scale], list[Row]]] = {
    "latency": latency.run,
    "idle": idle.run,
    "streaming": streaming.run,
    "verifying": verifying.run,
    "recorders": recorders.run,
    "submits": submits.run,
    "assignment": assignment.run,
    "overhead": overhead.run,
    "manifests": manifests.run,
    "mastering": mastering.run,
    "memory": memory.run,
    "growth": growth.run,
    "overview": overview.run,
    "load": load.run,
    "rig64": rig64.run,
}
#: Large files for a while, on a disk: what this place is for (Filesystem Hierarchy Standard, 5.15).
_FOLDER = Path("/var/tmp")  # noqa: S108  (a folder of our own is made in it)


def main(arguments: list[str]) -> int:
    """Run what was asked for, one after the other; return the exit code."""
    asked = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that rigs are stopped and files are removed
    print(_machine())
    for name in asked.only or _BENCHMARKS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="discmill-bench-", dir=asked.folder) as folder:
            rows = _BENCHMARKS[name](Scale(Path(folder), asked.quick))
        print(f"\n{name} ({time.monotonic() - began:.0f} s)\n\n{render(rows)}", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure discmill next to peers.")
    parser.add_argument("--only", action="append", choices=list(_BENCHMARKS), metavar="NAME", help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="smaller sizes: that it works, not how fast")
    parser.add_argument("--folder", type=Path, default=_FOLDER, metavar="DIR", help="where files are made and removed")
    return parser


def _machine() -> str:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    cores = len(os.sched_getaffinity(0))
    return f"{platform.platform()}, Python {platform.python_version()}, {cores} cores, load {load} before the run"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
