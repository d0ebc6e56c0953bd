"""Rows that many tests need, made with one call each, and attempts brought to a stage by the protocol's own moves."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from sqlalchemy import select, update
from sqlalchemy.orm import Session

import models.delivery
import models.figures  # noqa: F401  (each brings its tables)
from jobs import ledger
from jobs.ledger import Owner, Rules, Verdict
from jobs.mastering.medium import MediumInfo, MediumKind, requested_medium
from jobs.scheduling import assign_to, fresh, media_class
from models.attempt import Attempt
from models.base import Base, new_id
from models.database import Database
from models.job import Copy, Job
from models.manifest import Manifest
from models.recorder import Recorder
from models.vocabulary import Condition, DiscFormat, Nonblank, Outcome, Stage, StageMode

BLANK = fresh(MediumKind.DVD_R)


@contextmanager
def fresh_database(url: str) -> Generator[Database]:
    """Open an empty database and make the tables as the models have them."""
    database = Database(url)
    Base.metadata.create_all(database.engine)
    try:
        yield database
    finally:
        database.close()


def empty(database: Database) -> None:
    """Delete all rows."""
    with database.write() as db:
        for table in reversed(Base.metadata.sorted_tables):
            db.execute(table.delete())


def a_manifest(db: Session, **over: object) -> Manifest:
    """Make a manifest of one entry, without the entry."""
    manifest = Manifest(**{"sha256": new_id(), "entries": 1, "bytes": 1, "complete": True, **over})
    db.add(manifest)
    db.flush()
    return manifest


def a_job(db: Session, copies: int = 1, **over: object) -> Job:
    """Order copies of a small data DVD, queued."""
    job = Job(
        **{**_AN_ORDER, "manifest_id": over.pop("manifest_id", None) or a_manifest(db).id, "copies": copies, **over}
    )
    db.add(job)
    db.flush()
    wanted = media_class(requested_medium(job.medium), job.blocks, job.nonblank)
    for number in range(1, copies + 1):
        db.add(Copy(job_id=job.id, number=number, media_class=wanted, priority=job.priority))
    db.flush()
    return job


_AN_ORDER = {
    "client": "tests",
    "order_sha256": "0" * 64,
    "title": "photos",
    "format": DiscFormat.JOLIET,
    "stage": StageMode.REFERENCE,
    "medium": "dvd",
    "volume_id": "PHOTOS",
    "master_key": "1" * 64,
    "blocks": 1000,
    "block_size": 2048,
    "image_sha256": "2" * 64,
    "priority": 5,
    "simulate": False,
    "verify": True,
    "nonblank": Nonblank.REJECT,
    "max_spoiled": 3,
}


def a_recorder(db: Session, name: str = "left", medium: MediumInfo | None = BLANK, **over: object) -> Recorder:
    """Make a recorder, its owner's epoch 1: ready with a blank DVD-R, or empty with `medium=None`."""
    tray = {"condition": Condition.EMPTY} if medium is None else _ready_with(medium)
    device = {"uri": f"emulated:{name}", "host": "here", "machine_id": "here", "device_id": name}
    recorder = Recorder(**{"name": name, "epoch": 1, **device, **tray, **over})
    db.add(recorder)
    db.flush()
    return recorder


def _ready_with(medium: MediumInfo) -> dict[str, object]:
    return {
        "condition": Condition.READY,
        "medium_kind": medium.kind,
        "medium_status": medium.status,
        "medium_capacity": medium.capacity,
        "medium_free_blocks": medium.free_blocks,
        "medium_used": medium.used,
    }


def make_ready(database: Database, *names: str, medium: MediumInfo = BLANK) -> None:
    """Let recorders' workers see a medium, and nothing else to do."""
    with database.write() as db:
        db.execute(update(Recorder).where(Recorder.name.in_(names)).values(**_ready_with(medium)))


def set_condition(database: Database, condition: Condition, recorder: str = "left") -> None:
    """Observe something else of a recorder."""
    with database.write() as db:
        db.get_one(Recorder, recorder).condition = condition


def order(database: Database, copies: int = 1, recorders: Sequence[str] = ("left",), **over: object) -> str:
    """Order copies on a rig of ready recorders; return the job's id."""
    with database.write() as db:
        for name in recorders:
            a_recorder(db, name)
        return a_job(db, copies, **over).id


def owner_of(database: Database, recorder: str = "left") -> Owner:
    """Return who owns a recorder now."""
    with database.read() as db:
        return Owner(recorder, db.get_one(Recorder, recorder).epoch)


def an_attempt(database: Database, stage: Stage = Stage.ASSIGNED, recorder: str = "left", medium_id: str = "") -> str:
    """Give a recorder its next copy and bring the attempt to a stage, on a medium of its own; return its id."""
    assignment = assign_to(database, recorder)
    assert assignment is not None, f"nothing is queued for {recorder}"
    owner, attempt = owner_of(database, recorder), assignment.attempt
    road = list(Stage)[: list(Stage).index(stage) + 1]
    if Stage.PREPARING in road:
        with database.write() as db:
            assert ledger.start(db, attempt, owner) is not None
    if Stage.WRITING in road:
        with database.write() as db:
            ledger.permit(db, attempt, owner, BLANK, medium_id or new_id())
    for later in road[3:]:
        with database.write() as db:
            ledger.enter(db, attempt, owner, later)
    return attempt


def settle(database: Database, attempt: str, verdict: Verdict | Outcome, rules: Rules | None = None) -> Outcome:
    """Settle an attempt as its recorder's owner, back-off left out."""
    found = verdict if isinstance(verdict, Verdict) else Verdict(verdict)
    owner = owner_of(database, attempt_row(database, attempt).recorder)
    with database.write() as db:
        return ledger.settle(db, attempt, owner, found, rules or Rules(back_off=0))


def a_disc(database: Database, outcome: Outcome, recorder: str = "left") -> str:
    """Make one disc from assignment to outcome; the recorder is ready again afterwards."""
    attempt = an_attempt(database, Stage.PREPARING if outcome is Outcome.UNUSED else Stage.VERIFYING, recorder)
    settle(database, attempt, outcome)
    make_ready(database, recorder)
    return attempt


def attempt_row(database: Database, attempt: str) -> Attempt:
    """Read an attempt."""
    with database.read() as db:
        return db.get_one(Attempt, attempt)


def job_row(database: Database, job: str) -> Job:
    """Read a job."""
    with database.read() as db:
        return db.get_one(Job, job)


def recorder_row(database: Database, name: str = "left") -> Recorder:
    """Read a recorder."""
    with database.read() as db:
        return db.get_one(Recorder, name)


def copy_rows(database: Database, job: str) -> list[Copy]:
    """Read a job's copies, by number."""
    with database.read() as db:
        return list(db.scalars(select(Copy).where(Copy.job_id == job).order_by(Copy.number)))
