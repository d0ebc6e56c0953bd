"""How long an idle recorder's laser takes to go on, from the call of `submit`, and where that time goes."""

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from sqlalchemy import event
from sqlalchemy.orm import Session

from benchmarks.bare_worker import bare_peer
from benchmarks.measuring import Scale, boot_clock, tiny_content
from benchmarks.rigs import BenchRig, running_rig
from benchmarks.table import Row, Sample
from jobs.ordering import data_disc
from models.job import Job

#: Orders before the first that counts: the first of a process imports and connects.
_WARM_UP = 2
#: Seconds, at most, that the recorder idles before an order: its worker looks around every half second.
_IDLE = 1.0
#: The road of an order. Who notes each moment: this process ("called", "committed"), the ledger's journal
#: ("assigned", "claimed", "permitted"), the burner's evidence ("started", and "opened": the laser may go on).
_ROAD = ("called", "committed", "assigned", "claimed", "permitted", "started", "opened")
_LEGS = {
    "committed": "submit called -> order committed",
    "assigned": "order committed -> copy assigned",
    "claimed": "assigned -> claimed by the worker",
    "permitted": "claimed -> permit journalled",
    "started": "permit -> burner runs",
    "opened": "burner runs -> laser on",
}
_MS = 1000.0


@dataclass(slots=True)
class _Commits:
    """Notes when orders become visible: when the transaction that inserts a job has committed."""

    at: list[float] = field(default_factory=list)

    def flushed(self, db: Session, _context: object) -> None:
        """Mark a transaction that brings a job."""
        if any(isinstance(row, Job) for row in db.new):
            db.info["brings a job"] = True

    def committed(self, db: Session) -> None:
        """Note the moment, if it was such a transaction."""
        if db.info.pop("brings a job", False):
            self.at.append(boot_clock())


def run(scale: Scale) -> list[Row]:
    """Order tiny discs one after the other; beside each, have a bare Celery worker begin a task."""
    rounds = scale.pick(30, 3)
    with running_rig(scale) as rig, bare_peer(rig.settings.broker_url, scale.folder) as peer, _noting() as commits:
        trips, bare = [], []
        for number in range(-_WARM_UP, rounds):
            trip, delay = _one_order(rig, commits, number), peer.delay()
            if number >= 0:
                trips.append(trip)
                bare.append(delay)
    return _rows(trips, Sample.of(bare).scaled(_MS))


@contextmanager
def _noting() -> Iterator[_Commits]:
    commits = _Commits()
    hooks = (("after_flush", commits.flushed), ("after_commit", commits.committed))
    for name, hook in hooks:
        event.listen(Session, name, hook)
    try:
        yield commits
    finally:
        for name, hook in hooks:
            event.remove(Session, name, hook)


def _one_order(rig: BenchRig, commits: _Commits, number: int) -> dict[str, float]:
    """Order a disc of new content from an idle recorder; return when it passed each point of its road."""
    content = data_disc(tiny_content(rig.root / f"order {number}", f"order {number}"))
    rig.until_ready()
    time.sleep(random.uniform(0.3, _IDLE))  # noqa: S311  (so that orders do not fall in step with the watch)
    called = boot_clock()
    job = rig.mill.submit(content)
    attempt = rig.settled(job)
    evidence, journal = rig.evidence(attempt.id), rig.journal(job)
    return {
        "called": called,
        "committed": commits.at[-1],
        "assigned": journal["assigned"],
        "claimed": journal["claimed"],
        "permitted": journal["writing"],
        "started": float(evidence["started"]["clock"]),
        "opened": float(evidence["opened"]["clock"]),
    }


def _rows(trips: Sequence[dict[str, float]], bare: Sample) -> list[Row]:
    peer = "bare Celery: send_task -> task begins"
    whole, after_commit = _leg(trips, "called", "opened"), _leg(trips, "committed", "opened")
    rows = [
        Row("submit called -> laser on, p50", "ms", whole, peer, bare),
        _p99("submit called -> laser on, p99", whole, peer, bare),
        Row("order committed -> laser on, p50", "ms", after_commit, peer, bare),
        _p99("order committed -> laser on, p99", after_commit, peer, bare),
    ]
    legs = [Row(f"  of that: {_LEGS[end]}", "ms", _leg(trips, begin, end)) for begin, end in pairwise(_ROAD)]
    return rows + legs


def _leg(trips: Sequence[dict[str, float]], begin: str, end: str) -> Sample:
    return Sample.of(trip[end] - trip[begin] for trip in trips).scaled(_MS)


def _p99(name: str, ours: Sample, peer: str, theirs: Sample) -> Row:
    return Row(name, "ms", Sample.of([ours.percentile(99)]), f"{peer}, p99", Sample.of([theirs.percentile(99)]))
