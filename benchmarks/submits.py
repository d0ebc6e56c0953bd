"""How many orders a second are stored for good: one submitter, two at once, new content and content known already."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.bare_worker import BarePeer
from benchmarks.measuring import Scale, interleaved, seconds, tiny_content
from benchmarks.rigs import running_rig
from benchmarks.table import Row, Sample
from jobs import control
from jobs.client import Client
from jobs.ordering import data_disc
from jobs.settings import load_settings

_PEER = "bare Celery: send_task (not durable)"


def run(scale: Scale) -> list[Row]:
    """Submit to a rig whose recorder is paused, in turns with messages sent without a ledger."""
    rounds, orders = scale.pick(7, 2), scale.pick(100, 20)
    with running_rig(scale) as rig:
        control.pause(rig.mill.database, ["r1"])
        place = _Place(rig.settings.home, rig.root, orders)
        bare = BarePeer(rig.settings.broker_url, scale.folder)
        found = interleaved(
            rounds,
            {
                "new": place.rate(1),
                "two": place.rate(2),
                "known": place.rate(1, known=True),
                "two known": place.rate(2, known=True),
                "bare": lambda: orders / seconds(lambda: [bare.send() for _ in range(orders)]),
            },
        )
        bare.close()
    theirs = found["bare"]
    return [
        _row("new content, 1 process", found["new"], theirs),
        _row("new content, 2 processes together", found["two"], theirs),
        _row("content ordered before, 1 process", found["known"], theirs),
        _row("content ordered before, 2 processes together", found["two known"], theirs),
    ]


def _row(name: str, ours: Sample, theirs: Sample) -> Row:
    return Row(f"submits: {name}", "/s", ours, _PEER, theirs)


class _Place:
    """Where orders go to, and the processes that submit them."""

    def __init__(self, home: Path, root: Path, orders: int) -> None:
        self._home = home
        self._root = root
        self._orders = orders
        self._round = 0

    def rate(self, processes: int, *, known: bool = False) -> Callable[[], float]:
        """Return what measures orders a second of so many processes together."""
        return lambda: self._measure(processes, known=known)

    def _measure(self, processes: int, *, known: bool) -> float:
        self._round += 1
        contents = [self._contents(number, known=known) for number in range(processes)]
        submitters = [self._start(folder) for folder in contents]
        for submitter in submitters:
            _read(submitter)  # it is warm
        took = seconds(lambda: _let_go(submitters))
        for folder in contents:
            shutil.rmtree(folder)
        return processes * self._orders / took

    def _contents(self, number: int, *, known: bool) -> Path:
        """Make the content of each order, and one more for the warm-up; `known`: all the same."""
        folder = self._root / f"round {self._round} process {number}"
        for order in range(self._orders + 1):
            tiny_content(folder / str(order), "known" if known else f"{self._round} {number} {order}")
        return folder

    def _start(self, folder: Path) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "benchmarks.submits", str(self._home), str(self._root), str(folder)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _let_go(submitters: "list[subprocess.Popen[str]]") -> None:
    for submitter in submitters:
        assert submitter.stdin is not None  # noqa: S101  (it is a pipe)
        submitter.stdin.write("\n")
        submitter.stdin.flush()
    for submitter in submitters:
        _read(submitter)
    for submitter in submitters:
        submitter.communicate()


def _read(submitter: "subprocess.Popen[str]") -> None:
    assert submitter.stdout is not None  # noqa: S101  (it is a pipe)
    if not submitter.stdout.readline():
        raise RuntimeError("a submitter failed; what it printed is above")


def _submit_all(home: Path, root: Path, folder: Path) -> None:
    """Submit one order, say so, wait for a line, submit the others, say so."""
    contents = sorted(folder.iterdir())
    with Client(settings=load_settings(home=home, content_roots=[root])) as mill:
        mill.submit(data_disc(contents[0]))
        print("warm", flush=True)
        sys.stdin.readline()
        for content in contents[1:]:
            mill.submit(data_disc(content))
        print("done", flush=True)


if __name__ == "__main__":
    _submit_all(*map(Path, sys.argv[1:]))
