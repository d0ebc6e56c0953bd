"""How many orders a second are stored for good: one submitter, two at once, new content and content known already."""

import sqlite3
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.bare_worker import BarePeer
from benchmarks.measuring import Scale, interleaved, seconds, tiny_content
from benchmarks.rigs import running_rig
from benchmarks.table import Row
from jobs import control
from jobs.client import Client
from jobs.ordering import data_disc
from jobs.settings import load_settings

_BARE, _ROW = "bare Celery: send_task, not durable", "SQLite: one row, durable"


def run(scale: Scale) -> list[Row]:
    """Submit to a rig whose recorder is paused, in turns with messages and with rows that stand for nothing."""
    rounds, orders = scale.pick(7, 1), scale.pick(100, 20)
    with running_rig(scale) as rig:
        control.pause(rig.mill.database, ["r1"])
        place = _Place(rig.settings.home, rig.root, orders)
        peers = _Peers(BarePeer(rig.settings.broker_url, scale.folder), scale.folder / "rows.db", orders)
        found = interleaved(
            rounds,
            {
                "new content, 1 process": partial(place.measure, 1),
                "new content, 2 processes together": partial(place.measure, 2),
                "content known, 1 process": partial(place.measure, 1, known=True),
                "content known, 2 processes together": partial(place.measure, 2, known=True),
                _BARE: peers.send,
                _ROW: peers.insert,
            },
        )
        peers.close()
    theirs = found.pop(_BARE), found.pop(_ROW)
    first = next(iter(found))
    rows = [Row(f"submits: {name}", "/s", sample, _ROW, theirs[1]) for name, sample in found.items()]
    return [Row(f"submits: {first}", "/s", found[first], _BARE, theirs[0]), *rows]


class _Peers:
    """What an order would cost if it were only a message, or only a row."""

    def __init__(self, bare: BarePeer, file: Path, orders: int) -> None:
        self._bare = bare
        self._orders = orders
        self._db = sqlite3.connect(file, isolation_level=None)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE job (id, title)"):
            self._db.execute(statement)

    def send(self) -> float:
        """Return messages a second."""
        return self._orders / seconds(lambda: [self._bare.send() for _ in range(self._orders)])

    def insert(self) -> float:
        """Return rows a second, each in a transaction of its own."""
        insert = partial(self._db.execute, "INSERT INTO job VALUES (?, ?)", ("some id", "some title"))
        return self._orders / seconds(lambda: [insert() for _ in range(self._orders)])

    def close(self) -> None:
        """Close the connections."""
        self._bare.close()
        self._db.close()


class _Place:
    """Where orders go to, and the processes that submit them."""

    def __init__(self, home: Path, root: Path, orders: int) -> None:
        self._home = home
        self._root = root
        self._orders = orders
        self._round = 0

    def measure(self, processes: int, *, known: bool = False) -> float:
        """Return the orders a second of so many processes together."""
        self._round += 1
        contents = [self._contents(number, known=known) for number in range(processes)]
        submitters = [self._start(each) for each in contents]
        for submitter in submitters:
            _read(submitter)  # it is warm
        took = seconds(lambda: _let_go(submitters))
        for submitter in submitters:
            submitter.communicate()
        return processes * self._orders / took

    def _contents(self, number: int, *, known: bool) -> list[Path]:
        """Make the content of each order, and before them that of a warm-up; `known`: all the same, every time."""
        if known:
            folder = self._root / "known"
            return [folder if folder.exists() else tiny_content(folder, "known")] * (self._orders + 1)
        place = self._root / f"round {self._round} process {number}"
        return [tiny_content(place / f"{order:06d}", f"{place.name} {order}") for order in range(self._orders + 1)]

    def _start(self, contents: list[Path]) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "benchmarks.submits", *map(str, [self._home, self._root, *contents])]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _let_go(submitters: "list[subprocess.Popen[str]]") -> None:
    for submitter in submitters:
        assert submitter.stdin is not None  # noqa: S101  (it is a pipe)
        submitter.stdin.write("\n")
        submitter.stdin.flush()
    for submitter in submitters:
        _read(submitter)


def _read(submitter: "subprocess.Popen[str]") -> None:
    assert submitter.stdout is not None  # noqa: S101  (it is a pipe)
    if not submitter.stdout.readline():
        raise RuntimeError("a submitter failed; what it printed is above")


def _submit_all(home: Path, root: Path, first: Path, *others: Path) -> None:
    """Submit one order, say so, wait for a line, submit the others, say so."""
    with Client(settings=load_settings(home=home, content_roots=[root])) as mill:
        mill.submit(data_disc(first))
        print("warm", flush=True)
        sys.stdin.readline()
        for content in others:
            mill.submit(data_disc(content))
        print("done", flush=True)


if __name__ == "__main__":
    _submit_all(*map(Path, sys.argv[1:]))
