"""What is shown of a job while it is followed."""

import io
import json
from collections.abc import Iterator

import pytest
from rich.console import Console

from jobs.cli.console import Document
from jobs.cli.follow import follow
from jobs.cli.live import JsonView, LineView, LiveView, disc_sentence, rig_hint, view_on
from jobs.client import Report

_JOB = {"job": "j1", "title": "[photos]", "copies": 2, "medium": "dvd", "reason": None, "good": 0, "spoiled": 0}
_DISC = {"attempt": "a1", "copy": 1, "recorder": "left", "outcome": None, "verified": None, "path": None, "error": None}


def a_disc(stage: str, outcome: str | None = None, **over: object) -> Document:
    figures = {"blocks_done": 0, "blocks_total": 100, "speed_x": None}
    return {**_DISC, **figures, "stage": stage, "outcome": outcome, **over}


def a_report(state: str, *discs: Document, **over: object) -> Report:
    counts = {"active": len(discs), "queued": 2 - len(discs), "progress": 0.0}
    return Report({**_JOB, **counts, "state": state, "discs": list(discs), **over})


class Job:
    """Stands for a handle: gives one report after the other."""

    id = "j1"

    def __init__(self, *reports: Report) -> None:
        self._reports = list(reports)

    def looks(self) -> Iterator[Report]:
        return iter(self._reports)


@pytest.fixture
def story() -> list[Report]:
    good = a_disc("settled", "good", verified=True, path="/shelf/1.iso")
    return [
        a_report("queued"),
        a_report("active", a_disc("preparing")),
        a_report("active", a_disc("writing", blocks_done=10, speed_x=4.0), progress=0.1),
        a_report("active", a_disc("writing", blocks_done=90, speed_x=8.0), progress=0.2),
        a_report("active", a_disc("closing", blocks_done=100), progress=0.25),
        a_report("active", a_disc("verifying", blocks_done=5), progress=0.3),
        a_report("completed", good, good=1, progress=1.0),
    ]


def test_without_a_terminal_each_change_is_a_line(story: list[Report]) -> None:
    out = io.StringIO()

    follow(Job(*story), view_on(Console(file=out, width=200)), sleep=lambda _: None)  # type: ignore[arg-type]

    assert out.getvalue().splitlines() == [
        "job j1 is queued, 0 of 2 discs are good",
        "copy 1 on left: preparing",
        "job j1 is active, 0 of 2 discs are good",
        "copy 1 on left: writing",
        "copy 1 on left: closing",
        "copy 1 on left: verifying",
        "copy 1 on left: good, verified (/shelf/1.iso)",
        "job j1 is completed, 1 of 2 discs are good",
    ]


def test_on_a_terminal_there_are_bars_and_the_lines_stay(story: list[Report]) -> None:
    out = io.StringIO()

    view = LiveView(Console(file=out, width=100, force_terminal=True, color_system=None))

    last = follow(Job(*story), view, sleep=lambda _: None)  # type: ignore[arg-type]

    assert last.state == "completed"
    assert "[photos]" in out.getvalue()
    assert "copy 1 on left: good, verified (/shelf/1.iso)" in out.getvalue()
    assert out.getvalue().rstrip().endswith("job j1 is completed, 1 of 2 discs are good")


def test_as_json_each_change_is_a_document(story: list[Report], capsys: pytest.CaptureFixture[str]) -> None:
    follow(Job(*story), JsonView(), sleep=lambda _: None)  # type: ignore[arg-type]

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["progress"] for line in lines] == [0.0, 0.0, 0.1, 0.2, 0.25, 0.3, 1.0]


def test_a_disc_that_failed_says_why() -> None:
    error = {"code": "X", "message": "block 7 can't be written", "remedy": "try_again"}

    sentence = disc_sentence(a_disc("settled", "spoiled", error=error))

    assert sentence == "copy 1 on left: spoiled: block 7 can't be written"


def test_a_disc_that_was_not_read_back_says_so() -> None:
    assert disc_sentence(a_disc("settled", "good", verified=False)) == "copy 1 on left: good, not verified"


def test_whoever_follows_is_called_every_moment(story: list[Report]) -> None:
    calls: list[str] = []

    follow(Job(*story), JsonView(), settle=lambda: calls.append("settle"), sleep=lambda _: None)  # type: ignore[arg-type]

    assert len(calls) == len(story)


def test_a_hint_that_lasts_is_told_once() -> None:
    out = io.StringIO()
    reports = [a_report("queued")] * 30 + [a_report("cancelled")]

    follow(Job(*reports), LineView(Console(file=out, width=200)), rig=list, sleep=lambda _: None)  # type: ignore[arg-type]

    assert out.getvalue().count("no recorder is online") == 1


def test_a_hint_that_passes_is_not_told() -> None:
    out = io.StringIO()
    lacks = iter([[a_recorder("empty")], *[[a_recorder("ready")]] * 30])
    reports = [a_report("queued")] * 20 + [a_report("cancelled")]
    view = LiveView(Console(file=out, width=200, force_terminal=True))

    follow(Job(*reports), view, rig=lambda: next(lacks), sleep=lambda _: None)  # type: ignore[arg-type]

    assert "empty" not in out.getvalue()


def a_recorder(state: str, message: str = "", medium: str | None = "dvd-r", attempt: str | None = None) -> Document:
    return {
        "name": "left",
        "state": state,
        "message": message,
        "attempt": attempt,
        "medium": None if medium is None else {"kind": medium, "status": "blank", "free_blocks": 1},
    }


@pytest.mark.parametrize(
    ("recorder", "hint"),
    [
        (a_recorder("offline"), "no recorder is online; start a rig with `discmill up`, or"),
        (a_recorder("empty", "load a blank"), "the job waits for a recorder: left is empty (load a blank)"),
        (a_recorder("paused"), "the job waits for a recorder: left is paused"),
        (a_recorder("ready", medium="cd-r"), "the job waits for a recorder: left holds a cd-r, which is no dvd"),
        (a_recorder("ready"), ""),
        (a_recorder("busy", attempt="a9"), ""),
        (a_recorder("recovering"), ""),
    ],
)
def test_a_job_that_does_not_go_on_says_what_the_rig_lacks(recorder: Document, hint: str) -> None:
    said = rig_hint(a_report("queued").document, [recorder])

    assert said.startswith(hint)
    assert bool(said) == bool(hint)


def test_a_recorder_that_lacks_nothing_makes_hints_needless() -> None:
    assert rig_hint(a_report("queued").document, [a_recorder("empty"), a_recorder("ready")]) == ""
