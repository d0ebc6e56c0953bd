"""The main job on a rig of real processes, and what it survives."""

import hashlib
import json
import os
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from jobs import control, data_disc, image_disc, manifest_disc
from jobs.client import JobHandle
from jobs.errors import Faults
from jobs.overview import disc_documents, recorder_documents
from jobs.settings import subprocess_environment
from models.vocabulary import JobState
from tests.rigs import TestRig, running_rig, wait_until
from workers.programs import own_command


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestRig]:
    root = tmp_path_factory.mktemp("content")
    with running_rig(tmp_path_factory.mktemp("rig"), root, recorders=2, flower=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _leave_it_as_it_was(rig: TestRig) -> Iterator[None]:
    yield
    for name in ("r1", "r2"):
        rig.drive(name).clear_faults()
    control.clear(rig.mill.database, ["r1", "r2"])
    control.resume(rig.mill.database, ["r1", "r2"])
    rig.until_idle()


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def outcomes(job: JobHandle) -> list[str]:
    return sorted(str(disc["outcome"]) for disc in job.report().discs)


def on_one_recorder(rig: TestRig, name: str = "r1") -> None:
    control.pause(rig.mill.database, ["r1", "r2"])
    control.resume(rig.mill.database, [name])


def test_three_copies_on_two_recorders_are_verified_and_equal(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("three"), volume_id="THREE"), copies=3)

    report = job.result()

    assert (report.state, report.good, report.spoiled) == (JobState.COMPLETED, 3, 0)
    assert {disc["recorder"] for disc in report.discs} == {"r1", "r2"}
    assert all(disc["verified"] is True for disc in report.discs)
    digests = {sha256(Path(str(disc["path"]))) for disc in report.discs}
    assert digests == {report.document["image_sha256"]}
    assert len(rig.discs_of(job)) == 3


def test_a_killed_worker_leaves_one_good_disc_and_no_second(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("killed-worker")), speed=8)
    disc = rig.halfway(job)

    os.kill(rig.pid(str(disc["recorder"])), signal.SIGKILL)

    report = job.wait(60)
    assert report.state is JobState.COMPLETED
    assert outcomes(job) == ["good"]
    assert len(rig.discs_of(job)) == 1
    assert rig.discs_of(job, "reject") == []


def test_a_worker_killed_while_verifying_verifies_again(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("killed-verifying")))
    disc = rig.halfway(job, "verifying")

    os.kill(rig.pid(str(disc["recorder"])), signal.SIGKILL)

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good"]


def test_a_killed_burner_spoils_one_disc_and_the_copy_is_made_anew(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("killed-burner")), speed=4)
    disc = rig.halfway(job)

    os.kill(rig.burner_pid(str(disc["attempt"])), signal.SIGKILL)

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good", "spoiled"], job.report().discs
    assert len(rig.discs_of(job)) == 1
    assert len(rig.discs_of(job, "reject")) == 1


def test_sigterm_lets_the_disc_be_finished(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("sigterm")), speed=8)
    disc = rig.halfway(job)
    pid = rig.pid(str(disc["recorder"]))

    os.kill(pid, signal.SIGTERM)

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good"]
    wait_until(lambda: rig.pid(str(disc["recorder"])) != pid, "the worker was started again")


def test_messages_that_were_lost_are_sent_again(rig: TestRig) -> None:
    on_one_recorder(rig)
    os.kill(rig.pid("r1"), signal.SIGSTOP)
    job = rig.mill.submit(data_disc(rig.content("lost-message")))

    redis.Redis(unix_socket_path=str(rig.settings.redis_socket)).flushall()
    os.kill(rig.pid("r1"), signal.SIGCONT)

    assert job.wait(60).state is JobState.COMPLETED
    assert len(rig.discs_of(job)) == 1


def test_a_dead_redis_and_a_dead_dispatcher_do_not_touch_a_burn(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("dead-redis")), copies=2, speed=8)
    rig.halfway(job)

    os.kill(rig.rig._redis.pid or 0, signal.SIGKILL)
    os.kill(rig.pid("dispatcher"), signal.SIGKILL)

    assert job.wait(60).state is JobState.COMPLETED
    assert outcomes(job) == ["good", "good"]


def test_flower_shows_the_attempt_while_it_burns(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("flower"), title="for flower"), speed=8)
    disc = rig.halfway(job)

    def shown() -> str | None:
        with urllib.request.urlopen(f"{rig.rig.flower_url}/api/task/info/{disc['attempt']}", timeout=5) as answer:  # noqa: S310
            task = json.load(answer)
        return str(task["result"]) if task["state"] == "WRITING" and "x on" in str(task["result"]) else None

    text = wait_until(lambda: _unless_missing(shown), "Flower shows the attempt as WRITING")
    page = urllib.request.urlopen(f"{rig.rig.flower_url}/task/{disc['attempt']}", timeout=5).read().decode()  # noqa: S310

    assert str(disc["recorder"]) in text
    assert job.id in text
    assert "copy 1/1" in text
    assert "%" in text
    assert "discmill.burn" in page
    assert job.wait(60).state is JobState.COMPLETED


def _unless_missing(ask: object) -> str | None:
    try:
        return ask()  # type: ignore[operator,no-any-return]
    except OSError:
        return None


def test_cancel_of_a_queued_job_burns_nothing(rig: TestRig) -> None:
    control.pause(rig.mill.database, ["r1", "r2"])
    job = rig.mill.submit(data_disc(rig.content("cancel-queued")), copies=2)

    job.cancel()

    assert job.wait(10).state is JobState.CANCELLED
    assert outcomes(job) == []


def test_cancel_while_writing_spoils_the_disc_and_says_so(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("cancel-writing")), speed=4)
    rig.halfway(job)

    job.cancel()

    report = job.wait(60)
    (disc,) = report.discs
    assert report.state is JobState.CANCELLED
    assert (str(disc["outcome"]), disc["error"]["code"]) == ("spoiled", "IMAPI_E_USERABORT")  # type: ignore[index]
    assert len(rig.discs_of(job, "reject")) == 1


def test_cancel_while_verifying_leaves_a_surplus_disc(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("cancel-verifying")))
    rig.halfway(job, "verifying")

    job.cancel()

    assert job.wait(60).state is JobState.CANCELLED
    assert outcomes(job) == ["surplus"]
    assert len(rig.discs_of(job)) == 1


def test_retry_after_a_cancel_makes_only_what_is_missing(rig: TestRig) -> None:
    on_one_recorder(rig)
    job = rig.mill.submit(data_disc(rig.content("retry")), copies=2)
    wait_until(lambda: job.report().good == 1, "the first disc")
    job.cancel()
    cancelled = job.wait(60)

    missing = job.retry()

    assert cancelled.state is JobState.CANCELLED
    assert missing == 2 - cancelled.good
    assert job.wait(60).state is JobState.COMPLETED
    assert job.report().good == 2


def test_a_bit_that_reads_wrong_is_found_and_named(rig: TestRig) -> None:
    on_one_recorder(rig)
    folder = rig.content("read-flip", files=1)
    block = 700
    rig.drive("r1").add_fault(f"read-flip@{block}")
    job = rig.mill.submit(data_disc(folder), max_spoiled=1)

    report = job.wait(60)

    (disc,) = report.discs
    assert report.state is JobState.WAITING
    assert (str(disc["outcome"]), disc["verified"]) == ("spoiled", False)
    message = disc["error"]["message"]  # type: ignore[index]
    assert f"block {block} (inner/file 0.bin)" in message
    rig.drive("r1").clear_faults()
    job.retry()
    assert job.wait(60).state is JobState.COMPLETED


def test_a_bit_flipped_on_the_shelf_is_found_by_verifying_the_file(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("shelf-flip", files=1)))
    disc = Path(str(job.result().discs[0]["path"]))
    copy = rig.root / "flipped.iso"
    data = bytearray(disc.read_bytes())
    data[900 * 2048 + 5] ^= 0x10
    copy.write_bytes(data)

    answer = subprocess.run(
        own_command("verify", str(copy), "--job", job.id, "--json"),
        env=subprocess_environment(rig.settings),
        capture_output=True,
        check=False,
    )

    assert answer.returncode == 1
    assert "block 900 (inner/file 0.bin)" in json.loads(answer.stdout)["message"]


def test_a_write_error_spoils_a_disc_and_the_next_one_is_good(rig: TestRig) -> None:
    on_one_recorder(rig)
    rig.drive("r1").add_fault(f"write-error@500:disc{rig.drive('r1').status()['discs']}")
    job = rig.mill.submit(data_disc(rig.content("write-error")))

    report = job.wait(60)

    assert report.state is JobState.COMPLETED
    assert outcomes(job) == ["good", "spoiled"]


def test_a_recorder_that_spoils_disc_after_disc_is_quarantined(rig: TestRig) -> None:
    on_one_recorder(rig)
    rig.drive("r1").add_fault("write-error@300")
    job = rig.mill.submit(data_disc(rig.content("quarantine")))

    report = job.wait(60)

    assert report.state is JobState.WAITING
    assert report.spoiled == 3
    with rig.mill.database.read() as db:
        states = {row["name"]: str(row["intent"]) for row in recorder_documents(db)}
    assert states["r1"] == "quarantined"


def test_an_unplugged_recorder_leaves_its_copy_to_the_other(rig: TestRig) -> None:
    on_one_recorder(rig)
    job = rig.mill.submit(data_disc(rig.content("unplug")), speed=4)
    rig.halfway(job)
    control.resume(rig.mill.database, ["r2"])

    rig.drive("r1").unplug()

    report = job.wait(60)
    rig.drive("r1").replug()
    assert report.state is JobState.COMPLETED
    assert [str(disc["recorder"]) for disc in report.discs if str(disc["outcome"]) == "good"] == ["r2"]


def test_a_changed_source_stops_the_job_before_a_disc_is_wasted(rig: TestRig) -> None:
    control.pause(rig.mill.database, ["r1", "r2"])
    folder = rig.content("changed")
    job = rig.mill.submit(data_disc(folder))
    staged = (folder / "hello.txt").stat()
    (folder / "hello.txt").write_text("something else\n")

    control.resume(rig.mill.database, ["r1", "r2"])
    report = job.wait(60)

    assert report.state is JobState.WAITING
    assert "hello.txt" in str(report.reason)
    assert outcomes(job) == ["unused"]
    (folder / "hello.txt").write_text("hello from changed\n")
    os.utime(folder / "hello.txt", ns=(staged.st_atime_ns, staged.st_mtime_ns))
    job.retry()
    assert job.wait(60).state is JobState.COMPLETED


def test_a_simulation_uses_no_disc(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("simulate")), simulate=True)

    report = job.wait(60)

    assert (report.state, report.good) == (JobState.COMPLETED, 0)
    assert outcomes(job) == ["simulated"]
    assert rig.discs_of(job) == []


def test_no_verify_says_that_nobody_looked(rig: TestRig) -> None:
    job = rig.mill.submit(data_disc(rig.content("no-verify")), verify=False)

    report = job.wait(60)

    assert (report.state, report.good) == (JobState.COMPLETED, 1)
    assert report.discs[0]["verified"] is False


def test_content_kept_in_the_store_survives_its_source(rig: TestRig) -> None:
    control.pause(rig.mill.database, ["r1", "r2"])
    folder = rig.content("stage-copy", size=1 << 20)
    job = rig.mill.submit(data_disc(folder), stage="copy")
    for file in sorted(folder.rglob("*.*")):
        file.unlink()

    control.resume(rig.mill.database, ["r1", "r2"])

    assert job.wait(60).state is JobState.COMPLETED


def test_a_manifest_file_orders_what_it_lists(rig: TestRig) -> None:
    folder = rig.content("listed", size=1 << 20)
    listing = rig.root / "listed.json"
    entries = [{"path": "docs/greeting.txt", "source": str(folder / "hello.txt")}, {"path": "empty", "folder": True}]
    listing.write_text(json.dumps({"version": 1, "volume_id": "LISTED", "entries": entries}))

    report = rig.mill.submit(manifest_disc(listing)).wait(60)

    assert report.state is JobState.COMPLETED
    assert report.document["manifest"]["entries"] == 3  # type: ignore[index]


def test_a_ready_made_image_is_burnt_bit_for_bit(rig: TestRig) -> None:
    image = rig.root / "made elsewhere.iso"
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-V", "ELSEWHERE", "-o", str(image)]
    subprocess.run([*command, str(rig.content("elsewhere", size=1 << 20))], check=True)

    report = rig.mill.submit(image_disc(image)).wait(60)

    assert report.state is JobState.COMPLETED
    assert sha256(Path(str(report.discs[0]["path"]))) == sha256(image) == report.document["image_sha256"]


def test_what_is_no_image_is_refused(rig: TestRig) -> None:
    image = rig.root / "no image.iso"
    image.write_bytes(bytes(300 * 2048))

    with pytest.raises(Faults, match=r"no image\.iso"):
        rig.mill.submit(image_disc(image))


def test_priority_decides_who_is_next(rig: TestRig) -> None:
    control.pause(rig.mill.database, ["r1", "r2"])
    folder = rig.content("priority", size=1 << 20)
    late = rig.mill.submit(data_disc(folder, title="late"), priority=1)
    early = rig.mill.submit(data_disc(folder, title="early"), priority=9)

    control.resume(rig.mill.database, ["r1"])

    assert early.wait(60).state is JobState.COMPLETED
    assert late.wait(60).state is JobState.COMPLETED
    assert str(early.report().discs[0]["started"]) < str(late.report().discs[0]["started"])


def test_an_operator_ejects_an_idle_recorder(rig: TestRig) -> None:
    control.pause(rig.mill.database, ["r2"])

    request = control.ask(rig.mill.database, "r2", "eject")

    answer = wait_until(lambda: control.answer_to(rig.mill.database, request), "the worker's answer")
    assert answer["ok"] is True


def test_no_medium_carries_two_attempts(rig: TestRig) -> None:
    with rig.mill.database.read() as db:
        discs = disc_documents(db)

    written = [disc["medium_id"] for disc in discs if str(disc["outcome"]) in {"good", "spoiled", "surplus"}]
    assert written
    assert len(set(written)) == len(written)
