# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""The terminal: JSON and tables to stdout, messages and progress bars to stderr, refusals as exit codes."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console, JustifyMethod
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from jobs.errors import DiscError
from jobs.masking import mask

Document = Mapping[str, object]
#: Hears the phase and how many bytes of how many are through, as `jobs.intake.Progress`.
Heard = Callable[[str, int, int], None]

FAILED, WAITING, TIMED_OUT = 1, 3, 4
#: How `--help` groups the commands.
ORDERS, DISCS, RIG, ADMINISTRATION = "Orders", "Discs", "The rig", "Administration"
#: Columns of output that nobody looks at: nothing is cut or wrapped.
_UNLIMITED = 10_000
#: Columns of a terminal below which ids are shown by their last part.
_ROOM_FOR_IDS = 140
_STYLES = {
    **dict.fromkeys(("completed", "good", "ready", "enabled", "yes"), "green"),
    **dict.fromkeys(("active", "busy", "writing", "closing", "verifying", "surplus", "simulated"), "cyan"),
    **dict.fromkeys(("waiting", "attention", "paused", "recovering", "cancelling", "lost"), "yellow"),
    **dict.fromkeys(("failed", "spoiled", "quarantined", "offline", "no"), "red"),
    **dict.fromkeys(("cancelled", "unused"), "dim"),
}

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
JobId = Annotated[str, typer.Argument(metavar="ID", help="The job's id, or the beginning or end of it.")]
Timeout = Annotated[float | None, typer.Option(metavar="S", min=0, help="Wait this many seconds at most.")]


class Shell(TyperGroup):
    """The root of the commands; turns what the project refuses, or fails at, into a message and exit code 1."""

    def invoke(self, ctx: Any) -> object:  # noqa: ANN401  (typer's own Context, whose home is not public)
        """Run a command."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            complain(message)
        raise typer.Exit(FAILED)


def explain(error: Exception) -> str | None:
    """Say what an error means to who typed, without secrets; None if it is a fault of the program, or none at all."""
    message = _explain(error)
    return None if message is None else mask(message)


def _explain(error: Exception) -> str | None:
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    if isinstance(error, DiscError):
        return error.message
    if isinstance(error, DBAPIError):
        return f"the database can't be used: {error.orig}; `discmill health` says what it needs"
    if isinstance(error, SQLAlchemyError):
        return f"the database can't be used: {error}; check DISCMILL_DATABASE_URL"
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        named = f" {error.filename}" if error.filename else ""
        return f"the system refuses{named}: {error.strerror or error}"
    return None


def stdout() -> Console:
    """Return the console for results."""
    return _roomy(Console(highlight=False))


def stderr() -> Console:
    """Return the console for messages and progress bars."""
    return _roomy(Console(stderr=True, highlight=False))


def is_watched(console: Console) -> bool:
    """Say whether somebody looks; rich itself would take FORCE_COLOR for an eye."""
    return console.file.isatty()


def _roomy(console: Console) -> Console:
    if not is_watched(console):
        console.width = _UNLIMITED
    return console


def complain(message: str) -> None:
    """Tell of a fault and its remedy."""
    stderr().print(Text("discmill: ", "red"), plain(message), sep="", soft_wrap=True)


def say(message: str) -> None:
    """Tell something beside the result."""
    stderr().print(plain(message), soft_wrap=True)


def answer(message: str) -> None:
    """Print a result that is a sentence."""
    stdout().print(plain(message), soft_wrap=True)


def plain(text: str, style: str = "") -> Text:
    """Make text of a value: nothing in it is markup, and nothing of it reaches the terminal as a command."""
    kept = (letter if letter.isprintable() or letter == "\n" else repr(letter)[1:-1] for letter in text)
    return Text("".join(kept), style)


def print_json(document: object) -> None:
    """Print one JSON document, laid out for people only where one looks at it."""
    typer.echo(json.dumps(document, indent=2 if is_watched(stdout()) else None))


def print_json_line(document: object) -> None:
    """Print a JSON document as one line."""
    typer.echo(json.dumps(document))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its head, and what it shows of a document; a wide one gives way where there is no room."""

    head: str
    show: Callable[[Document], object]
    right: bool = False
    wide: bool = False


def print_documents(documents: Sequence[Document], columns: Sequence[Column], nothing: str, *, as_json: bool) -> None:
    """Print documents as JSON or as a table; `nothing` is said where there is none."""
    if as_json:
        print_json(documents)
    elif documents:
        print_table(documents, columns)
    else:
        say(nothing)


def print_table(documents: Sequence[Document], columns: Sequence[Column]) -> None:
    """Print a table with a row for each document."""
    console = stdout()
    short = console.width < _ROOM_FOR_IDS
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        justify: JustifyMethod = "right" if column.right else "left"
        table.add_column(column.head, justify=justify, no_wrap=not column.wide, overflow="fold")
    for document in documents:
        table.add_row(*(_cell(column.show(document), short=short) for column in columns))
    console.print(table)


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values below each other; what has no value is left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in {None, ""}:
            table.add_row(name, _cell(value, short=False))
    stdout().print(table)


class Id(str):
    """An id; shown by its last part where there is no room, which every command understands."""

    __slots__ = ()


def _cell(value: object, *, short: bool) -> Text:
    text = "" if value is None else str(value)
    if short and isinstance(value, Id):
        text = text.rpartition("-")[2]
    return plain(text, _STYLES.get(text, ""))


def percent(share: object) -> str:
    """Write a share of 0 to 1 in percent."""
    return f"{share:.0%}" if isinstance(share, int | float) else ""


def size(count: object) -> str:
    """Write a number of bytes for people.

    >>> size(734003200)
    '734.0 MB'
    """
    value = float(count) if isinstance(count, int | float) else 0.0
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:.0f} bytes" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def moment(stamp: object) -> str:
    """Write a time of a document in the time zone of whoever looks."""
    return f"{datetime.fromisoformat(str(stamp)).astimezone():%Y-%m-%d %H:%M}" if stamp else ""


@contextmanager
def staging_bars() -> Iterator[Heard]:
    """Show a bar for each phase of long work, if somebody looks; yields whom to tell of it."""
    console = stderr()
    if not is_watched(console):
        yield lambda _phase, _done, _total: None
        return
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console, transient=True) as bars:
        yield _Phases(bars).hear


class _Phases:
    """One bar a phase, added when the phase is first heard of."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def hear(self, phase: str, done: int, total: int) -> None:
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(phase)
        self._bars.update(self._tasks[phase], completed=done, total=total)
