# ruff: noqa: PLC0415  (what takes long to import is imported when it is used: --help answers at once)
"""`discmill recorders attached`: the drives of this host, ready to be put into the configuration."""

from typing import TYPE_CHECKING

import typer

from jobs.cli import console, doors
from jobs.cli.change import drive_name, families, medium_words
from jobs.cli.console import AsJson, Column

if TYPE_CHECKING:
    from jobs.settings import Settings

app = typer.Typer()

_COLUMNS = (
    Column("device", lambda drive: drive["node"]),
    Column("drive", drive_name, wide=True),
    Column("serial", lambda drive: drive["serial"]),
    Column("writes", lambda drive: families(drive["writes"])),
    Column("medium", lambda drive: medium_words(drive["medium"])),
    Column("recorder", lambda drive: drive["recorder"]),
    Column("message", lambda drive: drive["message"], wide=True),
)


@app.command(
    epilog="What it prints for drives that are no recorders yet goes into discmill.toml as it is, under any name.\n\n"
    "A drive is named by its id, which stays the same wherever it is plugged in."
)
def attached(*, as_json: AsJson = False) -> None:
    """List the drives attached to this host: what they are, what they write, which are recorders already."""
    from jobs.settings import load_settings
    from workers.attached import attached_drives, configuration

    drives = attached_drives(_taken(load_settings()))
    nothing = "no optical drive is attached to this host; in a container it has to be handed in as a device"
    console.print_documents(drives, _COLUMNS, nothing, as_json=as_json)
    new = configuration(drives)
    if new and not as_json:
        console.answer(f"\n# for discmill.toml\n{new}")


def _taken(settings: "Settings") -> dict[str, str]:
    """Tell by device id which drives are recorders, by the configuration and by the database if there is one."""
    from sqlalchemy import select
    from sqlalchemy.exc import DBAPIError

    from jobs.errors import DiscError, NotFound
    from models.recorder import Recorder
    from workers.recorders.scsi_devices import find_drive

    taken = {}
    for recorder in settings.recorder:
        scheme, _, wanted = recorder.uri.partition(":")
        try:
            taken[find_drive(wanted).device_id if scheme == "scsi" else ""] = recorder.name
        except NotFound:
            continue  # it is not attached
    query = select(Recorder.device_id, Recorder.name).where(Recorder.machine_id == settings.machine_id)
    try:
        with doors.database(settings) as database, database.read() as db:
            taken.update((row.device_id, row.name) for row in db.execute(query))
    except (DiscError, DBAPIError) as error:
        console.say(f"only the configuration was asked which drives are recorders: {console.explain(error)}")
    taken.pop("", None)
    return taken
