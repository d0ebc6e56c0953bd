"""Recorders that stall, disappear and come back, and discs that go wrong, on both databases."""

import contextlib
import signal
from collections.abc import Iterator

import pytest

from jobs.client import JobHandle
from jobs.errors import MediumDiffers, RecorderMissing, RecorderStalled, SessionNotClosed
from models.vocabulary import JobState, Outcome
from tests.chaos.rig import send
from tests.chaos.shelf import TRAY, read_discs
from tests.faults import Bench, bench
from tests.rigs import DEADLINE, wait_until


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(request.param, stall_after=1.5) as found:
        yield found


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: Bench) -> Iterator[None]:
    rig.on("r1", "r2")
    yield
    rig.put_right()


@pytest.mark.parametrize("stage", ["preparing", "writing", "closing", "verifying", "settled"])
def test_a_recorder_that_disappears_and_comes_back_loses_no_copy(rig: Bench, stage: str) -> None:
    rig.on("r1")
    job, _ = rig.reach(stage)
    rig.excused.add(f"r1/{RecorderMissing.code}")

    rig.broken.drive("r1").unplug()
    rig.gates.open()
    if stage == "settled":
        wait_until(lambda: rig.condition("r1") == "attention", "the worker misses its recorder")
    else:
        rig.on("r1", "r2")
        assert job.wait(DEADLINE).state is JobState.COMPLETED
    rig.broken.drive("r1").replug()
    rig.end(job)
    wait_until(lambda: is_free(rig), "what was written is out of the tray")

    assert job.report().state is JobState.COMPLETED
    rig.write_row("recorder unplugged and plugged in again", stage, job)


def is_free(rig: Bench) -> bool:
    """Say whether no written disc is in a tray any more."""
    with contextlib.suppress(OSError):  # it is leaving right now
        return all(disc.place != TRAY for disc in read_discs(rig.broken.settings.home / "recorders"))
    return False


def test_a_recorder_that_stalls_for_a_moment_makes_its_disc(rig: Bench) -> None:
    rig.on("r1")
    rig.broken.drive("r1").add_fault("stall@300")
    job, _ = rig.reach("writing")

    rig.broken.drive("r1").clear_faults()
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.GOOD]
    rig.write_row("recorder stalls for a moment", "writing", job)


def test_a_recorder_that_stalls_for_good_leaves_its_copy_to_another(rig: Bench) -> None:
    rig.on("r1")
    rig.excused.add(f"r1/{RecorderStalled.code}")
    rig.broken.drive("r1").add_fault("stall@300")
    job, _ = rig.reach("writing")

    rig.on("r2")
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.SPOILED, Outcome.GOOD]
    assert rig.attempts(job)[1].recorder == "r2"
    rig.write_row("recorder stalls for good", "writing", job)


@pytest.mark.parametrize("killed", [False, True])
def test_a_session_that_was_not_closed_is_spoiled_also_by_a_recovery(rig: Bench, killed: bool) -> None:  # noqa: FBT001
    rig.on("r1")
    rig.excused |= {f"r1/{SessionNotClosed.code}", f"r1/{MediumDiffers.code}"}
    rig.broken.drive("r1").add_fault("close-error")
    job, _ = rig.reach("writing")

    if killed:
        send(rig.broken.pid("r1"), signal.SIGKILL)
    until_first_is_settled(rig, job)
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.SPOILED, Outcome.GOOD]
    rig.write_row(f"session can't be closed{', worker killed meanwhile' if killed else ''}", "closing", job)


def test_a_bit_that_lands_wrong_is_found(rig: Bench) -> None:
    rig.on("r1")
    rig.excused.add(f"r1/{MediumDiffers.code}")
    rig.broken.drive("r1").add_fault("flip@200")

    job = rig.order()
    until_first_is_settled(rig, job)
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.SPOILED, Outcome.GOOD]
    rig.write_row("a bit lands wrong on the disc", "writing", job)


def until_first_is_settled(rig: Bench, job: JobHandle) -> None:
    """Let the fault meet one disc only."""
    wait_until(lambda: any(rig.outcomes(job)), "the first disc has its verdict")
    rig.broken.drive("r1").clear_faults()
