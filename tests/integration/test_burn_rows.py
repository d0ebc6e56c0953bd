"""What a burn writes to the database, however long it takes: the same rows, and now and then the same one again."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from jobs import data_disc
from jobs.mastering.progress import BlockProgress
from jobs.ordering import Options
from jobs.submission import Mill, submit
from models.attempt import Attempt
from models.vocabulary import Outcome, Stage
from tests.builders import an_attempt, attempt_row, order
from tests.stations import idle_station, noting
from workers import caretaker
from workers.attempt import run_attempt
from workers.reporting import Reporter, Work
from workers.station import Station

#: An hour's events: a burner tells of its blocks some four times a second.
EVENTS = 15_000


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    with idle_station(tmp_path) as found:
        yield found


def promise(station: Station, size: int, speed: float | None) -> str:
    """Order a disc of its own content and give it to the recorder; return the attempt's id."""
    folder = station.settings.home / f"content {size} {speed}"
    folder.mkdir()
    (folder / "1.raw").write_bytes(os.urandom(size))
    mill = Mill(station.settings, station.database, station.bell)
    job = submit(mill, data_disc(folder), Options(medium="cd", speed=speed))
    with station.database.read() as db:
        return db.scalars(select(Attempt.id).where(Attempt.job_id == job)).one()


def changes_of(station: Station, attempt: str) -> tuple[Counter[str], float]:
    """Make a disc; return how often each table was written to, by verb and table, and the seconds it took."""
    began = time.monotonic()
    with noting(station.database) as sent:
        run_attempt(station, attempt)
    took = time.monotonic() - began
    assert attempt_row(station.database, attempt).outcome is Outcome.GOOD
    words = [statement.split() for statement in sent if statement.startswith(("INSERT", "UPDATE", "DELETE"))]
    return Counter(f"{verb} {rest[0] if verb == 'UPDATE' else rest[1]}" for verb, *rest in words), took


def test_a_long_burn_adds_no_more_rows_than_a_short_one(station: Station) -> None:
    short, _ = changes_of(station, promise(station, 100_000, None))
    caretaker.look(station)
    long, took = changes_of(station, promise(station, 1_500_000, 4))

    assert took > 2
    for change in set(long) | set(short):
        # Progress and heartbeats, at most once a second each; a short burn's closing may be over before it is seen.
        more = took + 2 if change.startswith("UPDATE") else 1
        assert long[change] <= short[change] + more, change


def test_an_hours_progress_is_written_once_a_second_at_most_and_to_one_row(station: Station) -> None:
    job = order(station.database, recorders=[], medium="cd")
    attempt = an_attempt(station.database, Stage.WRITING, "r1")
    began = time.monotonic()

    with noting(station.database) as sent, Reporter(station, Work(attempt, job, 1, 1, "photos", EVENTS)) as reporter:
        for done in range(1, EVENTS + 1):
            reporter.notify(BlockProgress(done, EVENTS, 1.0))
            time.sleep(0)  # the side thread gets its turn
    took = time.monotonic() - began

    written = [statement for statement in sent if not statement.startswith("SELECT")]
    assert all(statement.startswith("UPDATE attempt SET blocks_done") for statement in written)
    assert 1 <= len(written) <= took + 3  # one for each of two phases, one a second, and the last
    assert attempt_row(station.database, attempt).blocks_done == EVENTS
