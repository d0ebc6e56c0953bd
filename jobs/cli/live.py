"""What is shown of a job while it is followed: bars where somebody looks, else a line for each change."""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from jobs.cli.console import Document, is_watched, plain, print_json_line
from jobs.client import Report
from jobs.mastering.medium import MediumKind

_STYLES = {"good": "green", "spoiled": "red", "lost": "yellow"}


class View(Protocol):
    """Where reports of a job go."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clean up."""

    def show(self, report: Report) -> None:
        """Show how the job stands now."""

    def hint(self, text: str) -> None:
        """Say what keeps the job from going on; empty if nothing does."""


class _PlainView:
    """A view that needs no cleaning up."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave everything as it is."""


class Silence(_PlainView):
    """Nothing at all."""

    def show(self, report: Report) -> None:
        """Keep quiet."""

    def hint(self, text: str) -> None:
        """Keep quiet."""


class JsonView(_PlainView):
    """A document a line, whenever anything changed."""

    def show(self, report: Report) -> None:
        """Print the document."""
        print_json_line(report.document)

    def hint(self, text: str) -> None:
        """Keep to the documents."""


class LineView(_PlainView):
    """A sentence for each change of a state, not for each block."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._before: dict[str, str] = {}
        self._hint = ""

    def show(self, report: Report) -> None:
        """Print what was not said before."""
        for subject, sentence in sentences(report):
            if self._before.get(subject) != sentence:
                self._before[subject] = sentence
                self._console.print(plain(sentence), soft_wrap=True)

    def hint(self, text: str) -> None:
        """Print a hint that was not the last one."""
        if text not in {"", self._hint}:
            self._console.print(plain(text), soft_wrap=True)
        self._hint = text


def view_on(console: Console) -> View:
    """Choose how a job is shown there."""
    return LiveView(console) if is_watched(console) else LineView(console)


def sentences(report: Report) -> Iterator[tuple[str, str]]:
    """Say how each attempt stands, and the job: what it is about, and the sentence."""
    for disc in report.discs:
        yield str(disc["attempt"]), disc_sentence(disc)
    yield report.job, job_sentence(report)


def job_sentence(report: Report) -> str:
    """Say how a job stands."""
    spoiled = f", {report.spoiled} spoiled" if report.spoiled else ""
    reason = f": {report.reason}" if report.reason else ""
    return f"job {report.job} is {report.state}, {report.good} of {report.copies} discs are good{spoiled}{reason}"


def disc_sentence(disc: Document) -> str:
    """Say how an attempt stands."""
    verdict = str(disc["outcome"] or disc["stage"])
    if disc["outcome"] == "good":
        verdict += ", verified" if disc["verified"] else ", not verified"
    error = disc["error"]
    why = f": {error['message']}" if isinstance(error, dict) else ""
    where = f" ({disc['path']})" if disc["path"] else ""
    return f"copy {disc['copy']} on {disc['recorder']}: {verdict}{why}{where}"


class LiveView:
    """A bar for the job, one for each recorder at work on it, and a line for each disc that is settled."""

    def __init__(self, console: Console) -> None:
        self._console = console
        remaining = TimeRemainingColumn(compact=True, elapsed_when_finished=True)
        columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[note]}"), remaining)
        self._bars = Progress(TextColumn("{task.description}"), *columns, console=console, transient=True)
        self._tasks: dict[str, tuple[TaskID, str]] = {}
        self._told: set[str] = set()
        self._hint = ""
        self._last: Report | None = None

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bars away; the lines stay, and how the job stands is the last of them."""
        self._bars.stop()
        if self._last is not None:
            self._console.print(plain(job_sentence(self._last)), soft_wrap=True)

    def show(self, report: Report) -> None:
        """Move the bars."""
        self._last = report
        title = str(report.document["title"])
        self._move(report.job, title, 1.0, report.progress, f"{report.good}/{report.copies} good")
        for disc in report.discs:
            if disc["outcome"] is None:
                self._show_work(disc)
            else:
                self._settle(disc)

    def hint(self, text: str) -> None:
        """Print a hint that was not the last one above the bars."""
        if text not in {"", self._hint}:
            self._bars.console.print(plain(text, "yellow"))
        self._hint = text

    def _show_work(self, disc: Document) -> None:
        speed = disc["speed_x"]
        note = f"{speed:.1f}x" if isinstance(speed, float) and speed else ""
        done, total = _blocks(disc)
        name = f"  {disc['recorder']} copy {disc['copy']} {disc['stage']}"
        self._move(str(disc["attempt"]), name, total, done, note)

    def _settle(self, disc: Document) -> None:
        attempt = str(disc["attempt"])
        if attempt in self._tasks:
            self._bars.remove_task(self._tasks.pop(attempt)[0])
        if attempt not in self._told and disc["outcome"] != "unused":
            self._bars.console.print(plain(disc_sentence(disc), _STYLES.get(str(disc["outcome"]), "")))
        self._told.add(attempt)

    def _move(self, key: str, name: str, total: float | None, done: float, note: str) -> None:
        """Move a bar; another name means another stage, whose speed has nothing to do with the last one's."""
        text = plain(name).markup
        if key not in self._tasks:
            self._tasks[key] = (self._bars.add_task(text, total=total, note=note), text)
        task, before = self._tasks[key]
        if text != before:
            self._tasks[key] = (task, text)
            self._bars.reset(task, description=text, note=note)
        self._bars.update(task, total=total, completed=done, note=note)


def _blocks(disc: Document) -> tuple[float, float | None]:
    """Return blocks done and in total; no total before there is anything to measure."""
    done, total = disc["blocks_done"], disc["blocks_total"]
    if disc["stage"] in {"assigned", "preparing"} or not isinstance(done, int) or not isinstance(total, int):
        return 0.0, None
    return float(total if disc["stage"] == "closing" else done), float(total)


def rig_hint(job: Document, recorders: Sequence[Document]) -> str:
    """Say why nothing happens to a job: what the recorders lack, or that there are none; empty if all is well."""
    if job["active"] or not job["queued"]:
        return ""
    online = [recorder for recorder in recorders if recorder["state"] != "offline"]
    if not online:
        return "no recorder is online; start a rig with `discmill up`, or a recorder with `discmill worker`"
    lacks = [_lack(recorder, str(job["medium"])) for recorder in online]
    return f"the job waits for a recorder: {'; '.join(lacks)}" if all(lacks) else ""


def _lack(recorder: Document, wanted: str) -> str:
    """Say what keeps a recorder from burning on a medium of this kind or family; empty if nothing does for long."""
    name, medium = recorder["name"], recorder["medium"]
    if recorder["attempt"] or recorder["state"] in {"loading", "recovering"}:
        return ""
    if recorder["message"]:
        return f"{name} is {recorder['state']} ({recorder['message']})"
    if recorder["state"] != "ready":
        return f"{name} is {recorder['state']}"
    kind = MediumKind(str(medium["kind"])) if isinstance(medium, dict) else None
    return "" if kind is None or wanted in {kind, kind.family} else f"{name} holds a {kind}, which is no {wanted}"
