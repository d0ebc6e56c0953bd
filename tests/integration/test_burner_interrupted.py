"""Burns whose worker or burner is killed, stopped or told to stop."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from jobs.errors import (
    BurnCancelled,
    RecorderError,
    RecorderStalled,
    WriteFailed,
)
from jobs.mastering.medium import MediumStatus
from jobs.mastering.progress import BlockProgress, ProgressEvent
from jobs.mastering.recorder import Bin, BurnOrder
from tests.burning import (
    BLOCKS,
    HELD,
    MIDDLE,
    assert_spoiled,
    burning,
    bytes_on,
    evidence_of,
    pid_of_burner,
    tray,
    writes_of,
)
from tests.burns import DEADLINE, Content, Ear, a_content, a_drive, allow, beside, eventually, sha256_of
from workers.burner import CANCELLED, FAILED, NOT_BEGUN, WRITTEN
from workers.evidence import read_evidence
from workers.locks import drive_is_free
from workers.recorders.burn_process import wait_for_burner
from workers.recorders.burn_watch import Patience
from workers.recorders.emulated import EmulatedRecorder
from workers.recorders.emulated_uri import parse_uri
from workers.recorders.waiting_burner import WaitingBurner

ROOT = Path(__file__).parents[2]


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return a_content(tmp_path / "content", BLOCKS)


def test_a_killed_worker_does_not_touch_its_burn(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    order = content.order()
    command = [sys.executable, "-m", "tests.burn_alone", content.folder, content.evidence, device.recorder.uri]
    with subprocess.Popen(list(map(str, command)), cwd=ROOT) as worker:
        eventually(lambda: bytes_on(device) >= MIDDLE * 2048, "the burn reaches the middle")
        os.kill(worker.pid, signal.SIGKILL)
    assert not drive_is_free(device.recorder)
    waited: list[int] = []

    def go_on() -> None:
        waited.append(1)
        beside(device).clear_faults()

    wait_for_burner(device.recorder, go_on, every=0.05)

    assert waited
    found = read_evidence(order.evidence)
    assert (found.fed_all, found.closed, found.ended) == (True, True, True)
    assert sha256_of(device.loader.unload(Bin.ACCEPT, "orphan") or Path()) == content.sha256


def test_waiting_for_no_burner_takes_no_time(tmp_path: Path) -> None:
    calls: list[int] = []

    wait_for_burner(a_drive(tmp_path / "drive").recorder, lambda: calls.append(1))

    assert calls == []


def test_a_burn_is_called_off_by_its_listener(tmp_path: Path, content: Content) -> None:
    device, cancelled = a_drive(tmp_path / "drive", HELD), threading.Event()
    with burning(device, content.order(), Ear(cancel=cancelled.is_set)) as burn:
        cancelled.set()
        with pytest.raises(BurnCancelled):
            burn.join()

    found = evidence_of(content)
    assert (found.wrote, found.fed_all, found.closed, found.cancelled, found.ended) == (True, False, False, True, True)
    assert found.bytes_fed == MIDDLE * 2048
    path = assert_spoiled(device)
    assert path.stat().st_size == MIDDLE * 2048
    last = writes_of(path.with_name("spoiled.writes.jsonl"))[-1]
    assert (last["event"], last["cut"], last["last"]) == ("closed", True, MIDDLE - 1)


def test_a_burn_that_flows_is_called_off_between_blocks(tmp_path: Path, content: Content) -> None:
    """The throttle's waits are ended by the signal: at this speed the burn would take minutes."""
    device, cancelled = a_drive(tmp_path / "drive", "?speed=0.01x"), threading.Event()
    ear = Ear(cancel=cancelled.is_set, on_event=lambda event: _at_first_block(event, cancelled))

    with pytest.raises(BurnCancelled):
        device.recorder.record(content.order(), ear, allow)

    assert evidence_of(content).bytes_fed % 2048 == 0
    assert evidence_of(content).cancelled


def _at_first_block(event: ProgressEvent, cancelled: threading.Event) -> None:
    if isinstance(event, BlockProgress):
        cancelled.set()


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGHUP])
def test_what_a_terminal_sends_does_not_touch_a_burn(tmp_path: Path, content: Content, ignored: signal.Signals) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with burning(device, content.order()) as burn:
        assert os.getsid(burn.burner) == burn.burner
        os.kill(burn.burner, ignored)
        burn.end()

    assert evidence_of(content).closed


def test_a_stopped_burner_goes_on_where_it_was(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with burning(device, content.order()) as burn:
        os.kill(burn.burner, signal.SIGSTOP)
        eventually(lambda: _state(burn.burner) == "T", "the burner stops")
        beside(device).clear_faults()
        os.kill(burn.burner, signal.SIGCONT)
        burn.join()

    assert evidence_of(content).closed


def _state(pid: int) -> str:
    """Return the letter that the kernel gives a process's state (proc(5))."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_killed_burner_leaves_a_spoiled_disc(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with burning(device, content.order()) as burn:
        os.kill(burn.burner, signal.SIGKILL)
        with pytest.raises(WriteFailed, match="SIGKILL"):
            burn.join()

    found = evidence_of(content)
    assert (found.wrote, found.fed_all, found.closed, found.ended) == (True, False, False, False)
    assert drive_is_free(device.recorder)
    path = assert_spoiled(device)
    assert [line["event"] for line in writes_of(path.with_name("spoiled.writes.jsonl"))] == ["opened"]


@pytest.mark.parametrize("milliseconds", [0, *range(1, 45, 4)])
def test_a_burner_killed_at_any_moment_leaves_disc_and_evidence_that_agree(
    tmp_path: Path, content: Content, milliseconds: int
) -> None:
    device = a_drive(tmp_path / "drive")
    order = content.order()
    killer = threading.Thread(target=_kill_burner_of, args=(order, milliseconds / 1000))

    with contextlib.suppress(WriteFailed, RecorderError):
        device.recorder.record(order, Ear(), lambda _: killer.start())

    killer.join()
    found, medium = evidence_of(content), tray(device)
    if not found.wrote:
        assert (medium.status, medium.used) == (MediumStatus.BLANK, False)
    if found.closed:
        assert medium.sessions == 1
    if medium.sessions:
        assert found.fed_all
        assert sha256_of(device.loader.unload(Bin.ACCEPT, "good") or Path()) == content.sha256


def _kill_burner_of(order: BurnOrder, after: float) -> None:
    eventually(lambda: read_evidence(order.evidence).started, "the burner starts")
    with contextlib.suppress(ProcessLookupError):
        burner = os.pidfd_open(pid_of_burner(order.evidence))
        time.sleep(after)
        try:
            signal.pidfd_send_signal(burner, signal.SIGKILL)
        finally:
            os.close(burner)


def test_a_stalled_drive_is_noticed_and_given_up(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=stall@0", stall_after=0.5)

    with pytest.raises(RecorderStalled, match=r"0\.5 seconds"):
        device.recorder.record(content.order(), Ear(), allow)

    assert drive_is_free(device.recorder)
    assert not evidence_of(content).fed_all


def test_a_burner_that_does_not_stop_is_left_alone(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    recorder = EmulatedRecorder(parse_uri(device.recorder.uri), beside(device), Patience(grace=0.1))
    frozen: list[int] = []

    def freeze(event: ProgressEvent) -> None:
        if isinstance(event, BlockProgress) and not frozen:
            frozen.append(pid_of_burner(content.order().evidence))
            os.kill(frozen[0], signal.SIGSTOP)

    with pytest.raises(RecorderStalled, match="does not stop"):
        recorder.record(content.order(), Ear(cancel=lambda: bool(frozen), on_event=freeze), allow)

    assert not drive_is_free(recorder)
    os.kill(frozen[0], signal.SIGCONT)
    wait_for_burner(recorder)
    assert evidence_of(content).cancelled


def run_burner(*arguments: str) -> int:
    command = [sys.executable, "-m", "workers.burner", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=DEADLINE).returncode


def go(plan: Path) -> int:
    """Let a burner go; return its exit code."""
    with (plan.parent / "words").open("ab") as words, (plan.parent / "lock").open("ab") as lock:
        return WaitingBurner("emulated").go(plan, lock.fileno(), words.fileno()).wait(DEADLINE)


def test_a_burner_without_a_plan_is_not_begun(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    assert go(plan) == NOT_BEGUN
    plan.write_text("{}")
    assert go(plan) == NOT_BEGUN

    assert "is not a plan" in (tmp_path / "words").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "plan.json", "words"]


def test_a_burner_that_is_called_by_nobody_is_not_begun() -> None:
    assert [run_burner(), run_burner("no socket", "emulated"), run_burner("0", "no sink")] == [NOT_BEGUN] * 3


def test_the_exit_code_says_what_the_evidence_says() -> None:
    assert len({WRITTEN, FAILED, NOT_BEGUN, CANCELLED}) == 4
    assert WRITTEN == 0


def test_a_burner_needs_the_standard_library_and_us() -> None:
    code = "import sys, workers.burner, workers.recorders.emulated_sink; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    tops = {name.partition(".")[0] for name in loaded.stdout.split()}
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    foreign = tops - {name.partition(".")[0] for name in bare.stdout.split()} - sys.stdlib_module_names
    assert foreign == {"jobs", "workers"}
    assert "subprocess" not in tops


def test_a_burner_inherits_the_lock_and_nothing_else(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with (tmp_path / "other").open("w") as other, burning(device, content.order()) as burn:
        os.set_inheritable(other.fileno(), True)  # noqa: FBT003
        files = {str(link.readlink()) for link in Path(f"/proc/{burn.burner}/fd").iterdir()}
        environment = Path(f"/proc/{burn.burner}/environ").read_bytes().split(b"\0")

    assert str(device.recorder.locks / "drive") in files
    assert str(tmp_path / "other") not in files
    assert {name.partition(b"=")[0] for name in environment if name} == {b"PYTHONPATH", b"PATH", b"LC_ALL"}
