"""Process 1 of a worker's container, on real processes."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import data_disc
from jobs.overview import recorder_documents
from jobs.settings import subprocess_environment
from models.vocabulary import JobState
from tests.rigs import TestRig, running_rig, wait_until
from workers.programs import own_command


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestRig]:
    """Run a rig that has everything but recorders."""
    with running_rig(tmp_path_factory.mktemp("rig"), tmp_path_factory.mktemp("content"), recorders=0) as running:
        yield running


@pytest.fixture
def supervisor(rig: TestRig) -> Iterator["subprocess.Popen[bytes]"]:
    uri = f"emulated:{rig.settings.home / 'recorders' / 'r1'}?speed=20x"
    log = rig.settings.home / "logs" / "supervise.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            own_command("supervise", "--", "worker", "--recorder", f"r1={uri}"),
            env=subprocess_environment(rig.settings),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    wait_until(lambda: condition(rig) == "ready", "the recorder is ready")
    yield process
    process.terminate()
    assert process.wait(60) == 0


def condition(rig: TestRig) -> str | None:
    with rig.mill.database.read() as db:
        return next((str(row["condition"]) for row in recorder_documents(db)), None)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_worker_that_ends_is_started_again(rig: TestRig, supervisor: "subprocess.Popen[bytes]") -> None:
    job = rig.mill.submit(data_disc(rig.content("again")), speed=8)
    rig.halfway(job)
    (worker,) = children(supervisor.pid)

    os.kill(worker, signal.SIGKILL)

    assert job.wait(60).state is JobState.COMPLETED
    assert [str(disc["outcome"]) for disc in job.report().discs] == ["good"]
    assert worker not in children(supervisor.pid)


def test_it_ends_only_when_no_burner_lives(rig: TestRig, supervisor: "subprocess.Popen[bytes]") -> None:
    job = rig.mill.submit(data_disc(rig.content("orphan")), speed=8)
    burner = rig.burner_pid(str(rig.halfway(job)["attempt"]))
    (worker,) = children(supervisor.pid)

    os.kill(worker, signal.SIGKILL)
    supervisor.terminate()

    wait_until(lambda: burner in children(supervisor.pid), "the orphaned burner is adopted")
    assert supervisor.poll() is None
    assert supervisor.wait(60) == 0
    assert not Path(f"/proc/{burner}").exists()
