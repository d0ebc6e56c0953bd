"""Health as containers ask for it: each part by itself, told by signs of life."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from jobs import control
from jobs.settings import subprocess_environment
from models.recorder import Recorder
from tests.rigs import TestRig, running_rig, wait_until
from workers.cli import app


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestRig]:
    home, root = tmp_path_factory.mktemp("rig"), tmp_path_factory.mktemp("content")
    with running_rig(home, root, flower=True, heartbeat=0.3) as running:
        yield running


def health(rig: TestRig, *words: str) -> tuple[int, dict[str, Any]]:
    """Ask as a container does; return the exit code and the one check."""
    port = str(rig.rig.flower_url).rpartition(":")[2]
    environment = {**subprocess_environment(rig.settings), "DISCMILL_FLOWER_PORT": port}
    result = CliRunner().invoke(app, ["health", *words, "--json"], env=environment)
    return result.exit_code, json.loads(result.stdout)["checks"][0]


@pytest.mark.parametrize("words", [["database"], ["broker"], ["dispatcher"], ["recorder", "r1"], ["flower"]])
def test_what_runs_is_well(rig: TestRig, words: list[str]) -> None:
    wait_until(lambda: health(rig, *words)[0] == 0, f"{words} is well")

    code, check = health(rig, *words)

    assert (code, check["ok"]) == (0, True)
    assert check["name"] == " ".join(words)


def test_a_recorder_that_needs_a_person_has_a_worker_that_is_well(rig: TestRig) -> None:
    with rig.mill.database.write() as db:
        db.get_one(Recorder, "r1").attention = "see to its drive"
    try:
        code, check = health(rig, "recorder", "r1")
    finally:
        control.clear(rig.mill.database, ["r1"])

    assert (code, check["ok"], check["message"]) == (0, True, "its worker lives; the recorder is attention")


@pytest.mark.parametrize(("program", "words"), [("dispatcher", ["dispatcher"]), ("r1", ["recorder", "r1"])])
def test_what_stands_still_is_not_well_whatever_the_ledger_says(rig: TestRig, program: str, words: list[str]) -> None:
    pid = rig.pid(program)
    os.kill(pid, signal.SIGSTOP)
    try:
        code, check = health(rig, *words)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert (code, check["ok"]) == (1, False)
    assert "no sign of life" in check["message"]


def test_a_recorder_nobody_knows_is_not_well(rig: TestRig) -> None:
    code, check = health(rig, "recorder", "r9")

    assert code == 1
    assert "no recorder r9" in check["message"]


@pytest.mark.parametrize("words", [["recorder"], ["database", "r1"], ["printer"]])
def test_a_question_that_makes_no_sense_is_a_wrong_usage(words: list[str]) -> None:
    assert CliRunner().invoke(app, ["health", *words]).exit_code == 2


def test_flower_that_is_not_there_is_not_well(tmp_path: Path) -> None:
    environment = {"DISCMILL_HOME": str(tmp_path), "DISCMILL_FLOWER_PORT": "1"}

    result = CliRunner().invoke(app, ["health", "flower"], env=environment)

    assert result.exit_code == 1
    assert "does not answer at 127.0.0.1:1" in result.stdout
