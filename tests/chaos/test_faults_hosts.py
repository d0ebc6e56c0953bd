"""Two hosts that share PostgreSQL and Redis; one is cut off in every stage of its attempt, and comes back."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from jobs import control
from jobs.client import JobHandle
from jobs.settings import load_settings, subprocess_environment
from models.attempt import Attempt
from models.recorder import Recorder
from models.vocabulary import Condition, JobState, Outcome
from tests.cable import Cable
from tests.chaos.rig import FAST, short_folder
from tests.chaos.shelf import read_discs
from tests.faults import Bench, bench
from tests.rigs import DEADLINE, wait_until
from tests.wire import Wire
from workers.programs import Program, own_command

#: The recorder of the other host.
FAR = "far"
REPLACE_AFTER = 15.0


@dataclass(slots=True)
class Hosts:
    """The bench is one host; the other is at the end of a cable."""

    near: Bench
    cable: Cable | Wire
    home: Path
    worker: Program
    name: str  #: what the table says besides


@dataclass(frozen=True, slots=True)
class Way:
    """How the far host reaches the servers: what can be cut, the URLs' variable parts, how its programs are begun."""

    cut: Cable | Wire
    database: str
    broker: str
    prefix: list[str] = field(default_factory=list)


@contextmanager
def by_sockets(folder: Path, database: Path, broker: Path) -> Iterator[Way]:
    """Let the other host be a home of its own, whose sockets lead through a cable."""
    with Cable(folder / "cable", {database.name: database, "redis.sock": broker}) as cable:
        yield Way(
            cable,
            f"@/{{name}}?host={cable.folder}",
            f"redis+socket://{quote(str(cable.folder / 'redis.sock'))}?virtual_host=0",
        )


@contextmanager
def by_network(_: Path, database: Path, broker: Path) -> Iterator[Way]:
    """Let the other host be a network namespace, too, at the end of a wire."""
    with Wire({5432: database, 6379: broker}) as wire:
        yield Way(wire, f"@{wire.address}:5432/{{name}}", f"redis://{wire.address}:6379/0", wire.prefix)


@pytest.fixture(scope="module", params=[by_sockets, by_network])
def hosts(request: pytest.FixtureRequest) -> Iterator[Hosts]:
    with short_folder() as folder, bench("postgresql", replace_after=REPLACE_AFTER) as near:
        settings, server = near.broken.settings, near.broken.postgres
        assert server is not None
        with request.param(folder, server.folder / ".s.PGSQL.5432", settings.redis_socket) as way:
            name = settings.database_url.partition("@/")[2].partition("?")[0]
            others: dict[str, object] = {
                "home": folder / "home",
                "host": "far-away",
                "machine_id": "far-away",
                "content_roots": settings.content_roots,
                "database_url": f"postgresql+psycopg://discmill{way.database.format(name=name)}",
                "broker_url": way.broker,
            }
            there = load_settings(**{**FAST, **others})
            there.home.mkdir()
            near.evidence.append(there.evidence)
            uri = f"emulated:{there.home / 'recorders' / FAR}?speed=4x"
            environment = {**subprocess_environment(there), **near.gates.environment}
            command = [*way.prefix, *own_command("worker", "--recorder", f"{FAR}={uri}")]
            worker = Program(FAR, command, environment, there.home / "worker.log")
            worker.start()
            try:
                yield Hosts(near, way.cut, there.home, worker, "" if not way.prefix else ", over a network")
            finally:
                near.gates.open()
                way.cut.plug()
                worker.signal(signal.SIGTERM)
                wait_until(lambda: not worker.is_running, "the far worker has ended")


def condition(hosts: Hosts) -> Condition | None:
    with hosts.near.broken.database.read() as db:
        row = db.get(Recorder, FAR)
        return None if row is None else row.condition


def only(hosts: Hosts, *names: str) -> None:
    everybody = [*hosts.near.broken.recorders, FAR]
    control.pause(hosts.near.broken.database, everybody)
    control.resume(hosts.near.broken.database, names)


def cut_off_at(hosts: Hosts, stage: str) -> tuple[JobHandle, Attempt]:
    """Bring a disc on the far host to a stage and cut the host off until its lease is over."""
    wait_until(lambda: condition(hosts) is Condition.READY, "the far recorder is ready")
    only(hosts, FAR)
    job, attempt = hosts.near.reach(stage)
    hosts.cable.pull()
    hosts.near.gates.open()
    only(hosts, *hosts.near.broken.recorders, FAR)
    wait_until(lambda: condition(hosts) is Condition.OFFLINE, "its lease has run out")
    return job, attempt


def come_back(hosts: Hosts, job: JobHandle, limit: str, stage: str) -> None:
    """Connect the host again; when all has settled, check every disc of both hosts."""
    hosts.cable.plug()
    wait_until(lambda: condition(hosts) in {Condition.READY, Condition.EMPTY}, "the far recorder is back")
    hosts.near.end(job)
    hosts.near.write_row(f"host cut off longer than {limit}{hosts.name}", stage, job, also=hosts.home / "recorders")


@pytest.mark.parametrize("stage", ["preparing"])
def test_what_a_host_that_is_cut_off_had_not_begun_goes_elsewhere_at_once(hosts: Hosts, stage: str) -> None:
    job, attempt = cut_off_at(hosts, stage)

    report = job.wait(DEADLINE)
    come_back(hosts, job, "its lease", stage)

    assert report.state is JobState.COMPLETED
    assert hosts.near.outcomes(job) == [Outcome.UNUSED, Outcome.GOOD]
    assert hosts.near.attempts(job)[1].recorder != FAR
    assert not written(hosts, attempt)


@pytest.mark.parametrize("stage", ["writing", "verifying"])
def test_a_host_that_comes_back_in_time_finishes_its_disc(hosts: Hosts, stage: str) -> None:
    job, _ = cut_off_at(hosts, stage)

    come_back(hosts, job, "its lease", stage)

    assert hosts.near.outcomes(job) == [Outcome.GOOD]


@pytest.mark.parametrize("stage", ["writing", "verifying"])
def test_the_disc_of_a_host_that_stays_away_is_made_anew_and_resolved_when_it_returns(hosts: Hosts, stage: str) -> None:
    job, attempt = cut_off_at(hosts, stage)
    assert hosts.near.outcomes(job) == [None]  # not before `replace_after`

    report = job.wait(DEADLINE)
    come_back(hosts, job, "replace_after", stage)

    assert report.state is JobState.COMPLETED
    assert hosts.near.outcomes(job) == [Outcome.SURPLUS, Outcome.GOOD]
    assert written(hosts, attempt)


def written(hosts: Hosts, attempt: Attempt) -> bool:
    """Say whether a disc of an attempt is on the far host."""
    discs = read_discs(hosts.home / "recorders")
    return any(writing.label.endswith(attempt.id[-12:]) for disc in discs for writing in disc.writings)
