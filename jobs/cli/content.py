# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""Commands about the bytes of a disc: lay a master out to a file, compare a file or a disc with a job's master."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from jobs.cli import console, doors
from jobs.cli.console import AsJson, Heard
from jobs.cli.submit import VolumeId
from jobs.errors import Faults, MediumDiffers, NotFound
from jobs.mastering.medium import Family
from jobs.mastering.progress import ProgressEvent, VerifyProgress

if TYPE_CHECKING:
    from jobs.mastering.image import ExtentMap
    from jobs.mastering.verification import Comparison
    from jobs.preparation import LaidOut
    from jobs.settings import Settings
    from models.database import Database
    from models.job import Job

app = typer.Typer()

#: Bytes written at a time.
_STRIDE = 1 << 20


@app.command(
    rich_help_panel=console.DISCS,
    epilog="Example:\n\n  discmill master photos/ --output photos.iso --volume-id PHOTOS",
)
def master(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, and folders whose content is meant.")],
    output: Annotated[Path, typer.Option(metavar="FILE.iso", help="The file to write; it is there whole or not at all.")],
    medium: Annotated[Family | None, typer.Option(help="What it is laid out for; default: the smallest that fits.")] = None,
    volume_id: VolumeId = "",
) -> None:
    """Write the image that `submit data` would burn to a file; prints its SHA-256 as sha256sum does."""
    from jobs.settings import load_settings

    with console.staging_bars() as bars:
        laid = _lay_out(load_settings(), paths, medium, volume_id, bars)
        with _whole_or_not(output) as file:
            digest = write_image(laid.image, file, bars)
    console.answer(f"{digest}  {output}")


def _lay_out(
    settings: "Settings", paths: Sequence[Path], medium: Family | None, volume_id: str, bars: Heard
) -> "LaidOut":
    """Stage and lay out as a submit does, and have the image read by another reader."""
    from jobs.mastering.inspection import inspect
    from jobs.mastering.joliet import default_volume_id, name_faults
    from jobs.roots import ContentRoots
    from jobs.scanning import scan
    from jobs.staging import stage

    roots = ContentRoots(settings.content_roots)
    scanned = scan(paths, roots)
    faults = [*scanned.faults, *name_faults(scanned.entries)]
    if faults:
        raise Faults("the content has faults, nothing was written", faults)
    manifest = stage(scanned.entries, roots, progress=lambda done, total, _entries: bars("hashing", done, total))
    named = volume_id or default_volume_id(paths[0].absolute().name or "disc")
    families = [medium] if medium else list(Family)
    laid = _smallest(manifest, families, named)
    inspect(laid.image, manifest)
    return laid


def _smallest(manifest: "Manifest", families: Sequence[Family], volume_id: str) -> "LaidOut":
    """Lay out for the first family that holds the image."""
    from jobs.mastering.joliet import LayoutOptions
    from jobs.preparation import lay_out
