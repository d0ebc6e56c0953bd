"""Fills a database with more than a rig makes in years: orders that wait, orders that were made, and their content."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from jobs.mastering.medium import Family, MediumKind
from jobs.scheduling import fresh, media_class
from models.attempt import Attempt
from models.base import Base, now
from models.database import Database
from models.job import Copy, Job
from models.manifest import Manifest, ManifestEntry
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, DiscFormat, JobState, Nonblank, Outcome, Stage, StageMode

Values = dict[str, object]

#: Rows of one statement.
_BATCH = 10_000
#: Blocks of 2048 bytes of every disc.
_BLOCKS = 1000


@dataclass(frozen=True, slots=True)
class Crowd:
    """Copies in jobs of so many; each job has content of its own, of so many files."""

    copies: int
    copies_a_job: int = 10
    files_a_job: int = 0

    @property
    def jobs(self) -> int:
        """How many jobs that makes."""
        return self.copies // self.copies_a_job

    def __str__(self) -> str:
        return f"{self.copies:,} queued in {self.jobs:,} job{'s' if self.jobs > 1 else ''}"


def add_queue(db: Session, crowd: Crowd, name: str = "queued") -> None:
    """Order copies that nobody has begun; file 7 of job 42 is "file 42-7", and each job has a "README.TXT" besides."""
    _add_orders(db, crowd, name, JobState.QUEUED)
    copies = range(1, crowd.copies_a_job + 1)
    fill(db, Copy, (_copy(job_id(name, n), c, CopyState.QUEUED) for n in range(crowd.jobs) for c in copies))


def add_history(db: Session, crowd: Crowd, recorders: Iterable[str], name: str = "made") -> None:
    """Add orders whose copies each have a good disc, made by the recorders in turns."""
    _add_orders(db, crowd, name, JobState.COMPLETED)
    copies = range(1, crowd.copies_a_job + 1)
    fill(db, Copy, (_copy(job_id(name, n), c, CopyState.DONE) for n in range(crowd.jobs) for c in copies))
    ours = Copy.job_id.between(job_id(name, 0), job_id(name, crowd.jobs - 1))
    rows = db.execute(select(Copy.id, Copy.job_id).where(ours).order_by(Copy.id)).all()
    fill(db, Attempt, (_disc(copy, job, by) for (copy, job), by in zip(rows, cycle(recorders), strict=False)))


def settle_down(database: Database) -> None:
    """Have the statistics that a database in use has: PostgreSQL gathers them by itself a minute later."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        if not database.is_sqlite:
            db.execute(text("VACUUM ANALYZE"))


def job_id(name: str, number: int) -> str:
    """Return the id of a job of a crowd, the first of which has number 0; as long as a UUID."""
    return f"{name:-<24}{number:012d}"


def a_recorder(name: str) -> Recorder:
    """Make a recorder that is ready with a blank DVD-R."""
    blank = fresh(MediumKind.DVD_R)
    device = {"uri": "emulated:none", "host": "here", "machine_id": "here", "device_id": name}
    tray = {"medium_kind": blank.kind, "medium_status": blank.status, "medium_free_blocks": blank.free_blocks}
    return Recorder(name=name, epoch=1, condition=Condition.READY, **device, **tray)


def fill(db: Session, table: type[Base], rows: Iterable[Values]) -> None:
    """Add rows, many at a time."""
    rest = iter(rows)
    while batch := list(islice(rest, _BATCH)):
        db.connection().execute(insert(table), batch)  # not through the session, which takes three times as long


def _add_orders(db: Session, crowd: Crowd, name: str, state: JobState) -> None:
    first = (db.scalar(select(func.max(Manifest.id))) or 0) + 1
    manifests = [first + n for n in range(crowd.jobs)]
    content = {"entries": crowd.files_a_job + 1, "bytes": 1, "complete": True}
    fill(db, Manifest, ({"id": m, "sha256": f"{m:064x}", **content} for m in manifests))
    fill(db, ManifestEntry, (entry for n, m in enumerate(manifests) for entry in _files(m, n, crowd.files_a_job)))
    fill(db, Job, (_job(job_id(name, n), m, crowd.copies_a_job, state) for n, m in enumerate(manifests)))


def _job(number: str, manifest: int, copies: int, state: JobState) -> Values:
    made_of = {"order_sha256": "0" * 64, "master_key": "1" * 64, "image_sha256": "2" * 64, "manifest_id": manifest}
    size = {"blocks": _BLOCKS, "block_size": 2048, "medium": str(Family.DVD), "volume_id": "BENCH"}
    choices = {"simulate": False, "verify": True, "nonblank": Nonblank.REJECT, "stage": StageMode.REFERENCE}
    names = {"id": number, "client": "bench", "title": "bench", "format": DiscFormat.JOLIET, "state": state}
    return {"copies": copies, "priority": 5, "max_spoiled": 3, **names, **made_of, **size, **choices}


def _copy(job: str, number: int, state: CopyState) -> Values:
    wanted = media_class(Family.DVD, _BLOCKS, Nonblank.REJECT)
    return {"job_id": job, "number": number, "state": state, "media_class": wanted, "priority": 5}


def _disc(copy: int, job: str, recorder: str) -> Values:
    made = {"stage": Stage.SETTLED, "outcome": Outcome.GOOD, "verified": True, "image_sha256": "2" * 64, "epoch": 1}
    where = {
        "medium_kind": "dvd-r",
        "medium_id": f"medium-{job_id('disc', copy)}",
        "medium_erases": 0,
        "medium_session": 1,
    }
    when = {"started": now(), "finished": now(), "ejected": now(), "path": f"/srv/shelf/disc-{copy:08d}.iso"}
    blocks = {"blocks_done": _BLOCKS, "blocks_total": _BLOCKS}
    ids = {"id": job_id("disc", copy), "job_id": job, "copy_id": copy, "recorder": recorder}
    return {**ids, **made, **where, **when, **blocks}


def _files(manifest: int, job: int, files: int) -> Iterator[Values]:
    names = ["README.TXT", *(f"file {job}-{number}" for number in range(files))] if files else []
    facts = {"folder": False, "size": 1, "mtime_ns": 1, "source_mtime_ns": 1, "inode": 1}
    for position, name in enumerate(names):
        place = {"path": f"2026/holidays/{name}", "name": name, "source": f"/srv/content/{job}/2026/holidays/{name}"}
        digest = f"{manifest:056x}{position:08x}" if position else "f" * 64
        yield {"manifest_id": manifest, "position": position, "sha256": digest, **place, **facts}
