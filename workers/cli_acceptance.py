# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""`discmill acceptance`: a recorder tried out with discs of every kind, for a report that can be sent on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli import console
from jobs.cli.console import AsJson, Column
from jobs.errors import NotAllowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jobs.settings import Settings
    from workers.acceptance.steps import Step

app = typer.Typer()

_MB = 1_000_000
_COLUMNS = (
    Column("step", lambda step: step["step"]),
    Column("medium", lambda step: step["medium"], wide=True),
    Column("result", lambda step: step["result"]),
    Column("speed", lambda step: f"{step['speed_x']}x" if step["speed_x"] else "", right=True),
    Column("message", lambda step: step["message"], wide=True),
)


@app.command(
    rich_help_panel=console.RIG,
    epilog="Examples:\n\n  discmill acceptance --recorder scsi:/dev/sr0\n\n"
    "  discmill acceptance --recorder scsi:/dev/sr0 --steps data-cd,abort --report drive.md\n\n"
    "Steps: data-cd, audio-cd, dvd, bd, abort, bad-disc; it takes a blank for each, which is used up. What a drive "
    "can't write is not applicable; what you have no disc for you skip. No worker may own the recorder meanwhile.\n\n"
    "Exit code: 0 a step passed and none failed, 1 otherwise. The report, FILE.md and FILE.json, holds nothing of "
    "yours but the drive's name and serial number: send it as an issue.",
)
def acceptance(
    recorder: Annotated[
        str, typer.Option(metavar="URI", help="The drive, as scsi:/dev/sr0; or a NAME of discmill.toml.")
    ],
    report: Annotated[Path, typer.Option(metavar="FILE", help="Where the report goes.")] = Path("acceptance.md"),
    steps: Annotated[str | None, typer.Option(metavar="NAME,…", help="Only these steps; default: all.")] = None,
    size: Annotated[int, typer.Option(metavar="MB", min=3, max=600, help="So much goes on each disc.")] = 150,
    *,
    as_json: AsJson = False,
) -> None:
    """Try a recorder out with discs of every kind, an abort and a bad disc; write a report that can be sent on."""
    from jobs.settings import load_settings
    from workers.acceptance.run import Plan, run_acceptance

    settings = load_settings()
    file = report if report.suffix == ".md" else report.with_name(f"{report.name}.md")
    if file.exists():
        raise NotAllowed(f"{file} exists; name another file with --report")
    done = run_acceptance(settings, Plan(_uri(settings, recorder), _steps(steps), size * _MB, file))
    document = done.document()
    if as_json:
        console.print_json(document)
    else:
        console.print_table(document["steps"], _COLUMNS)
    console.say(f"the report is in {file} and {file.with_suffix('.json')}")
    raise typer.Exit(0 if done.is_good else console.FAILED)


def _uri(settings: "Settings", recorder: str) -> str:
    """Complete what names a recorder: a device file alone is a real drive's."""
    if recorder.startswith("/"):
        return f"scsi:{recorder}"
    return next((known.uri for known in settings.recorder if known.name == recorder), recorder)


def _steps(names: str | None) -> "Sequence[Step]":
    """Choose steps by their names, in their own order.

    Raises:
        typer.BadParameter: there is no such step.
    """
    from workers.acceptance.steps import STEPS

    known = [step.name for step in STEPS]
    asked = [name.strip() for name in names.split(",")] if names is not None else known
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise typer.BadParameter(f"no step {', '.join(unknown)}; there are {', '.join(known)}", param_hint="--steps")
    return [step for step in STEPS if step.name in asked]
