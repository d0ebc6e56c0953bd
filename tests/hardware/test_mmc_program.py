"""The modelled drive as its documentation tells to use it: a program in one terminal, burn programs in another."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scsi_rig import DEADLINE, NODE

ROOT = Path(__file__).parents[2]


def mmc(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workers.mmc", str(folder), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEADLINE)


@pytest.fixture
def served(short_path: Path) -> Iterator[Path]:
    command = [sys.executable, "-m", "workers.mmc", str(short_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert NODE in program.stdout.readline()
        yield short_path
        program.terminate()
        assert program.wait(DEADLINE) == 0
    assert not (short_path / "control").exists()


def test_a_blank_that_is_put_in_is_found_by_a_burn_program(served: Path) -> None:
    put_in = mmc(served, "insert", "bd-r", "--capacity", "4096")

    script = f". {served}/environment; cdrskin dev={NODE} --tell_media_space"
    asked = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=DEADLINE)

    assert put_in.returncode == 0, put_in.stderr
    assert json.loads(put_in.stdout)["medium"]["free_blocks"] == 4096
    assert asked.stdout.strip() == "4096", asked.stderr


def test_what_makes_no_sense_is_refused_with_a_reason(served: Path) -> None:
    refused = mmc(served, "fault", "smoke@7")

    assert refused.returncode == 1
    assert "unknown fault 'smoke@7'" in json.loads(refused.stdout)["message"]


def test_a_drive_that_nobody_serves_is_said_so(tmp_path: Path) -> None:
    asked = mmc(tmp_path, "state")

    assert (asked.returncode, asked.stdout) == (1, "")
    assert "No such file" in asked.stderr
