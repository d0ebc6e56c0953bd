"""Discs that hold something already, on a rig of real processes: a session follows the others, or all is blanked."""

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import control, data_disc
from jobs.client import JobHandle
from jobs.mastering.medium import MediumStatus
from jobs.overview import recorder_documents
from jobs.settings import subprocess_environment
from models.attempt import Attempt
from models.vocabulary import JobState
from tests.rigs import TestRig, running_rig, wait_until
from workers.programs import own_command

BLOCK = 2048


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestRig]:
    root = tmp_path_factory.mktemp("content")
    with running_rig(tmp_path_factory.mktemp("rig"), root, options="?speed=20x") as running:
        yield running


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: TestRig) -> Iterator[None]:
    yield
    rig.drive("r1").clear_faults()
    control.clear(rig.mill.database, ["r1"])
    control.resume(rig.mill.database, ["r1"])
    rig.until_idle()


def insert(rig: TestRig, kind: str, status: MediumStatus, image: Path | None = None) -> None:
    """Put a used disc into the tray of a recorder that is paused, so that nobody takes it out again."""
    control.pause(rig.mill.database, ["r1"])
    drive = rig.drive("r1")
    wait_until(lambda: not drive.status()["busy"], "the drive is idle")
    drive.remove()
    drive.insert(kind, status, image)


def append(rig: TestRig, name: str, **options: object) -> JobHandle:
    """Order a session, and let the recorder begin."""
    medium = str(options.pop("medium", "dvd-r"))
    size = int(str(options.pop("size", 1 << 20)))
    folder = rig.content(name, size=size, files=4)
    (folder / f"only {name}.txt").write_text(name)
    job = rig.mill.submit(data_disc(folder), nonblank="append", medium=medium, **options)  # type: ignore[arg-type]
    control.resume(rig.mill.database, ["r1"])
    return job


def outcomes(job: JobHandle) -> list[str]:
    return sorted(str(disc["outcome"]) for disc in job.report().discs)


def attempt_of(rig: TestRig, job: JobHandle) -> Attempt:
    """Return the attempt that made the job's one good disc."""
    good = next(disc for disc in job.report().discs if str(disc["outcome"]) == "good")
    with rig.mill.database.read() as db:
        return db.get_one(Attempt, str(good["attempt"]))


def shown(disc: Path, first_block: int) -> set[str]:
    """List the files that another program finds in the session that begins at a block."""
    command = ["xorriso", "-load", "sbsector", str(first_block), "-indev", f"stdio:{disc}"]
    found = subprocess.run([*command, "-find", "/", "-type", "f"], capture_output=True, text=True, check=True)
    return {line.strip("'").removeprefix("/") for line in found.stdout.splitlines()}


def test_a_session_is_appended_and_shows_the_files_of_the_one_before(rig: TestRig) -> None:
    insert(rig, "dvd-r", MediumStatus.APPENDABLE)
    job = append(rig, "second")

    report = job.wait(60)

    assert (report.state, outcomes(job)) == (JobState.COMPLETED, ["good"]), report.discs
    attempt, (disc,) = attempt_of(rig, job), rig.discs_of(job)
    assert attempt.medium_session == 2
    assert attempt.first_block
    assert attempt.first_block > 0
    assert attempt.master_key not in {None, ""}
    assert {"READ ME.txt", "old/data.bin", "hello.txt", "only second.txt"} <= shown(disc, attempt.first_block)
    session = disc.read_bytes()[attempt.first_block * BLOCK :]
    assert hashlib.sha256(session).hexdigest() == attempt.image_sha256 != report.document["image_sha256"]


def test_orders_that_append_fill_one_disc_session_by_session(rig: TestRig) -> None:
    first = append(rig, "one")
    assert first.wait(60).state is JobState.COMPLETED
    (disc,) = rig.discs_of(first)
    assert (attempt_of(rig, first).first_block, attempt_of(rig, first).master_key) == (0, None)

    insert(rig, "dvd-r", MediumStatus.APPENDABLE, disc)
    second = append(rig, "two")

    assert second.wait(60).state is JobState.COMPLETED, second.report().document
    (both,) = rig.discs_of(second)
    start = attempt_of(rig, second).first_block or 0
    assert both.read_bytes()[: disc.stat().st_size] == disc.read_bytes()
    assert {"only one.txt", "only two.txt"} <= shown(both, start)


def test_an_appended_disc_is_compared_with_its_own_master(rig: TestRig) -> None:
    insert(rig, "cd-r", MediumStatus.APPENDABLE)
    job = append(rig, "compared", medium="cd-r")
    job.wait(60)
    (disc,) = rig.discs_of(job)

    answer = subprocess.run(
        own_command("verify", str(disc), "--job", job.id),
        env=subprocess_environment(rig.settings),
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr


def test_a_disc_whose_session_nobody_can_read_stays_as_it_is(rig: TestRig) -> None:
    junk = rig.root / "junk.img"
    junk.write_bytes(os.urandom(400 * BLOCK))
    insert(rig, "dvd-r", MediumStatus.APPENDABLE, junk)
    job = append(rig, "behind-junk")

    wait_until(lambda: outcomes(job) == ["unused"], "the attempt is given up")
    with rig.mill.database.read() as db:
        (row,) = recorder_documents(db)
    assert "no session can follow" in str(row["message"])
    medium = rig.drive("r1").status()["medium"]
    assert isinstance(medium, dict)
    assert len(medium["sessions"]) == 1

    rig.drive("r1").remove()

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good", "unused"]


def test_a_killed_worker_leaves_one_appended_session(rig: TestRig) -> None:
    insert(rig, "dvd-r", MediumStatus.APPENDABLE)
    job = append(rig, "killed-worker", size=6 << 20, speed=2)
    rig.halfway(job)

    os.kill(rig.pid("r1"), signal.SIGKILL)

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good"]
    attempt, (disc,) = attempt_of(rig, job), rig.discs_of(job)
    assert "READ ME.txt" in shown(disc, attempt.first_block or 0)


def test_a_session_whose_master_was_lost_is_judged_by_its_digest(rig: TestRig) -> None:
    insert(rig, "dvd-r", MediumStatus.APPENDABLE)
    job = append(rig, "lost-master", size=6 << 20, speed=2)
    disc = rig.halfway(job)
    with rig.mill.database.read() as db:
        key = db.get_one(Attempt, str(disc["attempt"])).master_key
    assert key is not None

    os.kill(rig.pid("r1"), signal.SIGSTOP)
    shutil.rmtree(rig.settings.store / "masters" / key)
    os.kill(rig.pid("r1"), signal.SIGKILL)

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good"]


def test_a_session_called_off_while_it_is_written_spoils_the_disc(rig: TestRig) -> None:
    insert(rig, "dvd-r", MediumStatus.APPENDABLE)
    job = append(rig, "cancelled", size=6 << 20, speed=2)
    rig.halfway(job)

    job.cancel()

    assert job.wait(60).state is JobState.CANCELLED
    assert outcomes(job) == ["spoiled"]


def test_a_used_rewritable_disc_is_blanked_where_the_order_says_so(rig: TestRig) -> None:
    insert(rig, "cd-rw", MediumStatus.COMPLETE)
    job = rig.mill.submit(data_disc(rig.content("blanked", size=1 << 20)), nonblank="blank", medium="cd-rw")

    control.resume(rig.mill.database, ["r1"])

    assert job.wait(60).state is JobState.COMPLETED, job.report().document
    (disc,) = rig.discs_of(job)
    assert "READ ME.txt" not in shown(disc, 0)
