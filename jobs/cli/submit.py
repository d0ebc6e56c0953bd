# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""`discmill submit`: the order form, the same for every kind of content."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.cli import console, doors
from jobs.cli.console import AsJson, Timeout
from jobs.ordering import Content, audio_disc, data_disc, image_disc, manifest_disc
from models.vocabulary import Nonblank, StageMode

if TYPE_CHECKING:
    from jobs.client import Client, JobHandle

app = typer.Typer()
order = typer.Typer(no_args_is_help=True, help="Order discs; prints the job's id.")
app.add_typer(order, name="submit", rich_help_panel=console.ORDERS)

_SPEED = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)x?", re.ASCII)

VolumeId = Annotated[
    str, typer.Option("--volume-id", metavar="ID", help="Name of the volume; default: after the title.")
]
Title = Annotated[str, typer.Option(metavar="T", help="What people call the order; default: after the first source.")]
_EXAMPLES = (
    "Examples:\n\n"
    "  discmill submit data photos/ --copies 20 --medium dvd --wait\n\n"
    "  discmill submit data report.pdf annex/ --title 'Report 2026' --key report-2026"
)


def _place(  # noqa: PLR0913  (the order form: each has a default)
    content: Content,
    *,
    copies: Annotated[int, typer.Option(metavar="N", help="Good discs wanted.")] = 1,
    medium: Annotated[
        str, typer.Option(metavar="KIND|FAMILY", help="As dvd+r or dvd; default: the smallest family that fits.")
    ] = "",
    priority: Annotated[int, typer.Option(metavar="N", help="0 to 9; 9 is first.")] = 5,
    speed: Annotated[str, typer.Option(metavar="X", help="Multiple of 1x, as 8 or 8x, or max.")] = "max",
    simulate: Annotated[bool, typer.Option("--simulate", help="Do all but switch the laser on.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not read discs back.")] = False,
    nonblank: Annotated[Nonblank, typer.Option(help="What to do with a medium that holds data.")] = Nonblank.REJECT,
    stage: Annotated[
        StageMode, typer.Option(help="Burn from where the content is, or from a copy in the store.")
    ] = StageMode.REFERENCE,
    client: Annotated[str, typer.Option(metavar="ID", help="Who orders; default: the client of the settings.")] = "",
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Ordered again with the same key, it is the same job.")
    ] = None,
    max_spoiled: Annotated[
        int | None,
        typer.Option(metavar="N", help="Spoiled discs until the job waits; default: 3 or a tenth of the copies."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(metavar="URL", help="Tell this address when it is over, or waits; must be allowed.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Stay until the job is over; exit code as `discmill wait`.")
    ] = False,
    timeout: Timeout = None,
    as_json: AsJson = False,
) -> None:
    """Submit an order, and wait for it where that is asked."""
    if timeout is not None and not wait:
        raise typer.BadParameter("it says how long to --wait, which is missing", param_hint="--timeout")
    multiple = read_speed(speed)
    with doors.client() as mill:
        with console.staging_bars() as bars:
            job = mill.submit(
                content,
                copies=copies,
                medium=medium,
                priority=priority,
                speed=multiple,
                simulate=simulate,
                verify=not no_verify,
                nonblank=nonblank,
                stage=stage,
                client=client,
                key=key,
                max_spoiled=max_spoiled,
                webhook=webhook,
                progress=bars,
            )
        _tell(job, wait=wait, as_json=as_json)
        for note in job.notes:
            console.say(f"note: {note}")
        if wait:
            _wait(mill, job, timeout, as_json=as_json)


def ordering(describe: Callable[..., Content]) -> Callable[..., None]:
    """Make a command of a function that says what goes on the disc: the rest of the order form is added."""
    own = inspect.signature(describe).parameters
    form = [each for each in inspect.signature(_place).parameters.values() if each.name != "content"]

    def command(**given: Any) -> None:  # noqa: ANN401  (typer hands over what the signature says)
        content = describe(**{name: given.pop(name) for name in own})
        _place(content, **given)

    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in [*own.values(), *form]]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__name__, command.__doc__ = describe.__name__, describe.__doc__
    return command


@order.command(epilog=_EXAMPLES)
@ordering
def data(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, and folders whose content is meant.")],
    volume_id: VolumeId = "",
    title: Title = "",
) -> Content:
    """Order files and folders, merged into the root of the disc."""
    return data_disc(*paths, volume_id=volume_id, title=title)


@order.command(
    epilog="Examples:\n\n  discmill submit audio 01.flac 02.wav --copies 10 --title 'Live 2026'\n\n"
    "  discmill submit audio --cue album.cue --copies 100 --medium cd-r"
)
@ordering
def audio(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE", help="Audio files, a track each, in the disc's order.")
    ] = None,
    cue: Annotated[Path | None, typer.Option(metavar="FILE", help="A CUE sheet, which names the files itself.")] = None,
    title: Title = "",
) -> Content:
    """Order an audio disc from sound files, or from a CUE sheet.

    Everything is decoded now, to 44.1 kHz, 16 bits, stereo, and kept in the store: the files are not needed again.
    """
    if bool(files) is (cue is not None):
        raise typer.BadParameter("name audio files, or one sheet with --cue", param_hint="FILE...")
    return audio_disc(*(files or ()), title=title, cue=cue)


@order.command(epilog="Example:\n\n  discmill submit image debian.iso --copies 5 --speed 8x")
@ordering
def image(
    file: Annotated[Path, typer.Argument(metavar="FILE.iso", help="The image, burnt bit for bit.")],
    title: Title = "",
) -> Content:
    """Order a ready-made ISO image."""
    return image_disc(file, title=title)


@order.command(epilog="Example:\n\n  discmill submit manifest disc-1.json --client archive --key disc-1 --json")
@ordering
def manifest(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="Names each file's place, source and digest.")],
    volume_id: VolumeId = "",
    title: Title = "",
) -> Content:
    """Order what a JSON manifest lists."""
    return manifest_disc(file, volume_id=volume_id, title=title)


def _tell(job: "JobHandle", *, wait: bool, as_json: bool) -> None:
    """Say the id as soon as there is one; a document follows when the job is over."""
    if not as_json:
        console.answer(job.id)
    elif not wait:
        console.print_json({"job": job.id})


def _wait(mill: "Client", job: "JobHandle", timeout: float | None, *, as_json: bool) -> None:
    from jobs.cli.follow import exit_code, follow, rig_of
    from jobs.cli.live import view_on

    try:
        report = follow(job, view_on(console.stderr()), timeout=timeout, rig=rig_of(mill))
    except KeyboardInterrupt:
        console.say(f"the job goes on; `discmill watch {job.id}` follows it, `discmill cancel {job.id}` ends it")
        raise
    if as_json:
        console.print_json(report.document)
    raise typer.Exit(exit_code(report))


def read_speed(text: str) -> float | None:
    """Read `8`, `8x` or `max`; None is as fast as drive and medium go.

    Raises:
        typer.BadParameter: it is none of these.
    """
    if text == "max":
        return None
    multiple = _SPEED.fullmatch(text)
    if multiple is None or not float(multiple[1]):
        raise typer.BadParameter(f"{text!r} is no speed; write 8, 8x or max", param_hint="--speed")
    return float(multiple[1])
