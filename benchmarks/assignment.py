"""What one assignment costs while 10, 1,000 and 100,000 copies are queued: it must not grow."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import delete, insert, select, text, update

from benchmarks.measuring import Scale, interleaved, seconds
from benchmarks.postgres import running_postgres
from benchmarks.table import Row, Sample, skipped
from jobs.mastering.medium import Family, MediumKind
from jobs.scheduling import assign_to, fresh, media_class
from jobs.schema import upgrade
from models.attempt import Attempt
from models.base import new_id
from models.database import Database
from models.event import Event
from models.job import Copy, Job
from models.manifest import Manifest
from models.recorder import Recorder
from models.vocabulary import Condition, CopyState, DiscFormat, JobState, Nonblank, StageMode

RECORDER = "r1"
_MS = 1000.0


@dataclass(frozen=True, slots=True)
class _Queue:
    """How many copies wait, in jobs of how many."""

    copies: int
    copies_a_job: int = 10

    def __str__(self) -> str:
        jobs = self.copies // self.copies_a_job
        return f"{self.copies:,} queued in {jobs:,} job{'s' if jobs > 1 else ''}"


def run(scale: Scale) -> list[Row]:
    """Measure on SQLite, then on PostgreSQL if there is one."""
    largest = scale.pick(100_000, 2_000)
    queues = [_Queue(10), _Queue(1_000), _Queue(largest), _Queue(largest, largest)]
    rows = _measure("SQLite", queues, scale, lambda number: f"sqlite:///{scale.folder / f'{number}.db'}")
    with running_postgres(scale.folder) as server:
        if server is None:
            return [*rows, skipped("PostgreSQL", "its programs (initdb, postgres) are not here")]
        return rows + _measure("PostgreSQL", queues, scale, lambda number: new_database(server, f"bench{number}"))


def _measure(kind: str, queues: list[_Queue], scale: Scale, url_of: Callable[[int], str]) -> list[Row]:
    rounds, calls = scale.pick(15, 2), scale.pick(40, 10)
    desks = {queue: _Desk(url_of(number), queue) for number, queue in enumerate(queues)}
    found = interleaved(rounds, {str(queue): partial(desk.cost, calls) for queue, desk in desks.items()})
    for desk in desks.values():
        desk.close()
    first = str(queues[0])
    theirs = found[first].scaled(_MS)
    return [_row(kind, name, sample.scaled(_MS), first, theirs) for name, sample in found.items()]


def _row(kind: str, name: str, ours: Sample, first: str, theirs: Sample) -> Row:
    row = Row(f"{kind}: assign_to, {name}", "ms", ours)
    return row if name == first else replace(row, peer=f"{kind}, {first}", theirs=theirs)


def new_database(server: str, name: str) -> str:
    """Make a database on a server; return its URL."""
    database = Database(server)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    database.close()
    return server.replace("/postgres?", f"/{name}?")


class _Desk:
    """A database with a queue, and one ready recorder that is given the next copy again and again."""

    def __init__(self, url: str, queue: _Queue) -> None:
        upgrade(url)
        self._database = Database(url)
        with self._database.write() as db:
            db.add(a_recorder())
            manifest = Manifest(sha256="0" * 64, entries=1, bytes=1, complete=True)
            db.add(manifest)
            db.flush()
            for _ in range(queue.copies // queue.copies_a_job):
                job = a_job(manifest.id, queue.copies_a_job)
                db.add(job)
                db.flush()
                db.execute(insert(Copy), copies_of(job))
        self._settle_down()

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def cost(self, calls: int) -> float:
        """Return the seconds of one call of `assign_to`, the mean of so many; each is undone, unmeasured."""
        total = 0.0
        for _ in range(calls):
            total += seconds(self._assign)
            self._undo()
        return total / calls

    def _assign(self) -> None:
        if assign_to(self._database, RECORDER) is None:
            raise RuntimeError("nothing was assigned")

    def _undo(self) -> None:
        with self._database.write() as db:
            copies = db.scalars(select(Attempt.copy_id)).all()
            db.execute(delete(Attempt))
            db.execute(delete(Event))
            db.execute(update(Copy).where(Copy.id.in_(copies)).values(state=CopyState.QUEUED))
            db.execute(update(Job).where(Job.state == JobState.ACTIVE).values(state=JobState.QUEUED))

    def _settle_down(self) -> None:
        """Have the statistics that a database in use has: PostgreSQL gathers them by itself a minute later."""
        with self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            if not self._database.is_sqlite:
                db.execute(text("VACUUM ANALYZE"))


def a_recorder() -> Recorder:
    """Make a recorder that is ready with a blank DVD-R."""
    blank = fresh(MediumKind.DVD_R)
    device = {"uri": "emulated:none", "host": "here", "machine_id": "here", "device_id": "none"}
    tray = {"medium_kind": blank.kind, "medium_status": blank.status, "medium_free_blocks": blank.free_blocks}
    return Recorder(name=RECORDER, epoch=1, condition=Condition.READY, **device, **tray)


def a_job(manifest: int, copies: int) -> Job:
    """Order copies of a small data DVD."""
    made_of = {"order_sha256": "0" * 64, "master_key": "1" * 64, "image_sha256": "2" * 64}
    size = {"blocks": 1000, "block_size": 2048, "medium": str(Family.DVD), "volume_id": "BENCH"}
    choices = {"simulate": False, "verify": True, "nonblank": Nonblank.REJECT, "stage": StageMode.REFERENCE}
    counts = {"copies": copies, "priority": 5, "max_spoiled": 3, "manifest_id": manifest}
    names = {"id": new_id(), "client": "bench", "title": "bench", "format": DiscFormat.JOLIET}
    return Job(**names, **made_of, **size, **choices, **counts)


def copies_of(job: Job) -> list[dict[str, object]]:
    """Describe the rows of a job's copies, all queued."""
    wanted = media_class(Family.DVD, job.blocks, job.nonblank)
    common = {"job_id": job.id, "state": CopyState.QUEUED, "media_class": wanted, "priority": job.priority}
    return [{**common, "number": number} for number in range(1, job.copies + 1)]
