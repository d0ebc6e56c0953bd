"""What one assignment costs while 10, 1,000, 100,000 and 1,000,000 copies are queued: it must not grow."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sqlalchemy import delete, select, update

from benchmarks.crowd import Crowd, a_recorder, add_queue, settle_down
from benchmarks.measuring import Scale, interleaved, seconds
from benchmarks.postgres import new_database, running_postgres
from benchmarks.table import Row, Sample, skipped
from jobs.scheduling import assign_to
from jobs.schema import upgrade
from models.attempt import Attempt
from models.database import Database
from models.event import Event
from models.job import Copy, Job
from models.vocabulary import CopyState, JobState

RECORDER = "r1"
_MS = 1000.0


def run(scale: Scale) -> list[Row]:
    """Measure on SQLite, then on PostgreSQL if there is one."""
    largest = scale.pick(1_000_000, 2_000)
    queues = [Crowd(10), Crowd(1_000), Crowd(largest // 10), Crowd(largest), Crowd(largest, largest)]
    rows = _measure("SQLite", queues, scale, lambda number: f"sqlite:///{scale.folder / f'{number}.db'}")
    with running_postgres(scale.folder) as server:
        if server is None:
            return [*rows, skipped("PostgreSQL", "its programs (initdb, postgres) are not here")]
        return rows + _measure("PostgreSQL", queues, scale, lambda number: new_database(server, f"bench{number}"))


def _measure(kind: str, queues: list[Crowd], scale: Scale, url_of: Callable[[int], str]) -> list[Row]:
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


class _Desk:
    """A database with a queue, and one ready recorder that is given the next copy again and again."""

    def __init__(self, url: str, queue: Crowd) -> None:
        upgrade(url)
        self._database = Database(url)
        with self._database.write() as db:
            db.add(a_recorder(RECORDER))
            add_queue(db, queue)
        settle_down(self._database)

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
