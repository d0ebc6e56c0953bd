# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""Commands that change orders and recorders: cancel, retry, priority, resolve, and what operators ask of the rig."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli import console, doors
from jobs.cli.console import AsJson, Column, Document, JobId
from jobs.errors import DiscError
from jobs.mastering.medium import Family, MediumKind

if TYPE_CHECKING:
    from models.database import Database

app = typer.Typer()
recorders = typer.Typer(
    help="List the recorders, and say what they may do.",
    epilog="`discmill recorders attached` lists the drives of this host, ready to be put into discmill.toml.",
    invoke_without_command=True,
)
app.add_typer(recorders, name="recorders", rich_help_panel=console.RIG)

OnlyFor = Annotated[str | None, typer.Option("--client", metavar="ID", help="Only if this client ordered it.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME", help="The recorders' names.")]


def drive_name(recorder: Document) -> str:
    """Write what a drive calls itself: vendor, product, firmware."""
    return " ".join(str(recorder[key]) for key in ("vendor", "product", "firmware") if recorder[key])


def families(kinds: object) -> str:
    """Write what a drive writes in short: by families of media."""
    found = {kind.family for kind in MediumKind if kind in kinds} if isinstance(kinds, list) else set()
    return " ".join(family for family in Family if family in found)


def medium_words(medium: object) -> str:
    """Write what is in the tray."""
    return f"{medium['kind']} {medium['status']}" if isinstance(medium, dict) else ""


#: Columns of a terminal below which a rig's drives are not told beside their states.
_ROOM_FOR_DRIVES = 110
_RECORDER_COLUMNS = (
    Column("name", lambda recorder: recorder["name"]),
    Column("state", lambda recorder: recorder["state"]),
    Column("medium", lambda recorder: medium_words(recorder["medium"])),
    Column("progress", lambda recorder: console.percent(recorder["progress"]), right=True),
    Column("good", lambda recorder: recorder["good"], right=True),
    Column("spoiled", lambda recorder: recorder["spoiled"], right=True),
    Column("host", lambda recorder: recorder["host"]),
    Column("message", lambda recorder: recorder["message"], wide=True),
)
_DRIVE_COLUMNS = (
    Column("drive", drive_name, wide=True),
    Column("writes", lambda recorder: families(recorder["writes"])),
)


class Verdict(StrEnum):
    """What a person can say of a disc."""

    GOOD = "good"
    SPOILED = "spoiled"


@app.command(rich_help_panel=console.ORDERS)
def cancel(
    job: JobId,
    client: OnlyFor = None,
) -> None:
    """Call an order off: a disc that is being written is spoiled, one that is being verified is finished."""
    from jobs import control
    from jobs.overview import job_summary

    with doors.database() as database:
        whole_id = _job_id(database, job)
        control.cancel(database, whole_id, client)
        with database.read() as db:
            is_over = job_summary(db, whole_id)["state"] == "cancelled"
    console.say("cancelled" if is_over else "cancelling; `discmill watch` tells when its last discs are settled")


@app.command(rich_help_panel=console.ORDERS)
def retry(job: JobId, client: OnlyFor = None) -> None:
    """Make what is missing of an order that waits, failed or was cancelled; nothing else is burnt again."""
    with doors.client() as mill:
        count = mill.job(_job_id(mill.database, job)).retry(client)
    console.say(f"{count} {'disc' if count == 1 else 'discs'} queued")


@app.command(rich_help_panel=console.ORDERS)
def priority(
    job: JobId,
    value: Annotated[int, typer.Argument(metavar="N", min=0, max=9, help="9 is first.")],
    client: OnlyFor = None,
) -> None:
    """Give an order another priority; discs that are under way keep their turn."""
    from jobs import control

    with doors.database() as database:
        control.set_priority(database, _job_id(database, job), value, client)
    console.say(f"priority {value}")


@app.command(rich_help_panel=console.DISCS, epilog="Example:\n\n  discmill resolve 5d1e0c44a9f2 good")
def resolve(
    attempt: Annotated[str, typer.Argument(metavar="ATTEMPT", help="The attempt's id, or the beginning or end of it.")],
    verdict: Annotated[Verdict, typer.Argument(help="What the disc is.")],
) -> None:
    """Say what a disc is, where you know better than the ledger; a copy that is missing then is queued again."""
    from jobs import ledger
    from jobs.settings import load_settings
    from models.vocabulary import Outcome

    settings = load_settings()
    with doors.database(settings) as database, database.write() as db:
        settled = ledger.resolve(db, doors.attempt_id(db, attempt), Outcome(verdict), by=settings.client)
    console.say(f"the disc counts as {settled}")


@recorders.callback()
def _recorders(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the recorders, and say what they may do."""
    if context.invoked_subcommand is None:
        list_recorders(as_json=as_json)


@recorders.command("list")
def list_recorders(*, as_json: AsJson = False) -> None:
    """List the recorders: state, medium, counts, and what a person has to do."""
    from jobs.overview import recorder_documents

    with doors.reading() as db:
        documents = recorder_documents(db)
    nothing = "there are no recorders; start a rig with `discmill up`"
    *states, message = _RECORDER_COLUMNS
    drives = _DRIVE_COLUMNS if console.stdout().width >= _ROOM_FOR_DRIVES else ()
    console.print_documents(documents, (*states, *drives, message), nothing, as_json=as_json)


@recorders.command()
def pause(names: Names) -> None:
    """Assign nothing more to recorders; the disc under way is finished."""
    from jobs import control

    _change(control.pause, names, "paused")


@recorders.command()
def resume(names: Names) -> None:
    """Let paused recorders burn again."""
    from jobs import control

    _change(control.resume, names, "enabled")


@recorders.command()
def clear(names: Names) -> None:
    """Say that recorders are fit again: ends quarantine, and attention to what you have looked at."""
    from jobs import control

    _change(control.clear, names, "cleared")


@recorders.command()
def eject(
    names: Names,
    timeout: Annotated[float, typer.Option(metavar="S", min=0, help="Wait this many seconds for the worker.")] = 60,
) -> None:
    """Have recorders give out the disc in their tray; refused while one is at work or offline."""
    with doors.database() as database:
        faults = [fault for name in names if (fault := _eject(database, name, timeout))]
    for fault in faults:
        console.complain(fault)
    if faults:
        raise typer.Exit(console.FAILED)


def _eject(database: "Database", name: str, timeout: float) -> str:
    """Ask one recorder, and tell what it says; return the fault, or nothing."""
    try:
        said = doors.ask(database, name, "eject", timeout=timeout)
    except DiscError as error:
        return error.message
    if not said["ok"]:
        return f"{name}: {said['message']}"
    console.say(f"{name}: {said['message']}")
    if said.get("path"):
        console.answer(str(said["path"]))
    return ""


def _change(change: Callable[["Database", Sequence[str]], None], names: Sequence[str], done: str) -> None:
    with doors.database() as database:
        change(database, names)
    console.say(f"{', '.join(names)}: {done}")


def _job_id(database: "Database", text: str) -> str:
    with database.read() as db:
        return doors.job_id(db, text)
