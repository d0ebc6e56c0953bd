"""One run of chaos: jobs stream in, things break by a plan, everything settles, and the discs are looked at."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import redis
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs import control, data_disc
from jobs.dispatch import queue_name
from jobs.errors import DiscError
from models.attempt import Attempt
from models.job import Job
from models.recorder import Recorder
from models.vocabulary import Condition, Intent, JobState, Outcome
from tests.chaos.checker import Record, Violation, burnt_twice, check, discs_by, lost, read_record
from tests.chaos.faults import Hand
from tests.chaos.plan import EVERYTHING, Kind, Step, make_plan
from tests.chaos.recovery import Stopwatch
from tests.chaos.rig import SPEED, BrokenRig, broken_rig
from tests.chaos.shelf import read_discs
from tests.rigs import wait_until
from tests.servers import PostgresServer

#: Seconds that a rig gets to come to rest after the last fault.
DEADLINE = 120.0
#: Bytes of the smallest and of the largest content.
_SIZES = 1 << 20, 3 << 20
#: Share of orders that are simulated; spoiled discs until a job waits.
_SIMULATED, _PATIENT = 0.1, 50


@dataclass(frozen=True, slots=True)
class Chaos:
    """What is to be run: a seed, how long, which database, which kinds of steps.

    `aim` takes the place of the plan: it strikes where it sees its chance, until it says that it has done its harm.
    """

    seed: int
    seconds: float
    postgresql: bool = False
    recorders: int = 3
    kinds: Mapping[Kind, int] = field(default_factory=lambda: EVERYTHING)
    environment: Mapping[str, str] = field(default_factory=dict)
    speed: float = SPEED
    jobs: int = 5  #: under way at once, at most
    deadline: float = DEADLINE
    aim: Callable[[Hand], bool] | None = None

    @property
    def steps(self) -> list[Step]:
        """The plan."""
        return make_plan(self.seed, self.seconds, self.recorders, self.kinds)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run; `violations` should be empty."""

    chaos: Chaos
    violations: Sequence[Violation]
    done: Mapping[str, int]
    discs: Mapping[str, int]
    recovery: Mapping[str, tuple[int, float, float]]
    settled: float  #: seconds from the last fault until everything was at rest


def run(chaos: Chaos, folder: Path, postgres: PostgresServer | None = None) -> Result:
    """Run chaos in an empty folder."""
    server = postgres if chaos.postgresql else None
    with broken_rig(folder, chaos.recorders, server, chaos.environment, speed=chaos.speed) as rig:
        stopwatch = Stopwatch(rig)
        hand = Hand(rig, stopwatch)
        with _beside(stopwatch):
            _break(hand, chaos)
            began = time.monotonic()
            unrest = _settle(hand, chaos.deadline)
            settled = time.monotonic() - began
        queues, held = _left_in_redis(rig)
    record = read_record_after(rig, hand, queues, held)
    violations = [*check(record), *unrest]
    return Result(chaos, violations, dict(hand.done), _discs(record, hand), stopwatch.figures(), settled)


def read_record_after(rig: BrokenRig, hand: Hand, queues: dict[str, int], held: set[str]) -> Record:
    """Read ledger and shelves of a rig that has stopped."""
    record = read_record(rig.database, read_discs(rig.settings.home / "recorders"))
    rig.database.close()
    record.acknowledged = {job.id for job in hand.jobs}
    record.excused = hand.excused
    record.queues, record.held = queues, held
    return record


@contextlib.contextmanager
def _beside(stopwatch: Stopwatch) -> Iterator[None]:
    thread = threading.Thread(target=stopwatch.run, name="stopwatch")
    thread.start()
    try:
        yield
    finally:
        stopwatch.stop()
        thread.join()


def _break(hand: Hand, chaos: Chaos) -> None:
    """Order discs and break things until the plan is through."""
    stop = threading.Event()
    submitter = threading.Thread(target=_order, args=(hand, chaos, stop), name="submitter")
    submitter.start()
    try:
        if chaos.aim is None:
            _follow(hand, chaos.steps)
        else:
            aim = chaos.aim
            wait_until(lambda: aim(hand), "the harm is done", chaos.seconds)
        hand.finish()
    finally:
        stop.set()
        submitter.join()


def _follow(hand: Hand, steps: Sequence[Step]) -> None:
    for step in steps:
        time.sleep(step.after)
        hand.do(step)
        _operate(hand.rig)


def _order(hand: Hand, chaos: Chaos, stop: threading.Event) -> None:
    """Submit job after job, with a few under way; each with a key, so that one which failed may be repeated."""
    draw = random.Random(f"orders {chaos.seed}")  # noqa: S311  (orders, no secrets)
    folders = [hand.rig.content(f"content {number}", draw.randrange(*_SIZES)) for number in range(4)]
    number = 0
    while not stop.wait(0.1):
        if not _has_room(hand, chaos.jobs):
            continue
        number += 1
        folder, copies, priority = draw.choice(folders), draw.randint(1, 3), draw.randrange(10)
        simulate = draw.random() < _SIMULATED
        while not stop.is_set():
            with contextlib.suppress(SQLAlchemyError, DiscError):
                job = hand.rig.mill.submit(
                    data_disc(folder, title=f"title {number}"),
                    copies=copies,
                    priority=priority,
                    simulate=simulate,
                    max_spoiled=_PATIENT,
                    key=f"order {number}",
                )
                hand.jobs.append(job)
                break


def _has_room(hand: Hand, most: int) -> bool:
    with contextlib.suppress(SQLAlchemyError), hand.rig.database.read() as db:
        return len(db.scalars(select(Job.id).where(Job.state.in_([JobState.QUEUED, JobState.ACTIVE]))).all()) < most
    return False


def _operate(rig: BrokenRig) -> None:
    """Do what a person does: see to the recorders that ask for it."""
    with contextlib.suppress(SQLAlchemyError, DiscError):
        with rig.database.read() as db:
            asking = (Recorder.attention.is_not(None)) | (Recorder.intent == Intent.QUARANTINED)
            names = db.scalars(select(Recorder.name).where(asking)).all()
        if names:
            control.clear(rig.database, names)


def _settle(hand: Hand, deadline: float) -> list[Violation]:
    """Stop breaking things and wait until nothing moves any more."""
    rig = hand.rig
    hand.finish()
    rig.wake_all()
    for name in rig.recorders:
        rig.drive(name).clear_faults()
        rig.drive(name).replug()
    control.resume(rig.database, _not_quarantined(rig))
    try:
        wait_until(lambda: _is_at_rest(hand), "everything is at rest", deadline)
    except AssertionError as error:
        return [Violation("everything comes to rest", str(error))]
    return []


def _not_quarantined(rig: BrokenRig) -> list[str]:
    with rig.database.read() as db:
        return list(db.scalars(select(Recorder.name).where(Recorder.intent != Intent.QUARANTINED)))


def _is_at_rest(hand: Hand) -> bool:
    _operate(hand.rig)
    for job in hand.jobs:
        if job.report().state is JobState.WAITING:
            job.retry()
    with hand.rig.database.read() as db:
        open_jobs = db.scalar(select(Job.id).where(Job.state.not_in([state for state in JobState if state.is_final])))
        unsettled = db.scalar(select(Attempt.id).where(Attempt.outcome.is_(None) | (Attempt.outcome == Outcome.LOST)))
        conditions = set(db.scalars(select(Recorder.condition)))
    is_quiet = open_jobs is None and unsettled is None and conditions == {Condition.READY}
    return is_quiet and not any(_left_in_redis(hand.rig)[0].values())


def _left_in_redis(rig: BrokenRig) -> tuple[dict[str, int], set[str]]:
    """Count the messages in each queue, and name the attempts of messages that a dead worker holds."""
    try:
        with rig.redis() as client:
            names = [key.decode() for key in client.scan_iter("*") if client.type(key) == b"list"]
            queues = {name: int(client.llen(name)) for name in names if name.startswith(queue_name(""))}
            held = {_task_of(message.decode()) for message in client.hvals("unacked")}
    except redis.RedisError:
        return {"a Redis that does not answer": 1}, set()
    return queues, held


def _task_of(message: str) -> str:
    _, _, rest = message.partition('"id": "')
    return rest[:36]


def _discs(record: Record, hand: Hand) -> dict[str, int]:
    killed = sum(1 for attempt in record.attempts.values() if _was_spoiled_by_a_kill(attempt, hand))
    return {
        "good": discs_by(record, [Outcome.GOOD]),
        "spoiled": discs_by(record, [Outcome.SPOILED]),
        "spoiled by kills": killed,
        "surplus": discs_by(record, [Outcome.SURPLUS]),
        "lost": lost(record),
        "burnt twice": burnt_twice(record),
    }


def _was_spoiled_by_a_kill(attempt: Attempt, hand: Hand) -> bool:
    return attempt.outcome is Outcome.SPOILED and attempt.id in hand.killed
