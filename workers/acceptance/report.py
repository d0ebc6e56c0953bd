"""The report of an acceptance: JSON for machines, Markdown for an issue; written anew after every step."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from jobs.errors import DiscError
from jobs.masking import MASK, mask
from workers.durable import write_durably


def system() -> dict[str, str]:
    """Say what kind of host this is."""
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} processors",
        "python": platform.python_version(),
    }


class Result(StrEnum):
    """What a step showed."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"  #: the operator left it out
    NOT_APPLICABLE = "not applicable"  #: the drive writes no such media


@dataclass(slots=True)
class StepReport:
    """One step: what was asked for, what was done, what came of it. Speeds in multiples of 1x, rates in MB/s."""

    step: str
    title: str
    asked: str
    result: Result = Result.SKIPPED
    message: str = ""
    medium: str = ""
    bytes: int = 0
    burn_seconds: float = 0.0
    speed_x: float = 0.0
    top_speed_x: float = 0.0
    stop_seconds: float | None = None
    verify_seconds: float = 0.0
    verify_mb_s: float = 0.0
    offset_samples: int | None = None
    error: dict[str, str] | None = None
    log: str = ""

    def fail(self, error: DiscError) -> None:
        """Note what went wrong."""
        self.result, self.message = Result.FAILED, error.message
        self.note(error)

    def note(self, error: DiscError) -> None:
        """Note an error, whether it was wanted or not."""
        self.error = {"code": error.code, "message": error.message, "remedy": str(error.remedy)}


@dataclass(slots=True)
class Report:
    """All of an acceptance. `secrets` are words that nobody else is to read: paths, names."""

    discmill: str
    started: str
    emulated: bool
    recorder: dict[str, Any]
    programs: dict[str, str]
    steps: list[StepReport] = field(default_factory=list)
    system: dict[str, str] = field(default_factory=system)
    secrets: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """True if a step passed and none failed."""
        results = [step.result for step in self.steps]
        return Result.PASSED in results and Result.FAILED not in results

    def document(self) -> dict[str, Any]:
        """Return the report as JSON has it, without secrets."""
        facts = {"version": 1, "good": self.is_good, **asdict(self)}
        del facts["secrets"]
        clean: dict[str, Any] = json.loads(json.dumps(facts), object_hook=self._cleaned)
        return clean

    def _cleaned(self, facts: dict[str, Any]) -> dict[str, Any]:
        return {key: self._clean(value) if isinstance(value, str) else value for key, value in facts.items()}

    def _clean(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return mask(text)

    def write(self, file: Path) -> None:
        """Write `file` as Markdown, and beside it the same as JSON."""
        document = self.document()
        write_durably(file, markdown(document))
        write_durably(file.with_suffix(".json"), json.dumps(document, indent=1) + "\n")


def markdown(report: dict[str, Any]) -> str:
    """Write a report's document for people."""
    who = report["recorder"]
    lines = [f"# Acceptance of {who['vendor']} {who['product']}", ""]
    if report["emulated"]:
        lines += ["**The recorder is emulated: this says nothing of any hardware.**", ""]
    facts = {
        "verdict": "good" if report["good"] else "not good",
        "firmware": who["firmware"],
        "serial": who["serial"],
        "id": who["device_id"],
        "writes": ", ".join(who["writes"]),
        "reads CD-TEXT": "yes" if who["reads_text"] else "no",
        "discmill": report["discmill"],
        "started": report["started"],
        **report["programs"],
        **report["system"],
    }
    lines += ["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in facts.items()), ""]
    lines += [
        "| step | medium | result | burn | read back | message |",
        "|---|---|---|---|---|---|",
        *(_row(step) for step in report["steps"]),
        "",
    ]
    for step in report["steps"]:
        lines += _details(step)
    return "\n".join(lines)


def _row(step: dict[str, Any]) -> str:
    burn = f"{step['speed_x']}x, {step['burn_seconds']} s" if step["burn_seconds"] else ""
    read = f"{step['verify_mb_s']} MB/s" if step["verify_mb_s"] else ""
    cells = step["step"], step["medium"], step["result"], burn, read, step["message"]
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


#: Of a step's facts those that its heading and its log tell.
_TOLD_ELSEWHERE = {"log", "step", "title", "error"}


def _details(step: dict[str, Any]) -> list[str]:
    facts = {key: value for key, value in step.items() if key not in _TOLD_ELSEWHERE and value not in {None, "", 0}}
    if step["error"]:
        facts["error"] = f"{step['error']['code']}: {step['error']['message']} ({step['error']['remedy']})"
    lines = [f"## {step['step']}: {step['title']}", ""]
    lines += [*(f"- {key}: {_cell(value)}" for key, value in facts.items()), ""]
    if step["log"]:
        fence, log = "`" * 4, step["log"].replace("\r", "\n")
        lines += ["<details><summary>log</summary>", "", fence, log, fence, "", "</details>", ""]
    return lines


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
