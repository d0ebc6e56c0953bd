"""The checker is checked: a rig with a defect put in must be found out, or be shown to do no harm.

Each is struck where the defect does most harm, until it has done it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pytest

from models.vocabulary import Outcome
from tests.chaos.defects import environment
from tests.chaos.report import lines_of
from tests.chaos.rig import short_folder
from tests.chaos.run import Chaos, Result, run
from tests.chaos.strikes import (
    Aim,
    KillBetween,
    KillTheWorker,
    Log,
    StopWhoNotes,
    Until,
    flip_bits,
    has,
    kill_the_burners,
    noted,
    replay_everything,
)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of a rig with a defect, and what the defect noted."""

    result: Result
    notes: set[str]

    @property
    def report(self) -> str:
        return "\n".join(lines_of(self.result))

    @property
    def broken(self) -> set[str]:
        return {violation.invariant for violation in self.result.violations}


def run_with(defect: str, aim: Callable[[Log], Aim], speed: float, deadline: float) -> Found:
    """Strike a rig that has a defect; it may never come to rest again."""
    with short_folder() as folder, short_folder() as aside:
        log = Log(aside / "log")
        seen = environment(defect, log.file)
        chaos = Chaos(7, 150, recorders=2, environment=seen, speed=speed, jobs=2, deadline=deadline, aim=aim(log))
        result = run(chaos, folder)
        return Found(result, {what for _, what in log.notes()})


def under(defect: str, aim: Callable[[Log], Aim], speed: float = 10, deadline: float = 15) -> pytest.MarkDecorator:
    """Give a test what was found of a rig with a defect."""
    return pytest.mark.parametrize(
        "found", [partial(run_with, defect, aim, speed, deadline)], ids=[defect], indirect=True
    )


@under("recovery does not look", lambda log: Until(noted(log, "did not look"), KillTheWorker()))
def test_a_recovery_that_does_not_look_at_the_disc_is_caught(found: Found) -> None:
    assert "every good disc is recorded" in found.broken, found.report


@under("no drive lock", lambda _: Until(has(Outcome.SPOILED), KillTheWorker()), speed=1)
def test_a_drive_without_a_lock_is_caught(found: Found) -> None:
    assert "did not lock" in found.notes
    assert "no disc is spoiled without a cause" in found.broken, found.report


@under("eject before commit", lambda log: KillBetween(log, "ejected"))
def test_an_eject_before_the_commit_is_caught(found: Found) -> None:
    assert "the shelves hold what was decided" in found.broken, found.report


@under("fences are ignored", lambda log: Until(noted(log, "ignored"), StopWhoNotes(log, "asks")))
def test_a_fence_that_is_ignored_is_caught(found: Found) -> None:
    assert "every good disc is recorded" in found.broken, found.report


@under("no recovery on exception", lambda log: Until(noted(log, "left it"), kill_the_burners))
def test_a_failure_without_recovery_is_caught(found: Found) -> None:
    assert "everything is at rest" in found.broken, found.report


@under("verdict without reading", lambda _: Until(has(Outcome.GOOD, 3), flip_bits))
def test_a_verdict_without_reading_is_caught(found: Found) -> None:
    assert "did not read" in found.notes
    assert "every recorded disc is good" in found.broken, found.report


@under("claim is unguarded", lambda log: Until(noted(log, "claimed again"), replay_everything), deadline=120)
def test_a_claim_without_its_guard_does_no_harm(found: Found) -> None:
    """The table of legal moves and the unique indexes hold where the guard does not."""
    assert not found.result.violations, found.report
