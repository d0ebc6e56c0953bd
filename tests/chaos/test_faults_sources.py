"""Sources that are changed, cut short or removed after they were staged, and messages that come twice or late."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jobs import data_disc
from models.vocabulary import JobState, Outcome
from tests.faults import Bench, bench
from tests.rigs import DEADLINE, wait_until


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(request.param, lease=20.0) as found:  # who is stopped keeps what it was promised
        yield found


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: Bench) -> Iterator[None]:
    rig.on("r1")
    yield
    rig.put_right()


def change(file: Path) -> None:
    """Write other bytes of the same size, and set the time back: only the digest can tell."""
    facts = file.stat()
    with file.open("r+b") as content:
        content.write(os.urandom(facts.st_size))
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def cut_short(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def remove(file: Path) -> None:
    file.unlink()


HARM: dict[str, Callable[[Path], None]] = {"changed": change, "cut short": cut_short, "removed": remove}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("stage", ["assigned", "preparing", "writing"])
def test_a_source_that_is_not_what_was_staged_stops_the_job(rig: Bench, harm: str, stage: str) -> None:
    folder = rig.broken.content(f"{harm} {stage}", 3 << 20)
    kept = {file: (file.read_bytes(), file.stat()) for file in folder.iterdir()}
    last = max(folder.iterdir())
    if stage == "assigned":
        rig.stop("r1")
    elif stage == "preparing":
        rig.gates.shut("preparing")
    job = rig.broken.mill.submit(data_disc(folder))
    attempt = rig.until_at(job, stage)

    HARM[harm](last)
    rig.put_right()
    report = job.wait(DEADLINE)

    assert report.state is JobState.WAITING
    assert last.name in str(report.reason)
    rig.excused.add(attempt.id)
    for file, (content, facts) in kept.items():
        file.write_bytes(content)
        os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    rig.on("r1")
    if harm == "removed":
        rig.write_row(f"source {harm}", stage, job)  # a file that comes back is another file
        return
    job.retry()
    rig.end(job)
    assert rig.outcomes(job)[-1] is Outcome.GOOD
    rig.write_row(f"source {harm}, put right, retried", stage, job)


@pytest.mark.parametrize("stage", ["assigned", "preparing", "writing", "verifying", "settled"])
def test_messages_that_come_again_change_nothing(rig: Bench, stage: str) -> None:
    if stage == "assigned":
        rig.stop("r1")
    job, _ = rig.reach(stage)

    rig.replay(job, "r1", times=3)
    rig.replay(job, "r2", times=3)
    rig.put_right()
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.GOOD]
    rig.write_row("message repeated, also to another recorder", stage, job)


def test_messages_that_come_late_change_nothing(rig: Bench) -> None:
    job = rig.order()
    rig.end(job)

    rig.replay(job, "r1", times=3)
    rig.replay(job, "r2", times=3)
    wait_until(lambda: rig.waiting() == 0, "all messages are taken")
    rig.end(job)

    assert rig.outcomes(job) == [Outcome.GOOD]
    rig.write_row("message hours late", "settled", job)
