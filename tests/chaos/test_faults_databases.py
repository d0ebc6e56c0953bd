"""Databases that hold on to locks, refuse a commit, are restarted or run out of room."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from jobs import ledger
from models.database import IDLE_TIMEOUT, Database
from models.vocabulary import JobState, Outcome, Stage
from tests.builders import an_attempt, attempt_row, order
from tests.faults import Bench, bench
from tests.rigs import wait_until

STAGES = ("preparing", "writing", "closing", "verifying", "settled")
#: A program that takes an attempt's locks, says so, and does nothing more.
HOLDER = """
import sys
from jobs import ledger
from models.database import Database
with Database(sys.argv[1]).write() as db:
    ledger.lock_rows(db, sys.argv[2])
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def rig() -> Iterator[Bench]:
    with bench("postgresql") as found:
        yield found


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "rig" in request.fixturenames:
        request.getfixturevalue("rig").put_right()


def test_a_program_that_is_stopped_amid_a_transaction_does_not_hold_the_rig_up(postgres_database: Database) -> None:
    order(postgres_database)
    attempt = an_attempt(postgres_database, Stage.PREPARING)
    url = postgres_database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", HOLDER, url, attempt]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        os.kill(holder.pid, signal.SIGSTOP)
        began = time.monotonic()

        with postgres_database.write() as db:
            freed = ledger.abandon(db, attempt, 0)

        holder.kill()
    assert freed
    assert time.monotonic() - began < 2 * IDLE_TIMEOUT
    assert attempt_row(postgres_database, attempt).outcome is Outcome.UNUSED


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_database_that_is_restarted_costs_no_disc(rig: Bench, stage: str, how: signal.Signals) -> None:
    rig.on("r1")
    job, _ = rig.reach(stage)
    server, mark = rig.broken.postgres, rig.mark("r1")
    assert server is not None

    server.stop(how)
    rig.gates.open()
    wait_until(lambda: "OperationalError" in rig.logged("r1", mark), "its worker misses the database")
    server.start()
    rig.end(job)

    assert job.report().state is JobState.COMPLETED
    assert Outcome.SPOILED not in rig.outcomes(job)
    name = "restarted" if how is signal.SIGINT else "crashed"
    rig.write_row(f"database {name}, away for a while", stage, job)


@pytest.mark.parametrize("commit", ["permit", "verdict"])
def test_a_commit_that_fails_costs_no_disc(rig: Bench, commit: str) -> None:
    rig.on("r1")
    job, _ = rig.reach(commit)

    cut_connections(rig)
    rig.gates.open()
    rig.end(job)

    assert [outcome for outcome in rig.outcomes(job) if outcome is not Outcome.UNUSED] == [Outcome.GOOD]
    rig.write_row(f"the commit of the {commit} fails", "preparing" if commit == "permit" else "verifying", job)


def cut_connections(rig: Bench) -> None:
    with rig.broken.database.read() as db:
        db.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))


@pytest.mark.parametrize("stage", STAGES)
def test_connections_that_are_cut_cost_no_disc(rig: Bench, stage: str) -> None:
    rig.on("r1")
    job, _ = rig.reach(stage)

    cut_connections(rig)
    rig.gates.open()
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.GOOD]
    rig.write_row("all connections to the database cut", stage, job)
