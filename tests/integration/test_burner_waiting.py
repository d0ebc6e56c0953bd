"""Burners that are started early and wait for their go: whoever dies meanwhile, nothing is written unknown to all."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.errors import MediumMissing, NotPermitted
from jobs.mastering.medium import MediumInfo
from jobs.mastering.recorder import Bin, Device
from tests.burning import BLOCKS, assert_untouched, evidence_of
from tests.burns import DEADLINE, Content, Ear, a_content, a_drive, allow, beside, eventually, sha256_of
from tests.wait_alone import GONE, PERMITTED, WAITING
from workers.burner import NOT_BEGUN
from workers.evidence import Evidence
from workers.locks import drive_is_free
from workers.recorders.burn_process import wait_for_burner

ROOT = Path(__file__).parents[2]


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return a_content(tmp_path / "content", BLOCKS)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    device = a_drive(tmp_path / "drive")
    yield device
    device.recorder.expect(None)


def waiting_of(device: Device) -> "subprocess.Popen[bytes]":
    process: subprocess.Popen[bytes] = device.recorder._burns._understudy._waiting._process  # type: ignore[attr-defined]
    return process


@contextmanager
def worker(device: Device, content: Content, moment: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run a worker of its own with a burner that waits; give both."""
    command = [sys.executable, "-m", "tests.wait_alone", content.folder, content.evidence, device.recorder.uri, moment]
    with subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_burner_that_waits_does_not_have_the_drive(device: Device, content: Content) -> None:
    device.recorder.expect(content.order().image)

    files = {str(link.readlink()) for link in Path(f"/proc/{waiting_of(device).pid}/fd").iterdir()}
    assert drive_is_free(device.recorder)
    assert not [file for file in files if file.startswith(str(device.recorder.locks))]
    assert device.recorder.probe() is not None


def test_the_burner_that_waited_burns(device: Device, content: Content) -> None:
    device.recorder.expect(content.order().image)
    waited = waiting_of(device).pid

    device.recorder.record(content.order(), Ear(), allow)

    assert evidence_of(content).pid == waited
    assert sha256_of(device.loader.unload(Bin.ACCEPT, "good") or Path()) == content.sha256


def test_a_burner_that_expected_another_image_burns_what_its_plan_says(
    tmp_path: Path, device: Device, content: Content
) -> None:
    device.recorder.expect(a_content(tmp_path / "other", BLOCKS + 100).order().image)

    device.recorder.record(content.order(), Ear(), allow)

    assert sha256_of(device.loader.unload(Bin.ACCEPT, "good") or Path()) == content.sha256


def test_an_image_that_is_not_there_is_no_matter_until_it_is_burnt(
    tmp_path: Path, device: Device, content: Content
) -> None:
    device.recorder.expect(tmp_path / "nothing.jsonl")

    device.recorder.record(content.order(), Ear(), allow)

    assert evidence_of(content).closed


def test_a_burner_that_died_of_waiting_is_replaced(device: Device, content: Content) -> None:
    device.recorder.expect(content.order().image)
    dead = waiting_of(device)
    dead.kill()
    dead.wait(DEADLINE)

    device.recorder.record(content.order(), Ear(), allow)

    assert evidence_of(content).closed
    assert evidence_of(content).pid != dead.pid


def test_a_burner_that_nobody_needs_ends(device: Device, content: Content) -> None:
    device.recorder.expect(content.order().image)
    waited = waiting_of(device)

    device.recorder.expect(None)

    assert waited.wait(DEADLINE) == NOT_BEGUN


def test_sigterm_ends_a_burner_that_waits_and_not_what_it_would_have_burnt(device: Device, content: Content) -> None:
    """A host that goes down tells all of its processes."""
    device.recorder.expect(content.order().image)
    waited = waiting_of(device)
    waited.terminate()
    assert waited.wait(DEADLINE) == -signal.SIGTERM

    device.recorder.record(content.order(), Ear(), allow)

    assert evidence_of(content).closed


@pytest.mark.parametrize("refusal", [MediumMissing, NotPermitted])
def test_a_burn_that_is_refused_leaves_no_burner_waiting(
    device: Device, content: Content, refusal: type[Exception]
) -> None:
    if refusal is MediumMissing:
        beside(device).remove()

    def refuse(_: MediumInfo) -> None:
        raise NotPermitted("not this one")

    device.recorder.expect(content.order().image)
    waited = waiting_of(device)
    with pytest.raises(refusal):
        device.recorder.record(content.order(), Ear(), refuse)

    assert waited.wait(DEADLINE) == NOT_BEGUN
    assert evidence_of(content) == Evidence()


@pytest.mark.parametrize("moment", [WAITING, PERMITTED])
def test_a_worker_killed_before_the_go_leaves_no_burner_no_lock_and_a_blank(
    device: Device, content: Content, moment: str
) -> None:
    with worker(device, content, moment) as (process, burner):
        if moment == WAITING:
            assert not is_gone(burner)
            process.kill()
        process.wait(DEADLINE)

    eventually(lambda: is_gone(burner), "the burner ends by itself")
    assert drive_is_free(device.recorder)
    assert evidence_of(content) == Evidence()
    assert_untouched(device)


def test_a_go_reaches_its_burner_after_the_worker_was_killed_and_the_lock_comes_with_it(
    device: Device, content: Content
) -> None:
    with worker(device, content, GONE) as (process, burner):
        process.wait(DEADLINE)
        try:
            assert not drive_is_free(device.recorder)
            assert not evidence_of(content).started
        finally:
            os.kill(burner, signal.SIGCONT)

    wait_for_burner(device.recorder)

    assert evidence_of(content).closed
    assert sha256_of(device.loader.unload(Bin.ACCEPT, "orphan") or Path()) == content.sha256


def test_a_burner_killed_with_its_go_unread_leaves_no_lock_and_a_blank(device: Device, content: Content) -> None:
    with worker(device, content, GONE) as (process, burner):
        process.wait(DEADLINE)
        os.kill(burner, signal.SIGKILL)

    eventually(lambda: drive_is_free(device.recorder), "the lock goes with the message")
    found = evidence_of(content)
    assert found.plan is not None
    assert not found.started
    assert_untouched(device)
