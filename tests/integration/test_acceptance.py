"""Acceptance of an emulated recorder: nobody has to change its discs, and the report says that it is emulated."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workers.acceptance.report import Report, Result, StepReport
from workers.recorders.emulated_uri import parse_uri

ROOT = Path(__file__).parents[2]


def accept(folder: Path, options: str = "", *words: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "workers", "acceptance", "--recorder", f"emulated:{folder / 'drive'}{options}"]
    ran = subprocess.run(
        [*command, "--size", "3", "--report", str(folder / "report"), "--json", *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "DISCMILL_HOME": str(folder / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.stdout, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    return ran.returncode, document, ran.stderr


def test_an_emulated_recorder_passes_all_steps_by_itself_and_says_what_it_is(tmp_path: Path) -> None:
    code, report, said = accept(tmp_path)

    assert code == 0, said
    assert {step["result"] for step in report["steps"]} == {"passed"}, report
    assert report["emulated"]
    markdown = (tmp_path / "report.md").read_text()
    assert "The recorder is emulated" in markdown
    assert json.loads((tmp_path / "report.json").read_text()) == report
    folder = parse_uri(f"emulated:{tmp_path / 'drive'}").folder / "shelf"
    assert len(list(folder.glob("accept/*.json"))) == 4
    assert len(list(folder.glob("reject/*.json"))) == 2


def test_what_a_drive_can_t_write_is_not_applicable(tmp_path: Path) -> None:
    _, report, _ = accept(tmp_path, "?writes=cd-r&audio=no", "--steps", "data-cd,audio-cd,dvd,bd")

    assert [step["result"] for step in report["steps"]] == [
        "passed",
        "not applicable",
        "not applicable",
        "not applicable",
    ]


def test_a_blank_that_the_feeder_lacks_is_a_step_left_out(tmp_path: Path) -> None:
    code, report, _ = accept(tmp_path, "?feed=cd-r*1", "--steps", "data-cd,dvd,abort")

    assert [step["result"] for step in report["steps"]] == ["passed", "skipped", "skipped"]
    assert code == 0


def test_a_spoiling_drive_fails(tmp_path: Path) -> None:
    code, report, _ = accept(tmp_path, "?fault=flip@200", "--steps", "data-cd")

    assert (code, report["good"], report["steps"][0]["result"]) == (1, False, "failed")
    assert "differs from its master" in report["steps"][0]["message"]


def test_an_older_report_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("of another drive")

    with pytest.raises(AssertionError, match="exists; name another file"):
        accept(tmp_path)

    assert (tmp_path / "report.md").read_text() == "of another drive"


def test_a_report_tells_no_secrets_and_keeps_its_table_whole(tmp_path: Path) -> None:
    step = StepReport("data-cd", "a CD", "cd-r", Result.FAILED, "a|b /home/ann/x", log="redis://:geheim@db /home/ann")
    who = {"vendor": "V", "product": "P", "firmware": "1", "serial": "", "device_id": ""}
    report = Report("1", "now", emulated=False, recorder=who, programs={}, steps=[step], secrets=("/home/ann",))
    report.recorder |= {"writes": [], "reads_text": False}

    report.write(tmp_path / "report.md")

    text = (tmp_path / "report.md").read_text() + (tmp_path / "report.json").read_text()
    assert "geheim" not in text
    assert "/home/ann" not in text
    assert "a\\|b" in text
