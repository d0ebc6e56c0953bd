"""Jobs that are called off in every stage of their disc, also while its host is away."""

import signal
from collections.abc import Iterator

import pytest

from jobs import control
from jobs.client import JobHandle
from models.vocabulary import Condition, JobState, Outcome, Stage
from tests.chaos.rig import send
from tests.faults import Bench, bench
from tests.rigs import DEADLINE, wait_until

#: Where the attempt stands, and what becomes of its disc; None where there is no attempt.
BECOMES = {
    "queued": None,
    "assigned": Outcome.UNUSED,
    "preparing": Outcome.UNUSED,
    "writing": Outcome.SPOILED,
    "closing": Outcome.SURPLUS,
    "verifying": Outcome.SURPLUS,
}
#: The stages that a gate of another name leads to.
GATE_OF = {"closing": "burner closing"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(request.param, speed=4, lease=6.0, stall_after=60.0, replace_after=None) as found:
        yield found


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: Bench) -> Iterator[None]:
    rig.on("r1")
    yield
    rig.put_right()


def reach(rig: Bench, stage: str) -> JobHandle:
    """Bring a job's only disc to a stage."""
    if stage == "queued":
        control.pause(rig.broken.database, rig.broken.recorders)
        return rig.order()
    if stage == "assigned":
        rig.stop("r1")
    job, _ = rig.reach(GATE_OF.get(stage, stage))
    if stage == "closing":
        wait_until(lambda: rig.attempts(job)[0].stage is Stage.CLOSING, "the ledger says that it closes")
    return job


@pytest.mark.parametrize("stage", BECOMES)
def test_a_job_that_is_called_off_ends_and_its_disc_is_accounted_for(rig: Bench, stage: str) -> None:
    job = reach(rig, stage)
    rig.excused.add(job.id)

    job.cancel()
    rig.gates.open()
    rig.broken.wake_all()
    rig.end(job)

    assert job.report().state is JobState.CANCELLED
    assert rig.outcomes(job) == ([] if BECOMES[stage] is None else [BECOMES[stage]])
    rig.write_row("job called off", stage, job)


@pytest.mark.parametrize("stage", ["preparing", "writing", "verifying"])
def test_a_job_that_is_called_off_while_its_host_is_away_ends_at_once(rig: Bench, stage: str) -> None:
    job = reach(rig, stage)
    rig.excused.add(job.id)
    rig.stop("r1")
    wait_until(lambda: rig.condition("r1") is Condition.OFFLINE, "the lease is over")

    job.cancel()
    assert job.wait(DEADLINE).state is JobState.CANCELLED  # the host is still away
    wait_until(lambda: rig.broken.burner("r1") is None, "its burner, which nobody told, is done")
    rig.gates.open()
    send(rig.broken.pid("r1"), signal.SIGCONT)
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.UNUSED if stage == "preparing" else Outcome.SURPLUS]
    assert job.report().state is JobState.CANCELLED
    rig.write_row("job called off while its host is away", stage, job)
