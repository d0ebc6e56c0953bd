"""The checker is checked: a rig with a defect put in must be found out, or be shown to do no harm.

Each is struck where the defect does most harm, so that it is no matter of luck.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select

from models.attempt import Attempt
from models.vocabulary import Outcome, Stage
from tests.chaos.defects import environment
from tests.chaos.faults import Hand
from tests.chaos.plan import Kind, Step
from tests.chaos.report import lines_of
from tests.chaos.rig import send, short_folder
from tests.chaos.run import Chaos, Result, run

Aim = Callable[[Hand], bool]


def amid_writing(hand: Hand) -> str | None:
    """Name a recorder whose disc is being written."""
    with hand.rig.database.read() as db:
        writing = select(Attempt.recorder).where(Attempt.stage == Stage.WRITING, Attempt.blocks_done > 0)
        return db.scalar(writing.limit(1))


def kill_a_worker_amid_writing(hand: Hand) -> bool:
    recorder = amid_writing(hand)
    return recorder is not None and send(hand.rig.pid(recorder), signal.SIGKILL)


def kill_a_burner(hand: Hand) -> bool:
    before = hand.done[Kind.KILL_BURNER]
    for number in range(len(hand.rig.recorders)):
        hand.do(Step(0, Kind.KILL_BURNER, number, 0))
    return hand.done[Kind.KILL_BURNER] > before


def replay_everything(hand: Hand) -> bool:
    before = hand.done[Kind.REPLAY]
    if len(hand.jobs) > 1 and amid_writing(hand):
        hand.do(Step(0, Kind.REPLAY, 0, 0))
    return hand.done[Kind.REPLAY] > before


def flip_bits(hand: Hand) -> bool:
    """Let every disc have a wrong bit until one of them was called good."""
    for recorder in hand.rig.recorders:
        if not hand.rig.drive(recorder).status()["faults"]:
            hand.rig.drive(recorder).add_fault("flip@200")
    with hand.rig.database.read() as db:
        return db.scalar(select(Attempt.id).where(Attempt.outcome == Outcome.GOOD)) is not None


@dataclass(slots=True)
class WhenNoted:
    """Strikes the process that notes something in the defect's log."""

    log: Path
    what: str
    number: signal.Signals
    read: int = 0

    def __call__(self, hand: Hand) -> bool:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        pids = [int(line.split()[0]) for line in lines[self.read :] if line.endswith(self.what)]
        self.read = len(lines)
        struck = [pid for pid in pids[-1:] if send(pid, self.number)]
        if struck and self.number is signal.SIGSTOP:
            hand.after(2 * hand.rig.settings.lease, partial(send, struck[0], signal.SIGCONT))
        return bool(struck)


def run_with(defect: str, log: Path, aim: Aim, strikes: int, speed: float = 10) -> Result:
    """Strike a rig that has a defect."""
    seen = environment(defect, log)
    chaos = Chaos(7, 60, recorders=2, environment=seen, speed=speed, jobs=2, deadline=20, aim=aim, strikes=strikes)
    with short_folder() as folder:
        return run(chaos, folder)


def assert_caught(result: Result, log: Path, invariant: str) -> None:
    report = "\n".join(lines_of(result))
    assert log.exists(), f"the defect was never met:\n{report}"
    assert invariant in {violation.invariant for violation in result.violations}, report


def test_a_recovery_that_does_not_look_at_the_disc_is_caught(tmp_path: Path) -> None:
    log = tmp_path / "log"

    result = run_with("recovery does not look", log, kill_a_worker_amid_writing, 2)

    assert_caught(result, log, "every good disc is recorded")


def test_a_drive_without_a_lock_is_caught(tmp_path: Path) -> None:
    log = tmp_path / "log"

    result = run_with("no drive lock", log, kill_a_worker_amid_writing, 1, speed=1)

    assert_caught(result, log, "no disc is spoiled without a cause")


def test_an_eject_before_the_commit_is_caught(tmp_path: Path) -> None:
    log = tmp_path / "log"

    result = run_with("eject before commit", log, WhenNoted(log, "ejected", signal.SIGKILL), 1)

    assert_caught(result, log, "the shelves hold what was decided")


def test_a_fence_that_is_ignored_is_caught(tmp_path: Path) -> None:
    log = tmp_path / "log"

    result = run_with("fences are ignored", log, WhenNoted(log, "asks", signal.SIGSTOP), 2)

    assert_caught(result, log, "every good disc is recorded")


def test_a_failure_without_recovery_is_caught(tmp_path: Path) -> None:
    log = tmp_path / "log"

    result = run_with("no recovery on exception", log, kill_a_burner, 1)

    assert_caught(result, log, "everything comes to rest")


def test_a_verdict_without_reading_is_caught(tmp_path: Path) -> None:
    log = tmp_path / "log"

    result = run_with("verdict without reading", log, flip_bits, 1)

    assert_caught(result, log, "every recorded disc is good")


def test_a_claim_without_its_guard_does_no_harm(tmp_path: Path) -> None:
    """The table of legal moves and the unique indexes hold where the guard does not."""
    log = tmp_path / "log"

    result = run_with("claim is unguarded", log, replay_everything, 4)

    report = "\n".join(lines_of(result))
    assert any(not line.endswith("claimed at assigned") for line in log.read_text().splitlines()), report
    assert not result.violations, report
