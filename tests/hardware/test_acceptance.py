"""Acceptance from beginning to end: real burn programs, a modelled drive, an operator who types and changes discs."""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import BurnCancelled, MediumDiffers, WriteFailed
from jobs.mastering.medium import MediumKind
from tests.scsi_rig import DEADLINE, NODE, ScsiRig, scsi_rig
from workers.locks import FileLock
from workers.mmc.__main__ import ask
from workers.mmc.control import ControlServer
from workers.recorders.libburn import locks_of

ROOT = Path(__file__).parents[2]
STEP, PROMPT = re.compile(r"Step \d of \d, ([a-z-]+):"), "q: end here]"
#: Bytes a second: a burn of a few megabytes has a midst in which it can be called off.
RATE = 2_500_000.0
Report = dict[str, Any]


@dataclass
class Operator:
    """Reads a terminal, changes discs through the drive's control, and types what is asked for."""

    control: Path
    terminal: int
    program: "subprocess.Popen[bytes]"
    #: What to do at the prompts of a step, one after the other; the last is repeated.
    habits: dict[str, list[Callable[["Operator"], str]]]
    seen: str = ""
    _asked: dict[str, int] = field(default_factory=dict)

    def serve(self) -> int:
        """Answer until the program ends; return its exit code. It may be silent for so long, and no longer."""
        heard, since, end = 0, 0, time.monotonic() + DEADLINE
        while self._read():
            if len(self.seen) > heard:
                heard, end = len(self.seen), time.monotonic() + DEADLINE
            assert time.monotonic() < end, self.seen
            if PROMPT in self.seen[since:]:
                since = len(self.seen)
                os.write(self.terminal, f"{self._answer()}\n".encode())
        return self.program.wait(DEADLINE)

    def _read(self) -> bool:
        if select.select([self.terminal], [], [], 1.0)[0]:
            try:
                piece = os.read(self.terminal, 1 << 16)
            except OSError:  # nobody has the other end any more
                return False
            self.seen += piece.decode(errors="replace")
            return bool(piece)
        return self.program.poll() is None

    def _answer(self) -> str:
        step = STEP.findall(self.seen)[-1]
        number = self._asked[step] = self._asked.get(step, 0) + 1
        habits = self.habits[step]
        return habits[min(number, len(habits)) - 1](self)

    def handle(self, **request: object) -> None:
        answer = ask(self.control, request)
        assert answer["ok"], answer


def insert(kind: MediumKind) -> Callable[[Operator], str]:
    def put(operator: Operator) -> str:
        operator.handle(do="fault", specs=[])
        operator.handle(do="insert", kind=kind)
        return ""

    return put


def scratch(block: int) -> Callable[[Operator], str]:
    def scratch_and_push_in(operator: Operator) -> str:
        operator.handle(do="fault", specs=[f"read-error@{block}"])
        operator.handle(do="close")
        return ""

    return scratch_and_push_in


def say(word: str) -> Callable[[Operator], str]:
    return lambda _: word


@contextmanager
def controlled(shim: Path, folder: Path, rate: float | None = None) -> Iterator[ScsiRig]:
    with scsi_rig(shim, folder, rate) as rig, ControlServer(rig.drive, rig.shelf, folder / "control"):
        yield rig


def accept(rig: ScsiRig, habits: dict[str, list[Callable[[Operator], str]]], *words: str) -> tuple[int, Report, str]:
    """Run an acceptance at a terminal; return its exit code, its report, and what was to be seen."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "workers", "acceptance", "--recorder", f"scsi:{NODE}", "--size", "3", *words]
    environment = {**rig.environment, "DISCMILL_HOME": str(rig.folder / "home"), "TERM": "dumb"}
    report = rig.folder / "report.md"
    program = subprocess.Popen(
        [*command, "--report", str(report)],
        cwd=ROOT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        operator = Operator(rig.folder / "control", ours, program, habits)
        code = operator.serve()
    finally:
        program.kill()
        program.wait()
        os.close(ours)
    document: Report = json.loads(report.with_suffix(".json").read_text())
    return code, document, operator.seen


def results(report: Report) -> dict[str, str]:
    return {step["step"]: step["result"] for step in report["steps"]}


CD, DVD = MediumKind.CD_R, MediumKind.DVD_PLUS_R


@pytest.mark.timeout(300)  # five discs, one after the other
def test_an_owner_is_led_through_all_steps_to_a_report(shim: Path, short_path: Path) -> None:
    habits = {
        "data-cd": [insert(DVD), insert(CD)],  # a wrong one first
        "audio-cd": [insert(CD)],
        "dvd": [insert(DVD)],
        "bd": [say("s")],
        "abort": [insert(CD)],
        "bad-disc": [insert(CD), scratch(700)],
    }
    with controlled(shim, short_path, RATE) as rig:
        code, report, seen = accept(rig, habits)
        serial = rig.drive.serial

    assert code == 0, seen
    assert results(report) == {
        "data-cd": "passed",
        "audio-cd": "passed",
        "dvd": "passed",
        "bd": "skipped",
        "abort": "passed",
        "bad-disc": "passed",
    }, seen
    steps = {step["step"]: step for step in report["steps"]}
    assert "A blank dvd+r is in the drive, which will not do." in seen
    assert steps["data-cd"]["speed_x"] > 1
    assert steps["abort"]["error"]["code"] == BurnCancelled.code
    assert steps["bad-disc"]["message"].startswith("the damage was found: block 7")
    assert (report["emulated"], report["recorder"]["serial"], report["programs"]["cdrskin"][:2]) == (
        False,
        serial,
        "1.",
    )
    markdown = (short_path / "report.md").read_text()
    assert f"| serial | {serial} |" in markdown
    assert "Writing to '/dev/sr0' completed successfully" in markdown
    assert str(short_path) not in markdown + json.dumps(report)
    assert list((short_path / "home").iterdir()) == []


def test_a_write_error_is_reported_with_its_code_and_its_log(shim: Path, short_path: Path) -> None:
    def insert_a_bad_one(operator: Operator) -> str:
        insert(CD)(operator)
        operator.handle(do="fault", specs=["write-error@700"])
        return ""

    with controlled(shim, short_path) as rig:
        code, report, seen = accept(rig, {"data-cd": [insert_a_bad_one]}, "--steps", "data-cd")

    (step,) = report["steps"]
    assert (code, step["result"], step["error"]["code"]) == (1, "failed", WriteFailed.code), seen
    assert "[3 0C 00]" in step["log"]


def test_a_disc_that_is_not_scratched_fails_the_step_and_the_operator_may_end(shim: Path, short_path: Path) -> None:
    def push_in(operator: Operator) -> str:
        operator.handle(do="close")
        return ""

    habits = {"abort": [say("q")], "bad-disc": [insert(CD), push_in]}
    with controlled(shim, short_path) as rig:
        code, report, seen = accept(rig, habits, "--steps", "bad-disc")
        (short_path / "report.md").unlink()
        ended, unfinished, _ = accept(rig, habits, "--steps", "abort,bad-disc")

    assert (code, results(report)) == (1, {"bad-disc": "failed"}), seen
    assert "calls a scratched disc good" in report["steps"][0]["message"]
    assert (ended, set(results(unfinished).values())) == (1, {"skipped"})
    assert MediumDiffers.code not in seen


def test_a_recorder_that_a_worker_owns_is_left_alone(shim: Path, short_path: Path) -> None:
    with controlled(shim, short_path) as rig:
        locks = locks_of(f"DISCMILL-MMC_RECORDER-{rig.drive.serial}")
        with FileLock(locks / "owner"):
            command = (sys.executable, "-m", "workers", "acceptance", "--recorder", NODE)
            ran = rig.run(*command, "--report", str(short_path / "report.md"))

    assert ran.code == 1
    assert "a worker owns scsi:/dev/sr0" in ran.err
    assert not (short_path / "report.md").exists()


@pytest.mark.parametrize("words", [["--steps", "data-cd,lunch"], ["--size", "1"], []])
def test_a_wrong_usage_is_refused_before_anything_is_done(words: list[str]) -> None:
    recorder = ["--recorder", NODE] if words else []

    ran = subprocess.run([sys.executable, "-m", "workers", "acceptance", *recorder, *words], cwd=ROOT, check=False)

    assert ran.returncode == 2
