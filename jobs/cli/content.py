# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""Commands about the bytes of a disc: write an image to a file, compare a file or a disc with a job's master."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.cli import console, doors
from jobs.cli.console import AsJson, Document
from jobs.cli.submit import VolumeId
from jobs.errors import MediumDiffers, NotAllowed, NotFound, OrderError
from jobs.mastering.medium import Family, requested_medium

if TYPE_CHECKING:
    from jobs.settings import Settings
    from models.database import Database
    from models.job import Job

app = typer.Typer()


@app.command(
    rich_help_panel=console.DISCS,
    epilog="Example:\n\n  discmill master photos/ --output photos.iso --volume-id PHOTOS",
)
def master(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, and folders whose content is meant.")],
    output: Annotated[
        Path, typer.Option(metavar="FILE.iso", help="The file to write; it is there whole or not at all.")
    ],
    medium: Annotated[Family | None, typer.Option(help="What to lay out for; default: the smallest that fits.")] = None,
    volume_id: VolumeId = "",
    *,
    no_check: Annotated[
        bool,
        typer.Option("--no-check", help="As fast as it can be copied: nothing is hashed, no second reader looks."),
    ] = False,
) -> None:
    """Write the image that `submit data` would burn to a file; prints its SHA-256 as sha256sum does."""
    from jobs.image_file import copy_image, lay_out_content, write_image
    from jobs.roots import ContentRoots
    from jobs.settings import load_settings

    roots = ContentRoots(load_settings().content_roots)
    with console.staging_bars() as bars:
        laid = lay_out_content(roots, paths, medium, volume_id, bars, check=not no_check)
        if no_check:
            copy_image(laid.image, output, bars)
        else:
            digest = write_image(laid.image, output, bars)
    console.answer(str(output) if no_check else f"{digest}  {output}")


class SheetKind(StrEnum):
    """The two kinds of sheets that programs read beside the samples of an audio disc."""

    CUE = "cue"
    TOC = "toc"  #: cdrdao's


@app.command(
    rich_help_panel=console.DISCS,
    epilog="Example:\n\n  discmill sheet 5d1e0c44a9f2 --kind toc --file album.bin > album.toc",
)
def sheet(
    job: Annotated[str, typer.Argument(metavar="ID", help="An audio job.")],
    kind: Annotated[SheetKind, typer.Option(help="A CUE sheet, or a TOC file of cdrdao.")] = SheetKind.CUE,
    file: Annotated[str, typer.Option(metavar="NAME", help="The file of samples that the sheet names.")] = "disc.bin",
) -> None:
    """Print the sheet of an audio job's discs: tracks, ISRC, MCN, CD-TEXT; in ISO-8859-1."""
    from jobs.mastering.masters import MasterStore
    from jobs.mastering.redbook_sheets import ENCODING, cue_sheet, toc_file
    from jobs.overview import find_job
    from jobs.preparation import prepared_master
    from jobs.settings import load_settings

    settings = load_settings()
    with doors.database(settings) as database:
        with database.read() as db:
            ordered = find_job(db, doors.job_id(db, job))
        programme = prepared_master(database, MasterStore(settings.store / "masters"), ordered).programme
    if programme is None:
        raise NotAllowed(f"job {ordered.id} orders data; only audio discs have a sheet")
    write = toc_file if kind is SheetKind.TOC else cue_sheet
    try:
        text = write(programme, file)
    except ValueError as error:
        raise OrderError(f"--file: {error}") from error
    sys.stdout.buffer.write(text.encode(ENCODING))


@app.command(
    rich_help_panel=console.DISCS,
    epilog="Examples:\n\n  discmill verify disc.iso --job 5d1e0c44a9f2\n\n  discmill verify r1 --job 5d1e0c44a9f2\n\n"
    "Exit code: 0 every block is the master's, 1 not so.",
)
def verify(
    target: Annotated[
        str,
        typer.Argument(metavar="FILE|RECORDER", help="A file (r1 is a recorder, ./r1 a file), or whose disc to read."),
    ],
    job: Annotated[str, typer.Option(metavar="ID", help="The job whose disc it should be.")],
    timeout: Annotated[float, typer.Option(metavar="S", min=0, help="Wait this many seconds for a recorder.")] = 7200,
    *,
    as_json: AsJson = False,
) -> None:
    """Compare a file, or the disc in a recorder's tray, with a job's master, block by block."""
    from jobs.overview import find_job
    from jobs.settings import load_settings

    settings = load_settings()
    with doors.database(settings) as database:
        with database.read() as db:
            ordered = find_job(db, doors.job_id(db, job))
        if _is_recorder(database, target):
            report = _ask_recorder(database, target, ordered.id, timeout)
        elif Path(target).is_file():
            report = _compare_file(settings, database, Path(target), ordered)
        else:
            message = f"{target} is neither a file nor a recorder; `discmill recorders` lists these"
            raise NotFound(message)
    if as_json:
        console.print_json(report)
    elif report["ok"]:
        console.answer(str(report["message"]))
    else:
        console.complain(str(report["message"]))
    raise typer.Exit(0 if report["ok"] else console.FAILED)


def _is_recorder(database: "Database", name: str) -> bool:
    from models.recorder import Recorder

    with database.read() as db:
        return db.get(Recorder, name) is not None


def _ask_recorder(database: "Database", name: str, job: str, timeout: float) -> Document:
    said = doors.ask(database, name, "verify", job, timeout=timeout)
    return _report(job, name, str(said.get("image_sha256") or ""), str(said["message"]), ok=bool(said["ok"]))


def _compare_file(settings: "Settings", database: "Database", path: Path, job: "Job") -> Document:
    from jobs.image_comparison import compare_image
    from jobs.mastering.masters import MasterStore
    from jobs.overview import attempt_at
    from jobs.preparation import burnt_master, prepared_master

    medium = requested_medium(job.medium)
    family = medium if isinstance(medium, Family) else medium.family
    with database.read() as db:
        attempt = attempt_at(db, job.id, path.resolve())
    masters = MasterStore(settings.store / "masters")
    if attempt is None:
        stored, first_block = prepared_master(database, masters, job), 0
    else:
        stored, first_block = burnt_master(database, masters, job, attempt), attempt.first_block or 0
    try:
        with console.staging_bars() as bars:
            compared = compare_image(path, stored, family, bars, first_block)
    except MediumDiffers as error:
        return _report(job.id, str(path), "", error.message, ok=False)
    if compared.equal:
        return _report(job.id, str(path), compared.sha256, "every block is the master's", ok=True)
    places = "".join(f"\n  - {difference}" for difference in compared.differences)
    return _report(job.id, str(path), compared.sha256, f"{path} differs from the master in{places}", ok=False)


def _report(job: str, target: str, sha256: str, message: str, *, ok: bool) -> Document:
    return {"ok": ok, "job": job, "target": target, "image_sha256": sha256 or None, "message": message}
