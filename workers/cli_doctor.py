# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""`discmill doctor`: what keeps this host from making good discs, and what to do about it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli import console
from jobs.cli.console import AsJson, Column
from workers.cli_recorder import read_recorder

if TYPE_CHECKING:
    from workers.doctor.findings import Finding

app = typer.Typer()

_COLUMNS = (
    Column("grade", lambda finding: finding["grade"]),
    Column("check", lambda finding: finding["check"]),
    Column("seen", lambda finding: finding["seen"], wide=True),
    Column("what to do", lambda finding: finding["remedy"], wide=True),
)


@app.command(
    rich_help_panel=console.ADMINISTRATION,
    epilog="Examples:\n\n  discmill doctor\n\n  discmill doctor --recorder left=scsi:/dev/sr0\n\n"
    "It looks at programs, drives and their permissions, automounters, disk, clock, database, broker, content, "
    "Flower's door and limits, and disturbs no burn. Run it as the user that runs the workers.\n\n"
    "Exit code: 0 no failure, 1 something has to be mended first.",
)
def doctor(
    recorder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=URI",
            help="Only with this recorder; NAME alone is one of discmill.toml. Default: this host's.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Look for all that keeps this host from making good discs; say what to do about each."""
    from jobs.settings import load_settings
    from workers.doctor.examination import examine
    from workers.doctor.rounds import checks, configuration_findings, is_well, patient

    findings = configuration_findings()
    if is_well(findings):
        settings = load_settings()
        recorders = [read_recorder(settings, text) for text in recorder or []]
        findings += examine(checks(patient(settings, recorders)))
    _tell(findings, ok=is_well(findings), as_json=as_json)
    raise typer.Exit(0 if is_well(findings) else console.FAILED)


def _tell(findings: "Sequence[Finding]", *, ok: bool, as_json: bool) -> None:
    from dataclasses import asdict

    documents = [asdict(finding) for finding in findings]
    if as_json:
        console.print_json({"ok": ok, "findings": documents})
    else:
        console.print_table(documents, _COLUMNS)
