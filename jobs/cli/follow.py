# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""Commands that wait for an order, and the loop behind them."""

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from jobs.cli import console, doors
from jobs.cli.console import AsJson, Document, JobId, Timeout
from models.vocabulary import JobState

if TYPE_CHECKING:
    from jobs.cli.live import View
    from jobs.client import Client, JobHandle, Report

app = typer.Typer()

#: Seconds between two looks at a job.
_LOOK = 0.25
#: Looks until a hint is believed: what a recorder lacks for a moment is nobody's business.
_BELIEVED = 8
_CODES = "Exit code: 0 completed, 1 failed or cancelled, 3 waits for a decision"


@app.command(rich_help_panel=console.ORDERS, epilog=f"{_CODES}.")
def watch(job: JobId, *, as_json: AsJson = False) -> None:
    """Follow an order until it is over, or waits for a decision.

    On a terminal with bars, else with a line for each change; with --json one document a line.
    """
    from jobs.cli.live import JsonView, view_on

    with doors.client() as mill:
        view = JsonView() if as_json else view_on(console.stdout())
        report = follow(_handle(mill, job), view, rig=rig_of(mill))
    raise typer.Exit(exit_code(report))


@app.command(rich_help_panel=console.ORDERS, epilog=f"{_CODES}, 4 timeout.")
def wait(job: JobId, timeout: Timeout = None, *, as_json: AsJson = False) -> None:
    """Wait until an order is over, or waits for a decision."""
    from jobs.cli.live import Silence, job_sentence

    with doors.client() as mill:
        report = follow(_handle(mill, job), Silence(), timeout=timeout)
    if as_json:
        console.print_json(report.document)
    else:
        console.answer(job_sentence(report))
    raise typer.Exit(exit_code(report))


def follow_live(job: "JobHandle", *, settle: Callable[[], object] = lambda: None) -> "Report":
    """Show bars (lines where nobody looks) until a job is over or waits for a decision; return the last report.

    `settle` is called every moment.
    """
    from jobs.cli.live import view_on

    return follow(job, view_on(console.stderr()), settle=settle)


def follow(  # noqa: PLR0913  (each has a default)
    job: "JobHandle",
    view: "View",
    *,
    timeout: float | None = None,
    settle: Callable[[], object] = lambda: None,
    rig: Callable[[], list[Document]] | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> "Report":
    """Show a job until it is over, waits for a decision, or the time is up; return the last report.

    `rig` describes the recorders, for hints why nothing happens; `settle` is called every moment.
    """
    give_up = float("inf") if timeout is None else time.monotonic() + timeout
    shown: Document | None = None
    hints: deque[str] = deque(maxlen=_BELIEVED)
    with view:
        for report in job.looks():
            if report.document != shown:
                view.show(report)
                shown = report.document
            if time.monotonic() >= give_up:
                break
            hints.append(_hint(report, rig) if report.needs_nobody else "")
            if hints.count(hints[-1]) == _BELIEVED:
                view.hint(hints[-1])
            settle()
            sleep(_LOOK)
    return report


def rig_of(mill: "Client") -> Callable[[], list[Document]]:
    """Return who describes the recorders."""
    from jobs.overview import recorder_documents

    def describe() -> list[Document]:
        with mill.database.read() as db:
            return list(recorder_documents(db))

    return describe


def exit_code(report: "Report") -> int:
    """Say how a job stands as an exit code; one that goes on was waited for in vain."""
    if report.state is JobState.COMPLETED:
        return 0
    if report.state.is_final:
        return console.FAILED
    return console.WAITING if report.state is JobState.WAITING else console.TIMED_OUT


def _hint(report: "Report", rig: Callable[[], list[Document]] | None) -> str:
    from jobs.cli.live import rig_hint

    if rig is None or report.document["active"]:
        return ""
    return rig_hint(report.document, rig())


def _handle(mill: "Client", text: str) -> "JobHandle":
    with mill.database.read() as db:
        whole_id = doors.job_id(db, text)
    return mill.job(whole_id)
