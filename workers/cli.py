# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""The command line: gathers the commands of `jobs.cli` and adds those that run things."""

import os
import signal
import sys
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from jobs.cli import admin, change, console, content, follow, look, submit
from workers import cli_acceptance, cli_attached, cli_doctor, cli_emulate, cli_recorder

app = typer.Typer(
    cls=console.Shell,
    name="discmill",
    help="Order discs, have them burnt and verified, and know for certain what became of each.",
    epilog="A rig to try things on: `discmill up` in one terminal, in another "
    "`discmill submit data FOLDER --copies 2 --wait`.\n\nSettings: `discmill config` lists them.",
    no_args_is_help=True,
    add_completion=False,
)
run = typer.Typer()
for commands in (
    submit.app,
    look.app,
    follow.app,
    change.app,
    content.app,
    run,
    cli_emulate.app,
    cli_acceptance.app,
    admin.app,
    cli_doctor.app,
):
    app.add_typer(commands)
change.recorders.add_typer(cli_attached.app)

#: Emulated recorders of a rig that was told of none.
_RECORDERS = 2

Home = Annotated[Path | None, typer.Option(metavar="DIR", help="Where all of the rig is kept; default: DISCMILL_HOME.")]


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="discmill")
    finally:
        _flush()


def _flush() -> None:
    """Print what is left; a reader that went away (`| head`) is not a fault to be complained of."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (typer calls it so)
    if not wanted:
        return
    try:
        console.answer(f"discmill {version('discmill')}")
    except PackageNotFoundError:
        console.answer("discmill, not installed")
    raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Order discs, have them burnt and verified, and know for certain what became of each."""


@run.command(
    rich_help_panel=console.RIG,
    epilog="Orders go to the rig of DISCMILL_HOME: where --home is another folder, set it for the other commands too.",
)
def up(
    recorders: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="So many emulated ones, r1..rN; default: those of discmill.toml, else 2."
        ),
    ] = None,
    home: Home = None,
    *,
    no_flower: Annotated[bool, typer.Option("--no-flower", help="Leave the monitor out.")] = False,
) -> None:
    """Run a whole rig in this terminal until Ctrl-C: database, Redis, dispatcher, recorders, Flower."""
    from jobs.settings import load_settings
    from workers.logs import set_up_logging
    from workers.rig import default_recorders, run_up

    set_up_logging()
    settings = load_settings(home=home)
    rig = settings.recorder if recorders is None else []
    raise typer.Exit(
        run_up(settings, rig or default_recorders(settings, recorders or _RECORDERS), flower=not no_flower)
    )


@run.command(rich_help_panel=console.RIG)
def demo(home: Home = None) -> None:
    """Make real discs on an emulated rig of its own and verify them; exit code 0 when all are good."""
    from workers.demo import run_demo

    raise typer.Exit(run_demo(home))


@run.command(
    rich_help_panel=console.RIG,
    epilog="Examples:\n\n  discmill worker --recorder left=scsi:/dev/sr0\n\n"
    "  discmill worker --recorder r1=emulated:/srv/r1?speed=16x\n\n"
    "SIGTERM ends it when the disc under way is finished.",
)
def worker(
    recorder: Annotated[
        str, typer.Option(metavar="NAME=URI", help="The recorder; NAME alone is one of discmill.toml.")
    ],
) -> None:
    """Serve one recorder."""
    from jobs.settings import load_settings
    from workers.app import run_worker
    from workers.logs import set_up_logging

    settings = load_settings()
    served = cli_recorder.read_recorder(settings, recorder)
    set_up_logging()
    run_worker(settings, served.name, served.uri)


@run.command(rich_help_panel=console.RIG)
def dispatcher() -> None:
    """Assign discs to recorders, and notice those that are gone; several may run."""
    import structlog

    from jobs import schema
    from jobs.dispatch import CeleryBell
    from jobs.settings import load_settings
    from models.database import Database
    from workers.courier import Courier
    from workers.dispatcher import Dispatcher
    from workers.logs import set_up_logging

    set_up_logging()
    settings = load_settings()
    schema.check(settings.database_url)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    database, bell = Database(settings.database_url), CeleryBell(settings.broker_url)
    structlog.get_logger("discmill").info("dispatcher_started", host=settings.host, tick=settings.tick)
    courier = threading.Thread(target=Courier(settings, database).run, args=(stop,), name="courier")
    courier.start()
    try:
        Dispatcher(settings, database, bell).run(stop)
    finally:
        stop.set()
        courier.join()
        bell.close()
        database.close()


@run.command(rich_help_panel=console.RIG)
def metrics(
    port: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=65535, help="Default: DISCMILL_METRICS_PORT.")
    ] = None,
) -> None:
    """Show Prometheus the rig's figures, on loopback unless DISCMILL_METRICS_ADDRESS says otherwise."""
    from jobs.settings import load_settings
    from workers.logs import set_up_logging
    from workers.metrics import serve_metrics

    set_up_logging()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve_metrics(load_settings(metrics_port=port), stop)


@run.command(rich_help_panel=console.RIG)
def flower() -> None:
    """Run Flower, the monitor in the browser; not on loopback it needs DISCMILL_FLOWER_PASSWORD."""
    from jobs.settings import load_settings
    from workers.flower import run_flower

    run_flower(load_settings())


@run.command(
    rich_help_panel=console.RIG, epilog="Example:\n\n  discmill supervise -- worker --recorder left=scsi:/dev/sr0"
)
def supervise(
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="A command of discmill.")],
) -> None:
    """Run a command as process 1 of a container: restart it, and end only when no disc is being written."""
    from jobs.settings import load_settings
    from workers.logs import set_up_logging
    from workers.supervise import run_supervised

    set_up_logging()
    raise typer.Exit(run_supervised(load_settings(), command))
