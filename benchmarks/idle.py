"""How long a drive idles between two copies of one job: verdict committed -> the first block of the next."""

from collections.abc import Sequence
from itertools import pairwise

from sqlalchemy import select

from benchmarks.measuring import Scale, tiny_content
from benchmarks.rigs import BenchRig, boot_time, running_rig
from benchmarks.table import Row, Sample
from jobs.client import JobHandle
from jobs.ordering import data_disc
from models.attempt import Attempt
from models.event import Event

#: Milliseconds that a drive may idle.
_GOAL = 100.0
#: The road from one verdict to the next disc's laser. "settled" is noted before its commit, "opened" before the first
#: byte, so that what is measured is rather too long than too short.
_ROAD = ("settled", "ejected", "assigned", "claimed", "permitted", "started", "opened")
_LEGS = {
    "ejected": "verdict -> the disc has left",
    "assigned": "the disc has left -> next blank in, next copy assigned",
    "claimed": "assigned -> claimed by the worker",
    "permitted": "claimed -> permit journalled",
    "started": "permit -> the burner has its go",
    "opened": "go -> laser on",
}
_MS = 1000.0


def run(scale: Scale) -> list[Row]:
    """Make many copies of one tiny disc on one emulated recorder with a feeder, and look at the gaps between them."""
    with running_rig(scale) as rig:
        content = data_disc(tiny_content(rig.root / "idle", "idle"))
        job = rig.mill.submit(content, copies=scale.pick(31, 5))
        job.wait()
        gaps = _gaps(rig, job)
    goal = Sample.of([_GOAL])
    whole = _leg(gaps, "settled", "opened")
    rows = [Row("verdict committed -> laser on for the next copy, median", "ms", whole, "the goal", goal)]
    rows.append(Row("  the same, p90", "ms", Sample.of([whole.percentile(90)])))
    return rows + [Row(f"  of that: {_LEGS[end]}", "ms", _leg(gaps, begin, end)) for begin, end in pairwise(_ROAD)]


def _gaps(rig: BenchRig, job: JobHandle) -> list[dict[str, float]]:
    """Return when each gap passed each point of the road, on the boot clock."""
    with rig.mill.database.read() as db:
        attempts = db.scalars(select(Attempt).where(Attempt.job_id == job.id).order_by(Attempt.id)).all()
        rows = db.execute(select(Event.attempt_id, Event.kind, Event.at).where(Event.job_id == job.id)).all()
    journal = {(attempt, kind): boot_time(at) for attempt, kind, at in rows}
    return [_gap(rig, journal, before, after) for before, after in pairwise(attempts)]


def _gap(
    rig: BenchRig, journal: dict[tuple[str | None, str], float], before: Attempt, after: Attempt
) -> dict[str, float]:
    if before.finished is None or before.ejected is None:
        raise RuntimeError("an attempt that is settled has no time of its end")
    evidence = rig.evidence(after.id)
    return {
        "settled": boot_time(before.finished),
        "ejected": boot_time(before.ejected),
        "assigned": journal[after.id, "assigned"],
        "claimed": journal[after.id, "claimed"],
        "permitted": journal[after.id, "writing"],
        "started": float(evidence["started"]["clock"]),
        "opened": float(evidence["opened"]["clock"]),
    }


def _leg(gaps: Sequence[dict[str, float]], begin: str, end: str) -> Sample:
    return Sample.of(gap[end] - gap[begin] for gap in gaps).scaled(_MS)
