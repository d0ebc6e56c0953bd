"""The command line as a process: signals, pipes, and what it imports."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.rollup import journal
from jobs.schema import upgrade
from models.database import Database
from tests.command_line import url_of

COMMAND = [sys.executable, "-m", "workers"]
#: What `--help` has no use for.
HEAVY = {"alembic", "celery", "kombu", "pycdlib", "pydantic", "redis", "sqlalchemy", "structlog"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give a home in which a thousand things happened: more than a pipe holds."""
    upgrade(url_of(tmp_path))
    database = Database(url_of(tmp_path))
    with database.write() as db:
        for number in range(1000):
            journal(db, "something", text="x" * 100, number=number)
    database.close()
    return tmp_path


@contextmanager
def typed(home: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Type a command in a process of its own, which Ctrl-C reaches however the tests were started."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    environment = {**os.environ, "DISCMILL_HOME": str(home)}
    process = subprocess.Popen([*COMMAND, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_help_imports_nothing_that_takes_long() -> None:
    script = f"import sys, workers.cli; print(sorted({HEAVY!r} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("words", [("events", "--json"), ("events",), ("--help",)])
def test_a_reader_that_goes_away_is_not_complained_of(home: Path, words: tuple[str, ...]) -> None:
    with typed(home, *words) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, complaints = process.communicate()

    assert complaints == b""


def test_ctrl_c_ends_following_at_once(home: Path) -> None:
    with typed(home, "events", "--follow", "--json") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate()

    assert first.startswith(b'{"at": ')
    assert (process.returncode, complaints) == (130, b"")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_dispatcher_stops_in_good_order(home: Path, number: signal.Signals) -> None:
    with typed(home, "dispatcher") as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        process.send_signal(number)
        process.communicate()

    assert b"event=dispatcher_started" in first
    assert process.returncode == 0
