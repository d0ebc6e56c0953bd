"""Which checks a rig gets, in the order in which they are told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs.cli import doors
from jobs.errors import DiscError
from jobs.settings import RecorderSetting, Settings, load_settings
from models.recorder import Recorder
from workers.doctor import automount, broker, clock, content, database, disk, doorway, drives, limits, programs
from workers.doctor.examination import Words, examine, fetch
from workers.doctor.findings import Check, Finding, Grade, failing, well
from workers.recorders.libburn import SCHEME
from workers.recorders.scsi_devices import changers

#: Seconds for a database to tell which recorders this host has.
_PATIENCE = 12.0


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined: this host, with these recorders; `writes` tells by name which kinds of media each writes."""

    settings: Settings
    recorders: Sequence[RecorderSetting]
    writes: Mapping[str, list[str]]


def configuration_findings() -> list[Finding]:
    """See whether the configuration can be read: without it nothing else can be looked at."""
    return examine([Check("configuration", _configuration)])


def patient(settings: Settings, recorders: Sequence[RecorderSetting]) -> Patient:
    """Find out what is to be examined: these recorders, or without any all of this host.

    Those are the ones of the configuration, and those whose workers the database knows.
    """
    rows = fetch(partial(_rows, settings), _PATIENCE)
    known = {row["name"]: RecorderSetting(name=row["name"], uri=row["uri"]) for row in rows}
    known |= {recorder.name: recorder for recorder in settings.recorder}
    return Patient(settings, recorders or list(known.values()), {row["name"]: row["writes"] for row in rows})


def checks(of: Patient) -> list[Check]:
    """List all checks."""
    settings = of.settings
    real = [recorder for recorder in of.recorders if recorder.uri.startswith(f"{SCHEME}:")]
    needed = disk.demand(of.recorders, of.writes)
    return [
        Check("programs", partial(_programs, burns=bool(real)), 60),
        *(Check(f"recorder {one.name}", partial(drives.drive_findings, one), 60) for one in of.recorders),
        Check("changers", drives.changer_findings),
        Check("automounters", partial(_neighbours, real)),
        Check("home", partial(disk.room_findings, settings.home, len(real))),
        Check("disk speed", partial(disk.speed_findings, settings.home, needed), 40),
        *(Check(f"content root {root}", partial(content.root_findings, root)) for root in settings.content_roots),
        Check("store", partial(content.store_findings, settings), 25),
        Check("clock", clock.clock_findings),
        Check("database", partial(database.database_findings, settings), 25),
        Check("broker", partial(broker.broker_findings, settings), 25),
        Check("flower", partial(doorway.door_findings, settings)),
        Check("limits", limits.limit_findings),
    ]


def is_well(findings: Sequence[Finding]) -> bool:
    """Say whether discs can be made."""
    return all(finding.grade is not Grade.FAILURE for finding in findings)


def _configuration() -> Iterator[Finding]:
    try:
        settings = load_settings()
    except DiscError as error:
        yield failing("configuration", error.message, "mend DISCMILL_… or discmill.toml; `discmill config` lists all")
    else:
        yield well("configuration", f"the home is {settings.home}")


def _programs(*, burns: bool) -> Iterator[Finding]:
    for program in programs.BURN_PROGRAMS:
        yield from programs.program_findings(program, is_needed=burns)
    yield from programs.program_findings(programs.CHANGER, is_needed=bool(changers()))
    for program in programs.DECODERS:
        yield from programs.program_findings(program, is_needed=False)


def _neighbours(real: Sequence[RecorderSetting]) -> Iterator[Finding]:
    nodes = [node for recorder in real if (node := drives.node_of(recorder)) is not None]
    yield from automount.automount_findings(nodes)
    yield from automount.mount_findings(nodes)


def _rows(settings: Settings) -> Words:
    """Tell of this host's recorders; nothing where the database can't be asked, which its own check tells."""
    query = select(Recorder).where(Recorder.machine_id == settings.machine_id).order_by(Recorder.name)
    try:
        with doors.database(settings) as opened, opened.read() as db:
            return [{"name": row.name, "uri": row.uri, "writes": row.writes} for row in db.scalars(query)]
    except (DiscError, SQLAlchemyError, OSError):
        return []
