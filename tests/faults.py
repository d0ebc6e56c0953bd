"""What tests of single faults share: a rig with gates, an attempt brought to a stage, and the table's row after it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs import control, data_disc
from jobs.client import JobHandle
from jobs.dispatch import CeleryBell, queue_name
from jobs.scheduling import Assignment
from models.attempt import Attempt
from models.job import Copy
from models.recorder import Recorder
from models.vocabulary import Condition, Outcome
from tests.chaos.checker import Record, check, read_record
from tests.chaos.gates import GATES, Gates
from tests.chaos.rig import BrokenRig, broken_rig, short_folder
from tests.chaos.shelf import read_discs
from tests.reliability import Row, note, noting_into
from tests.rigs import wait_until
from tests.servers import PostgresServer
from workers.evidence import read_evidence

_numbers = count(1)


@dataclass(slots=True)
class Bench:
    """A rig on a test bench: one disc at a time, brought to a stage, hurt there, and followed to its end."""

    broken: BrokenRig
    gates: Gates
    database: str
    excused: set[str] = field(default_factory=set)
    evidence: list[Path] = field(default_factory=list)  #: where burns leave theirs, on whatever host

    def order(self, size: int = 3 << 19, **options: Any) -> JobHandle:  # noqa: ANN401  (as Client.submit has them)
        """Order one disc of content of its own."""
        folder = self.broken.content(f"content {next(_numbers)}", size)
        return self.broken.mill.submit(data_disc(folder), **options)

    def reach(self, stage: str, **options: Any) -> tuple[JobHandle, Attempt]:  # noqa: ANN401
        """Order a disc and let it come to a stage, at whose gate it waits where there is one."""
        if stage in GATES:
            self.gates.shut(stage)
        job = self.order(**options)
        return job, self.until_at(job, stage)

    def until_at(self, job: JobHandle, stage: str) -> Attempt:
        """Wait until an attempt of a job is at a stage, or at its gate."""
        return wait_until(lambda: self._at(job, stage), f"an attempt at {stage}")

    def waiting(self) -> int:
        """Count the messages that no worker has taken yet."""
        with self.broken.redis() as client:
            return sum(int(client.llen(queue_name(name))) for name in self.broken.recorders)

    def _at(self, job: JobHandle, stage: str) -> Attempt | None:
        for attempt in self.attempts(job):
            if stage in GATES:
                if self.gates.waits(stage, attempt.id):
                    return attempt
            elif attempt.stage == stage and self._has_begun(attempt, stage):
                return attempt
        return None

    def _has_begun(self, attempt: Attempt, stage: str) -> bool:
        """Say whether the stage is under way: while it writes, the medium is touched."""
        if stage == "writing":
            return any(read_evidence(folder / attempt.id).wrote for folder in self.evidence)
        return stage == "assigned" or attempt.blocks_done > 0

    def attempts(self, job: JobHandle) -> list[Attempt]:
        """Return a job's attempts, the oldest first."""
        with self.broken.database.read() as db:
            return list(db.scalars(select(Attempt).where(Attempt.job_id == job.id).order_by(Attempt.id)))

    def stop(self, recorder: str) -> None:
        """Stop a worker, but not amid a transaction: on SQLite all others would wait for it."""
        pid = wait_until(lambda: self.broken.pid(recorder), f"the worker of {recorder} runs")
        stop = self.broken.stop_outside_transactions
        wait_until(lambda: stop(pid), f"the worker of {recorder} is stopped between two transactions")

    def replay(self, job: JobHandle, recorder: str, times: int = 1) -> None:
        """Publish the messages of a job's attempts once more, to some recorder's queue."""
        bell = CeleryBell(self.broken.settings.broker_url)
        for attempt in self.attempts(job) * times:
            assert bell.ring(Assignment(attempt.id, recorder))
        bell.close()

    def on(self, *names: str) -> None:
        """Let only these recorders burn."""
        control.pause(self.broken.database, self.broken.recorders)
        control.resume(self.broken.database, names)

    def end(self, job: JobHandle) -> None:
        """Open the gates, put everything in order, and wait until the rig is at rest."""
        self.gates.open()
        wait_until(lambda: self._is_over(job), f"job {job.id} is over")
        wait_until(self._is_at_rest, "every attempt has its verdict and every disc has left")
        control.clear(self.broken.database, self.broken.recorders)
        wait_until(lambda: self.broken.rig.are_ready(self.broken.database), "every recorder is back")

    def _is_over(self, job: JobHandle) -> bool:
        """See to recorders that ask for it, as a person does, until a job is over or waits."""
        with suppress(SQLAlchemyError):
            control.clear(self.broken.database, self.broken.recorders)
            return not job.report().needs_nobody
        return False

    def _is_at_rest(self) -> bool:
        open_outcome = Attempt.outcome.is_(None) | (Attempt.outcome == Outcome.LOST)
        waits = Attempt.ejected.is_(None) & Attempt.outcome.in_([Outcome.GOOD, Outcome.SPOILED, Outcome.SURPLUS])
        with suppress(SQLAlchemyError), self.broken.database.read() as db:
            left = select(Attempt.id).where(open_outcome | (waits & Attempt.medium_id.is_not(None)))
            return db.scalar(left) is None
        return False

    def put_right(self) -> None:
        """Leave the rig as other tests want to find it."""
        self.gates.open()
        self.broken.wake_all()
        for name in self.broken.recorders:
            self.broken.drive(name).clear_faults()
            self.broken.drive(name).replug()
        control.clear(self.broken.database, self.broken.recorders)

    def outcomes(self, job: JobHandle) -> list[Outcome | None]:
        """Return what became of a job's attempts, the oldest first."""
        return [attempt.outcome for attempt in self.attempts(job)]

    def condition(self, recorder: str) -> Condition:
        """Return what is observed of a recorder."""
        with self.broken.database.read() as db:
            return db.get_one(Recorder, recorder).condition

    def until_beats(self, recorder: str, beats: int = 4) -> None:
        """Wait until a worker's heart has gone on for a while."""
        before = self._heartbeat(recorder)
        wait_until(lambda: self._heartbeat(recorder) > before + beats, f"the worker of {recorder} goes on")

    def _heartbeat(self, recorder: str) -> int:
        with self.broken.database.read() as db:
            return db.get_one(Recorder, recorder).heartbeat

    def mark(self, recorder: str) -> int:
        """Return how much a worker has logged by now."""
        return (self.broken.settings.home / "logs" / f"{recorder}.log").stat().st_size

    def logged(self, recorder: str, since: int) -> str:
        """Return what a worker has logged since a mark."""
        return (self.broken.settings.home / "logs" / f"{recorder}.log").read_bytes()[since:].decode(errors="replace")

    def write_row(self, fault: str, stage: str, job: JobHandle, also: Path | None = None) -> None:
        """Check the invariants with all discs, those of another host too, and note what became of this job's."""
        folders = [self.broken.settings.home / "recorders", *([also] if also else [])]
        record = read_record(self.broken.database, [disc for folder in folders for disc in read_discs(folder)])
        record.excused = self.excused
        assert check(record) == []
        discs = [disc for disc, _ in groupby(_disc(record, attempt) for attempt in self.attempts(job))]
        with self.broken.database.read() as db:
            (copy,) = db.scalars(select(Copy).where(Copy.job_id == job.id))
        became = ", then ".join(discs) or "none"
        note(Row(fault, stage, self.database, became, str(copy.state), str(job.report().state)), noting_into())


def _disc(record: Record, attempt: Attempt) -> str:
    """Say what became of an attempt's disc, and where it lies."""
    tail = attempt.id[-12:]
    places = {disc.place for disc in record.discs if any(each.label.endswith(tail) for each in disc.writings)}
    return f"{attempt.outcome} ({', '.join(sorted(places)) or 'blank'})"


@contextmanager
def bench(
    database: str,
    environment: Mapping[str, str] | None = None,
    *,
    speed: float = 8,
    **given: object,
) -> Iterator[Bench]:
    """Run a rig for tests of faults on a kind of database; a PostgreSQL of its own, since it is hurt too."""
    with ExitStack() as stack:
        folder = stack.enter_context(short_folder())
        server = None
        if database == "postgresql":
            server = stack.enter_context(PostgresServer(stack.enter_context(short_folder())))
        gates = Gates(folder / "gates")
        seen = {**gates.environment, **(environment or {})}
        broken = stack.enter_context(broken_rig(folder, 2, server, seen, speed=speed, **given))
        yield Bench(broken, gates, database, evidence=[broken.settings.evidence])
