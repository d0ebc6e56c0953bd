"""Workers that are stopped and told to end, in every stage of an attempt, on both databases."""

import signal
from collections.abc import Iterator

import pytest

from jobs.client import JobHandle
from models.vocabulary import Condition, JobState, Outcome
from tests.chaos.rig import send
from tests.faults import Bench, bench
from tests.rigs import DEADLINE, wait_until

STAGES = ("assigned", "preparing", "writing", "closing", "verifying", "settled")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(
        request.param, lease=6.0, stall_after=60.0, replace_after=None
    ) as found:  # a busy machine lets all take its time
        yield found


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: Bench) -> Iterator[None]:
    rig.on("r1", "r2")
    yield
    rig.put_right()


def reach(rig: Bench, stage: str, recorder: str = "r1") -> JobHandle:
    """Bring a disc on one recorder to a stage; who is to keep what it was promised is stopped before."""
    rig.on(recorder)
    if stage == "assigned":
        rig.stop(recorder)
    job, _ = rig.reach(stage)
    return job


@pytest.mark.parametrize("stage", STAGES)
def test_a_worker_that_is_stopped_longer_than_its_lease_costs_no_disc(rig: Bench, stage: str) -> None:
    job = reach(rig, stage)
    rig.stop("r1")
    rig.gates.open()
    wait_until(lambda: rig.condition("r1") is Condition.OFFLINE, "the lease is over")

    rig.on("r1", "r2")
    if stage in {"assigned", "preparing"}:
        assert job.wait(DEADLINE).state is JobState.COMPLETED  # elsewhere, at once
    send(rig.broken.pid("r1"), signal.SIGCONT)
    rig.end(job)

    assert job.report().state is JobState.COMPLETED
    assert Outcome.SPOILED not in rig.outcomes(job)
    rig.write_row("worker stopped longer than its lease", stage, job)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_sigterm_lets_the_disc_be_finished_and_nothing_new_start(rig: Bench, stage: str) -> None:
    job = reach(rig, stage)
    next_job = rig.order()
    with rig.broken.hold:  # whatever ends stays away for now: the broker too, so that no message is needed
        worker = rig.broken.pid("r1")
        send(rig.broken.rig._redis.pid, signal.SIGKILL)

        send(worker, signal.SIGTERM)
        rig.gates.open()
        wait_until(lambda: rig.broken.pid("r1") is None, "the worker has ended")
        ended = rig.outcomes(job)
        started = [attempt.stage for attempt in rig.attempts(next_job) if attempt.started is not None]
    rig.end(job)
    rig.end(next_job)

    assert ended == [Outcome.GOOD]
    assert started == []
    rig.write_row("SIGTERM to the worker", stage, job)


def test_sigterm_ends_a_worker_whose_old_burner_hangs_though_a_message_waits(rig: Bench) -> None:
    job = reach(rig, "writing")
    burner, old, before = rig.broken.burner("r1"), rig.broken.pid("r1"), received(rig)
    send(burner, signal.SIGSTOP)
    send(old, signal.SIGKILL)
    wait_until(lambda: rig.broken.pid("r1") not in {None, old}, "the worker is started again")
    wait_until(lambda: rig.condition("r1") is Condition.RECOVERING, "it looks after the old burner")
    rig.replay(job, "r1")
    wait_until(lambda: received(rig) > before, "the old message was taken")

    with rig.broken.hold:
        send(rig.broken.pid("r1"), signal.SIGTERM)
        wait_until(lambda: rig.broken.pid("r1") is None, "the worker has ended", 20)
        send(burner, signal.SIGCONT)
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.GOOD]
    rig.write_row("SIGTERM to a worker whose old burner hangs", "writing", job)


def received(rig: Bench) -> int:
    """Count the messages that a worker has taken."""
    return (rig.broken.settings.home / "logs" / "r1.log").read_text().count("] received")
