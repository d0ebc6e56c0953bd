"""Clocks that jump by an hour: nobody is taken for dead, nothing is forgotten, nothing waits for an hour."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from jobs import control
from jobs.errors import RecorderStalled
from jobs.ledger import Verdict
from jobs.scheduling import assign_to
from models.attempt import Attempt
from models.base import new_id, now
from models.database import Database
from models.event import Event
from models.job import Copy
from models.vocabulary import Condition, Outcome, Stage
from tests.builders import a_disc, an_attempt, order, set_condition, settle
from tests.faults import Bench, bench

HOUR = timedelta(hours=1)
LIBRARIES = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


def test_ids_made_after_one_another_sort_so_though_the_clock_was_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    back = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: back)

    second = new_id(after=first)

    assert second > first
    assert new_id() < first


def test_the_newest_attempt_of_a_recorder_is_its_last_one_whatever_the_clock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    order(database, 2)
    first = a_disc(database, Outcome.GOOD)
    back = time.time_ns() - 3600 * 10**9
    monkeypatch.setattr(time, "time_ns", lambda: back)

    second = an_attempt(database)

    with database.read() as db:
        newest = db.scalars(select(Attempt.id).where(Attempt.recorder == "left").order_by(Attempt.id.desc())).first()
    assert newest == second != first


def test_a_copy_put_off_by_a_clock_that_was_ahead_does_not_wait_for_it(database: Database) -> None:
    order(database)
    with database.write() as db:
        db.execute(update(Copy).values(not_before=now() + HOUR))

    assert assign_to(database, "left") is not None


def test_a_recorder_cleared_by_a_clock_that_is_behind_gets_its_copy(database: Database) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    settle(database, attempt, Verdict(Outcome.SPOILED, error=RecorderStalled("no answer")))
    with database.write() as db:
        db.execute(update(Attempt).values(finished=now() + HOUR))

    control.clear(database, ["left"])

    set_condition(database, Condition.READY)
    assert assign_to(database, "left") is not None


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Path]]:
    """Run a rig whose programs see the wall clock that a file tells; the monotonic one is the kernel's."""
    assert LIBRARIES, "libfaketime is missing; `make test` installs it"
    clock = tmp_path_factory.mktemp("clock") / "clock"
    clock.write_text("+0\n")
    seen = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with bench(
        request.param, seen, lease=60.0
    ) as found:  # a minute: less than the jump, more than a busy machine takes
        yield found, clock


@pytest.mark.parametrize("stage", ["preparing", "writing", "verifying", "settled"])
@pytest.mark.parametrize("jump", ["+3600", "-3600"])
def test_a_clock_that_jumps_by_an_hour_fools_no_lease(rig: tuple[Bench, Path], stage: str, jump: str) -> None:
    found, clock = rig
    clock.write_text("+0\n")
    found.on("r1")
    job, _ = found.reach(stage)

    clock.write_text(f"{jump}\n")
    found.gates.open()
    found.end(job)
    after = found.order()
    found.end(after)

    assert found.outcomes(job) == found.outcomes(after) == [Outcome.GOOD]
    with found.broken.database.read() as db:
        assert db.scalar(select(Event.id).where(Event.kind == "recorder-offline")) is None
    found.write_row(f"clock jumps by an hour {'ahead' if jump[0] == '+' else 'back'}", stage, job)
