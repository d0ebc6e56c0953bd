"""What is done to the rig: one function a kind of step, and what may be spoiled by it."""

import contextlib
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psycopg
import redis
from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from jobs import control
from jobs.client import JobHandle
from jobs.dispatch import CeleryBell
from jobs.errors import DiscError, MediumDiffers, MediumMissing, RecorderMissing, SessionNotClosed, WriteFailed
from jobs.scheduling import Assignment
from models.attempt import Attempt
from tests.chaos.plan import Kind, Step
from tests.chaos.recovery import Stopwatch
from tests.chaos.rig import BrokenRig, send
from tests.servers import PostgresServer


@dataclass(slots=True)
class Hand:
    """Who breaks things: keeps count, notes what may be spoiled, and puts back later what has to be put back."""

    rig: BrokenRig
    stopwatch: Stopwatch
    done: Counter[str] = field(default_factory=Counter)
    excused: set[str] = field(default_factory=set)
    killed: set[str] = field(default_factory=set)  #: attempts whose burner was killed
    jobs: list[JobHandle] = field(default_factory=list)
    later: list[threading.Timer] = field(default_factory=list)

    def do(self, step: Step) -> None:
        """Take a step; one that finds nothing to do is not counted."""
        recorder = self.rig.recorders[step.recorder]
        with contextlib.suppress(SQLAlchemyError, DiscError, redis.RedisError, psycopg.Error, OSError):
            if _ACTS[step.kind](self, recorder, step.much):
                self.done[step.kind] += 1

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something a while later."""
        timer = threading.Timer(seconds, act)
        timer.start()
        self.later.append(timer)

    def finish(self) -> None:
        """Wait for all that is to be put back."""
        for timer in self.later:
            timer.join()
        self.later.clear()

    def excuse(self, recorder: str) -> set[str]:
        """Note that the disc which a recorder is at may be spoiled; return its attempt, if there is one."""
        mine: set[str] = set()
        with contextlib.suppress(SQLAlchemyError), self.rig.database.read() as db:
            mine |= set(db.scalars(select(Attempt.id).where(Attempt.recorder == recorder, Attempt.outcome.is_(None))))
        self.excused |= mine
        return mine


def _kill_worker(hand: Hand, recorder: str, _: float) -> bool:
    if not send(hand.rig.pid(recorder), signal.SIGKILL):
        return False
    hand.stopwatch.worker(Kind.KILL_WORKER, recorder, new_owner=True)
    return True


def _term_worker(hand: Hand, recorder: str, _: float) -> bool:
    return send(hand.rig.pid(recorder), signal.SIGTERM)


def _kill_burner(hand: Hand, recorder: str, _: float) -> bool:
    mine = hand.excuse(recorder)
    if not send(hand.rig.burner(recorder), signal.SIGKILL):
        return False
    hand.killed |= mine
    hand.stopwatch.attempt(Kind.KILL_BURNER, recorder)
    return True


def _kill_dispatcher(hand: Hand, _recorder: str, _: float) -> bool:
    hand.stopwatch.program(Kind.KILL_DISPATCHER, "dispatcher")
    return send(hand.rig.pid("dispatcher"), signal.SIGKILL)


def _stop(hand: Hand, pid: int | None, seconds: float) -> bool:
    if not send(pid, signal.SIGSTOP):
        return False
    hand.after(seconds, lambda: send(pid, signal.SIGCONT))
    return True


def _stop_worker(hand: Hand, recorder: str, much: float) -> bool:
    """Stop a worker, every other time for longer than its lease, now and then until its disc is ordered anew."""
    seconds = 0.3 + 6 * much
    if not _stop(hand, hand.rig.pid(recorder), seconds):
        return False
    hand.stopwatch.worker(Kind.STOP_WORKER, recorder, after=seconds)
    return True


def _stop_burner(hand: Hand, recorder: str, much: float) -> bool:
    """Stop a burner, now and then until it counts as stalled."""
    hand.excuse(recorder)
    return _stop(hand, hand.rig.burner(recorder), 0.3 + 5 * much)


def _stop_dispatcher(hand: Hand, _recorder: str, much: float) -> bool:
    return _stop(hand, hand.rig.pid("dispatcher"), 0.3 + 4 * much)


def _redis_pid(hand: Hand) -> int | None:
    return hand.rig.rig._redis.pid if hand.rig.rig._redis.alive() else None


def _kill_redis(hand: Hand, _recorder: str, _: float) -> bool:
    hand.stopwatch.redis(Kind.KILL_REDIS)
    return send(_redis_pid(hand), signal.SIGKILL)


def _empty_redis(hand: Hand, _recorder: str, _: float) -> bool:
    hand.stopwatch.redis(Kind.EMPTY_REDIS)
    with hand.rig.hold:
        if not send(_redis_pid(hand), signal.SIGKILL):
            return False
        process = hand.rig.rig._redis._process
        if process is not None:
            process.wait()
        for data in hand.rig.rig._redis.state.glob("*-*"):
            shutil.rmtree(data)
    return True


def _hold_redis(hand: Hand, _recorder: str, much: float) -> bool:
    return _stop(hand, _redis_pid(hand), 0.5 + 4 * much)


def _cut_redis(hand: Hand, _recorder: str, _: float) -> bool:
    with hand.rig.redis() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    return True


def _replay(hand: Hand, recorder: str, _: float) -> bool:
    """Publish old and new attempts once more: twice to their own recorders, and to another one's queue."""
    with hand.rig.database.read() as db:
        attempts = db.execute(select(Attempt.id, Attempt.recorder)).all()
    bell = CeleryBell(hand.rig.settings.broker_url)
    for attempt, own in attempts[-5:]:
        for to in (own, own, recorder):
            bell.ring(Assignment(attempt, to))
    bell.close()
    return bool(attempts)


def _stop_database(hand: Hand, _recorder: str, much: float) -> bool:
    if hand.rig.postgres is None:
        return _lock_sqlite(hand, 0.5 + 2 * much)
    server = hand.rig.postgres
    server.stop(signal.SIGQUIT if much < 0.5 else signal.SIGINT)
    hand.after(0.2 + 2 * much, lambda: _start(hand, server))
    return True


def _start(hand: Hand, server: PostgresServer) -> None:
    server.start()
    hand.stopwatch.database(Kind.STOP_DATABASE)


def _cut_database(hand: Hand, _recorder: str, much: float) -> bool:
    if hand.rig.postgres is None:
        return _lock_sqlite(hand, 0.1 * much)
    hand.stopwatch.database(Kind.CUT_DATABASE)
    with hand.rig.database.read() as db:
        db.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))
    return True


def _lock_sqlite(hand: Hand, seconds: float) -> bool:
    with hand.rig.database.write():
        threading.Event().wait(seconds)
    return True


def _unplug(hand: Hand, recorder: str, much: float) -> bool:
    hand.excused.add(f"{recorder}/{RecorderMissing.code}")
    hand.excused.add(f"{recorder}/{MediumMissing.code}")
    hand.rig.drive(recorder).unplug()
    hand.after(0.3 + 2 * much, lambda: _replug(hand, recorder))
    return True


def _replug(hand: Hand, recorder: str) -> None:
    hand.rig.drive(recorder).replug()
    hand.stopwatch.worker(Kind.UNPLUG, recorder)


def _stall(hand: Hand, recorder: str, much: float) -> bool:
    hand.excuse(recorder)
    hand.rig.drive(recorder).add_fault(f"stall@{int(1500 * much)}")
    hand.after(0.5 + 5 * much, lambda: _clear_stall(hand, recorder))
    return True


def _clear_stall(hand: Hand, recorder: str) -> None:
    hand.excuse(recorder)
    hand.rig.drive(recorder).clear_faults()
    hand.stopwatch.worker(Kind.STALL, recorder)


def _add_fault(name: str, *errors: type[DiscError], at_a_block: bool = True) -> Callable[[Hand, str, float], bool]:
    """Make an act that lets the disc in the tray, or the next one, go wrong; `errors` are what may be said of it."""

    def act(hand: Hand, recorder: str, much: float) -> bool:
        drive = hand.rig.drive(recorder)
        block = f"@{int(1500 * much)}" if at_a_block else ""
        hand.excused |= {f"{recorder}/{error.code}" for error in errors}
        drive.add_fault(f"{name}{block}:disc{int(str(drive.status()['discs'])) + (much < 0.5)}")
        return True

    return act


def _a_job(hand: Hand, much: float) -> JobHandle | None:
    return hand.jobs[int(much * len(hand.jobs))] if hand.jobs else None


def _cancel(hand: Hand, _recorder: str, much: float) -> bool:
    job = _a_job(hand, much)
    if job is None:
        return False
    hand.excused.add(job.id)
    job.cancel()
    return True


def _retry(hand: Hand, _recorder: str, much: float) -> bool:
    job = _a_job(hand, much)
    return job is not None and job.retry() > 0


def _pause(hand: Hand, recorder: str, much: float) -> bool:
    control.pause(hand.rig.database, [recorder])
    hand.after(0.3 + 2 * much, lambda: _resume(hand, recorder))
    return True


def _resume(hand: Hand, recorder: str) -> None:
    with contextlib.suppress(SQLAlchemyError, DiscError):
        control.resume(hand.rig.database, [recorder])


def _priority(hand: Hand, _recorder: str, much: float) -> bool:
    job = _a_job(hand, much)
    if job is not None:
        control.set_priority(hand.rig.database, job.id, int(10 * much))
    return job is not None


_ACTS: Mapping[Kind, Callable[[Hand, str, float], bool]] = {
    Kind.KILL_WORKER: _kill_worker,
    Kind.KILL_BURNER: _kill_burner,
    Kind.KILL_DISPATCHER: _kill_dispatcher,
    Kind.TERM_WORKER: _term_worker,
    Kind.STOP_WORKER: _stop_worker,
    Kind.STOP_BURNER: _stop_burner,
    Kind.STOP_DISPATCHER: _stop_dispatcher,
    Kind.KILL_REDIS: _kill_redis,
    Kind.EMPTY_REDIS: _empty_redis,
    Kind.HOLD_REDIS: _hold_redis,
    Kind.CUT_REDIS: _cut_redis,
    Kind.REPLAY: _replay,
    Kind.STOP_DATABASE: _stop_database,
    Kind.CUT_DATABASE: _cut_database,
    Kind.UNPLUG: _unplug,
    Kind.STALL: _stall,
    Kind.WRITE_ERROR: _add_fault("write-error", WriteFailed),
    Kind.CLOSE_ERROR: _add_fault("close-error", SessionNotClosed, MediumDiffers, at_a_block=False),
    Kind.FLIP: _add_fault("flip", MediumDiffers),
    Kind.CANCEL: _cancel,
    Kind.RETRY: _retry,
    Kind.PAUSE: _pause,
    Kind.PRIORITY: _priority,
}
