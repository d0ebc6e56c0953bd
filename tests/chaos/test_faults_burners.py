"""Workers that are killed, burners that are killed and stopped: before the first byte, amid the disc, as it closes."""

import signal
from collections.abc import Iterator

import pytest

from jobs.client import JobHandle
from models.attempt import Attempt
from models.vocabulary import Condition, JobState, Outcome, Stage
from tests.chaos.rig import send
from tests.faults import Bench, bench
from tests.rigs import wait_until

#: What the table calls a stage, and the gate that a burner waits at in it; no gate where it writes.
STAGES = {"preparing": "burner preparing", "writing": "writing", "closing": "burner closing"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(request.param, lease=60.0, stall_after=60.0, replace_after=None) as found:
        yield found


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: Bench) -> Iterator[None]:
    rig.on("r1")
    yield
    rig.put_right()


def reach(rig: Bench, stage: str) -> tuple[JobHandle, Attempt, int]:
    """Bring a burner to a stage, and the ledger too."""
    job, attempt = rig.reach(STAGES[stage])
    if stage == "closing":
        wait_until(lambda: rig.attempts(job)[0].stage is Stage.CLOSING, "the ledger says that it closes")
    return job, attempt, wait_until(lambda: rig.broken.burner("r1"), "its burner runs")


@pytest.mark.parametrize("stage", ["assigned", "preparing", "writing", "closing", "verifying", "settled"])
def test_a_killed_worker_costs_no_disc(rig: Bench, stage: str) -> None:
    if stage == "assigned":
        rig.stop("r1")  # so that it keeps what it is promised
    job, _ = rig.reach(stage)

    send(rig.broken.pid("r1"), signal.SIGKILL)
    rig.end(job)

    assert job.report().state is JobState.COMPLETED
    assert rig.outcomes(job)[-1] is Outcome.GOOD
    assert Outcome.SPOILED not in rig.outcomes(job)
    rig.write_row("worker killed", stage, job)


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_burner_costs_no_more_than_its_disc(rig: Bench, stage: str) -> None:
    job, attempt, burner = reach(rig, stage)
    if stage != "preparing":
        rig.excused.add(attempt.id)

    assert send(burner, signal.SIGKILL)
    rig.end(job)

    lost = Outcome.UNUSED if stage == "preparing" else Outcome.SPOILED
    assert rig.outcomes(job) == [lost, Outcome.GOOD]
    rig.write_row("burner killed", stage, job)


@pytest.mark.parametrize("stage", STAGES)
def test_a_burner_that_is_stopped_for_a_while_goes_on(rig: Bench, stage: str) -> None:
    job, _, burner = reach(rig, stage)

    assert send(burner, signal.SIGSTOP)
    rig.gates.open()
    rig.until_beats("r1")
    assert rig.outcomes(job) == [None]
    send(burner, signal.SIGCONT)
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.GOOD]
    rig.write_row("burner stopped for a while", stage, job)


@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_that_is_killed_leaves_its_burner_alone_and_the_next_one_waits_for_it(rig: Bench, stage: str) -> None:
    job, _, burner = reach(rig, stage)
    send(burner, signal.SIGSTOP)

    send(rig.broken.pid("r1"), signal.SIGKILL)
    wait_until(lambda: rig.condition("r1") is Condition.RECOVERING, "the next worker looks after it")
    rig.until_beats("r1")
    assert rig.outcomes(job) == [None]
    assert send(burner, signal.SIGCONT)
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.GOOD]
    assert job.report().state is JobState.COMPLETED
    rig.write_row("worker killed, its burner still there", stage, job)
