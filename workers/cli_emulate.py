# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""`discmill emulate`: the hands and accidents at an emulated recorder."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli import console, doors
from jobs.cli.console import AsJson
from jobs.errors import NotAllowed, NotFound
from jobs.mastering.medium import MediumKind, MediumStatus

if TYPE_CHECKING:
    from workers.recorders.emulated_drive import EmulatedDrive

app = typer.Typer()
emulate = typer.Typer(no_args_is_help=True)
app.add_typer(emulate, name="emulate", rich_help_panel=console.RIG)


@emulate.callback(
    epilog="Examples:\n\n  discmill emulate r1 insert dvd-r\n\n  discmill emulate r1 fault write-error@12000:disc2\n\n"
    "Faults: write-error@BLOCK, stall@BLOCK, unplug@BLOCK, stream-loss@BLOCK, starve@BLOCK, flip@BLOCK, "
    "read-flip@BLOCK, read-error@BLOCK, init-error, close-error, info-error, mounted, wrong-medium, dirty-medium, "
    "no-medium, feeder-empty; `:discK` means the K-th disc only."
)
def _emulate(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The recorder's name.")],
) -> None:
    """Do to an emulated recorder what hands and accidents do to a real one."""
    context.obj = name


@emulate.command()
def insert(
    context: typer.Context,
    kind: Annotated[MediumKind, typer.Argument(help="Kind of medium.")],
    status: Annotated[MediumStatus, typer.Option(help="What is on it already.")] = MediumStatus.BLANK,
    image: Annotated[
        Path | None, typer.Option("--from", metavar="FILE.iso", help="What its first session holds; else two files.")
    ] = None,
) -> None:
    """Put a disc into the empty tray."""
    _drive(context).insert(kind, status, image)
    console.say(f"a {status} {kind} is in the tray")


@emulate.command()
def remove(context: typer.Context) -> None:
    """Take the disc out of the tray; prints its file if it was written to."""
    path = _drive(context).remove()
    console.say("the tray is empty")
    if path is not None:
        console.answer(str(path))


@emulate.command()
def fault(
    context: typer.Context,
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="What happens, as NAME[@BLOCK][:discK].".replace("[", r"\["))
    ],
) -> None:
    """Add a fault; a burn that runs meets it too."""
    _drive(context).add_fault(spec)
    console.say(f"fault {spec} is set")


@emulate.command()
def clear(context: typer.Context) -> None:
    """Forget all faults; a stalled drive goes on."""
    _drive(context).clear_faults()
    console.say("no fault is set")


@emulate.command()
def unplug(context: typer.Context) -> None:
    """Pull the plug: whoever uses the drive fails."""
    _drive(context).unplug()
    console.say("unplugged")


@emulate.command()
def replug(context: typer.Context) -> None:
    """Plug the drive in again."""
    _drive(context).replug()
    console.say("plugged in")


@emulate.command()
def status(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Show the drive: tray, feeder, faults."""
    seen = _drive(context).status()
    if as_json:
        console.print_json(seen)
    else:
        console.print_facts(_facts(seen))


def _drive(context: typer.Context) -> "EmulatedDrive":
    """Find the drive of a recorder.

    Raises:
        NotFound: no such recorder.
        NotAllowed: it is not emulated, or on another host.
    """
    from jobs.settings import load_settings
    from models.recorder import Recorder
    from workers.recorders.emulated_drive import EmulatedDrive
    from workers.recorders.emulated_uri import SCHEME, parse_uri

    settings = load_settings()
    with doors.database(settings) as database, database.read() as db:
        recorder = db.get(Recorder, context.obj)
    if recorder is None:
        raise NotFound(f"no recorder {context.obj}; `discmill recorders` lists them")
    if not recorder.uri.startswith(f"{SCHEME}:"):
        raise NotAllowed(f"{recorder.name} is {recorder.uri}; only an emulated recorder can be emulated")
    if recorder.machine_id != settings.machine_id:
        raise NotAllowed(f"{recorder.name} is on {recorder.host}; type this there")
    return EmulatedDrive(parse_uri(recorder.uri).folder)


def _facts(seen: Mapping[str, object]) -> Mapping[str, object]:
    """Put what can be seen of a drive into words."""
    feeder, faults, medium = seen["feeder"], seen["faults"], seen["medium"]
    kinds = feeder.items() if isinstance(feeder, dict) else ()
    return {
        "drive": f"{seen['folder']}, {'busy' if seen['busy'] else 'idle' if seen['plugged'] else 'unplugged'}",
        "tray": f"{medium['kind']}, {medium['status']}" if isinstance(medium, dict) else "empty",
        "discs so far": seen["discs"],
        "feeder": ", ".join(kind if left is None else f"{kind}*{left}" for kind, left in kinds) or "none",
        "faults": ", ".join(faults) if isinstance(faults, list) else "",
    }
