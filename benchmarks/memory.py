"""How much memory worker and burner take together while they burn: the same whatever the disc's size is the goal."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.crew import memory_of
from benchmarks.measuring import Scale
from benchmarks.rigs import BenchRig, running_rig
from benchmarks.table import Row, Sample, skipped
from jobs.client import JobHandle
from jobs.ordering import data_disc

#: Megabytes that worker and burner may take together.
_GOAL = 150.0
#: Seconds between two looks.
_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class _Disc:
    """What is burnt: files without content of their own, since zeros are read and fed like any bytes."""

    size: int
    files: int = 1
    rounds: int = 1

    def __str__(self) -> str:
        return f"{self.size / 1e6:,.0f} MB in {self.files:,} file{'s' if self.files > 1 else ''}"


@dataclass(slots=True)
class _Peaks:
    """The most memory seen, in megabytes: proportional set sizes, shared pages divided by those who share them."""

    together: float = 0.0
    worker: float = 0.0
    burner: float = 0.0
    private: float = 0.0  #: pages that nobody else has, worker and burner together

    def take(self, worker: dict[str, float], burner: dict[str, float]) -> None:
        """Keep what is higher than before."""
        self.worker = max(self.worker, worker["Pss"])
        self.burner = max(self.burner, burner["Pss"])
        self.together = max(self.together, worker["Pss"] + burner["Pss"])
        self.private = max(self.private, worker["private"] + burner["private"])


def run(scale: Scale) -> list[Row]:
    """Burn small, large and many-filed discs, unthrottled, and look at the processes meanwhile."""
    discs = [
        _Disc(scale.pick(700_000_000, 30_000_000), rounds=scale.pick(3, 1)),
        _Disc(scale.pick(8_500_000_000, 60_000_000), rounds=scale.pick(2, 1)),
        _Disc(scale.pick(700_000_000, 30_000_000), scale.pick(100_000, 2_000)),
    ]
    rows: list[Row] = []
    with running_rig(scale) as rig:
        rows.append(Row("worker, idle, before the first disc", "MB", Sample.of([_idle(rig)])))
        for disc in discs:
            lack = scale.lacks_room(disc.size)
            rows += (
                [skipped(str(disc), lack)] if lack else _rows(disc, [_burn(rig, disc, n) for n in range(disc.rounds)])
            )
    return rows


def _rows(disc: _Disc, peaks: list[_Peaks]) -> list[Row]:
    goal = Sample.of([_GOAL])
    together = Sample.of(peak.together for peak in peaks)
    return [
        Row(f"{disc}: worker + burner, peak", "MB", together, "the goal", goal),
        Row("  the worker alone, peak", "MB", Sample.of(peak.worker for peak in peaks)),
        Row("  the burner alone, peak", "MB", Sample.of(peak.burner for peak in peaks)),
        Row("  private pages alone, together", "MB", Sample.of(peak.private for peak in peaks)),
    ]


def _idle(rig: BenchRig) -> float:
    time.sleep(1)
    return memory_of(rig.worker_pid())["Pss"]


def _burn(rig: BenchRig, disc: _Disc, number: int) -> _Peaks:
    folder = rig.root / f"{disc} {number}"
    _make_sparse(folder, disc)
    rig.until_ready()
    with _watching(rig) as watch:
        job = rig.mill.submit(data_disc(folder, volume_id=f"RUN_{number}"))
        watch.job.append(job)
        rig.settled(job)
    rig.until_ready()
    rig.clear_shelf()
    return watch.peaks


def _make_sparse(folder: Path, disc: _Disc) -> None:
    size = disc.size // disc.files
    for number in range(disc.files):
        inner = folder / f"{number // 1000:03d}"
        if number % 1000 == 0:
            inner.mkdir(parents=True)
        with (inner / f"{number:06d}.bin").open("wb") as out:
            out.truncate(size)


@dataclass(slots=True)
class _Watch:
    """Looks at worker and burner again and again while a job is made."""

    rig: BenchRig
    peaks: _Peaks = field(default_factory=_Peaks)
    job: list[JobHandle] = field(default_factory=list)  #: one, once it is known
    stop: threading.Event = field(default_factory=threading.Event)

    def look_until_stopped(self) -> None:
        """Sample; the burner's process id is in its evidence."""
        worker, burner = self.rig.worker_pid(), 0
        while not self.stop.wait(_LOOK):
            burner = burner or self._burner()
            self.peaks.take(memory_of(worker), memory_of(burner))

    def _burner(self) -> int:
        attempt = self.rig.attempt(self.job[0]) if self.job else None
        if attempt is None:
            return 0
        return int(self.rig.evidence(attempt.id).get("started", {}).get("pid", 0))


@contextmanager
def _watching(rig: BenchRig) -> Iterator[_Watch]:
    watch = _Watch(rig)
    thread = threading.Thread(target=watch.look_until_stopped, name="memory")
    thread.start()
    try:
        yield watch
    finally:
        watch.stop.set()
        thread.join()
