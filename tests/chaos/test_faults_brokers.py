"""The dispatcher alone, and Redis alone: killed, stopped, emptied, away and frozen, in every stage of an attempt."""

import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from jobs.client import JobHandle
from models.vocabulary import Outcome
from tests.chaos.rig import BrokenRig, send
from tests.faults import Bench, bench
from tests.rigs import wait_until

STAGES = ("assigned", "preparing", "writing", "closing", "verifying", "settled")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(request.param, lease=20.0, stall_after=60.0) as found:  # a busy machine lets all take its time
        yield found


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: Bench) -> Iterator[None]:
    rig.on("r1")
    yield
    rig.put_right()


def reach(rig: Bench, stage: str) -> JobHandle:
    if stage == "assigned":
        rig.stop("r1")
    job, _ = rig.reach(stage)
    return job


def go_on(rig: Bench, stage: str) -> None:
    """Let the attempt go on under the fault."""
    rig.gates.open()
    if stage == "assigned":
        send(rig.broken.pid("r1"), signal.SIGCONT)


def kill_redis(broken: BrokenRig, *, emptied: bool = False) -> None:
    """Kill Redis and wait for its end; whoever keeps the rig running starts it again."""
    server = broken.rig._redis
    assert server._process is not None
    send(server.pid, signal.SIGKILL)
    server._process.wait()
    for data in server.state.glob("*-*") if emptied else ():
        shutil.rmtree(data)


@contextmanager
def redis_killed(broken: BrokenRig) -> Iterator[None]:
    with broken.hold:
        kill_redis(broken)
    yield


@contextmanager
def redis_emptied(broken: BrokenRig) -> Iterator[None]:
    with broken.hold:
        kill_redis(broken, emptied=True)
    yield


@contextmanager
def redis_away(broken: BrokenRig) -> Iterator[None]:
    """Keep Redis away until the disc has its verdict."""
    with broken.hold:
        kill_redis(broken)
        yield


@contextmanager
def redis_frozen(broken: BrokenRig) -> Iterator[None]:
    """Keep Redis from answering until the disc has its verdict; the keeper would wait for it, too."""
    with broken.hold:
        send(broken.rig._redis.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            send(broken.rig._redis.pid, signal.SIGCONT)


@contextmanager
def dispatcher_killed(broken: BrokenRig) -> Iterator[None]:
    """Keep the dispatcher away until the disc has its verdict."""
    pid = wait_until(lambda: broken.pid("dispatcher"), "the dispatcher runs")
    with broken.hold:
        assert send(pid, signal.SIGKILL)
        yield


@contextmanager
def dispatcher_stopped(broken: BrokenRig) -> Iterator[None]:
    """Stop the dispatcher, but not amid a transaction, until the disc has its verdict."""
    pid = wait_until(lambda: broken.pid("dispatcher"), "the dispatcher runs")
    wait_until(lambda: broken.stop_outside_transactions(pid), "the dispatcher is stopped between two transactions")
    try:
        yield
    finally:
        send(pid, signal.SIGCONT)


FAULTS: dict[str, Callable[[BrokenRig], object]] = {
    "dispatcher killed": dispatcher_killed,
    "dispatcher stopped for a while": dispatcher_stopped,
    "Redis killed": redis_killed,
    "Redis killed, restarted empty": redis_emptied,
    "Redis unreachable for a while": redis_away,
    "Redis frozen for a while": redis_frozen,
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", FAULTS)
def test_no_disc_notices_a_dispatcher_or_a_redis_that_is_gone(rig: Bench, fault: str, stage: str) -> None:
    job = reach(rig, stage)

    with FAULTS[fault](rig.broken):  # type: ignore[attr-defined]
        go_on(rig, stage)
        wait_until(lambda: rig.outcomes(job) == [Outcome.GOOD], "the disc is made all the same")
    rig.end(job)
    wait_until(rig.broken.answers, "Redis is back")

    assert rig.outcomes(job) == [Outcome.GOOD]
    rig.write_row(fault, stage, job)


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_dispatcher_and_a_killed_redis_touch_no_disc(rig: Bench, stage: str) -> None:
    job = reach(rig, stage)

    send(rig.broken.pid("dispatcher"), signal.SIGKILL)
    send(rig.broken.rig._redis.pid, signal.SIGKILL)
    rig.broken.wake_all()
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.GOOD]
    rig.write_row("dispatcher and Redis killed", stage, job)


def test_a_redis_that_is_emptied_has_lost_what_it_held(rig: Bench) -> None:
    with rig.broken.redis() as client:
        client.set("a message", "of old")

    with rig.broken.hold:
        kill_redis(rig.broken, emptied=True)
    wait_until(rig.broken.answers, "Redis is back")

    with rig.broken.redis() as client:
        assert client.get("a message") is None


def test_a_frozen_redis_answers_nobody(rig: Bench) -> None:
    with (
        redis_frozen(rig.broken),
        redis.Redis(unix_socket_path=str(rig.broken.settings.redis_socket), socket_timeout=0.5) as client,
        pytest.raises(redis.TimeoutError),
    ):
        client.ping()
