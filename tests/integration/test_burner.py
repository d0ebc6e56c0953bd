"""Burns with real burner processes on emulated drives: good ones, and every way they go wrong."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import (
    BurnCancelled,
    DiscError,
    MediumDiffers,
    MediumMissing,
    MediumNotWritable,
    NotPermitted,
    RecorderBusy,
    RecorderError,
    RecorderMissing,
    RecorderStalled,
    SourceChanged,
    WriteFailed,
)
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.mastering.progress import BlockProgress, ClosingDisc, PreparingBurn, ProgressEvent
from jobs.mastering.recorder import Bin, BurnOrder, Device
from tests.burns import DEADLINE, Content, Ear, a_content, a_drive, allow, beside, eventually, sha256_of
from workers.burner import CANCELLED, FAILED, NOT_BEGUN, WRITTEN
from workers.evidence import Evidence, read_evidence, read_plan
from workers.locks import drive_is_free
from workers.recorders import open_device
from workers.recorders.burn_process import Patience, wait_for_burner
from workers.recorders.emulated import EmulatedRecorder

#: Blocks of the test image, and one in its midst that burns are held at.
BLOCKS, MIDDLE = 2000, 700
HELD = f"?fault=stall@{MIDDLE}"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Content:
    return a_content(tmp_path_factory.mktemp("content"), BLOCKS)


@pytest.fixture
def content(shared: Content, tmp_path: Path) -> Content:
    """Give an image that many tests read, with evidence of this test's own."""
    return replace(shared, evidence=tmp_path / "evidence")


@pytest.fixture
def own(tmp_path: Path) -> Content:
    """Give an image that the test may spoil."""
    return a_content(tmp_path / "content", BLOCKS)


def evidence_of(content: Content, name: str = "burn") -> Evidence:
    return read_evidence(content.evidence / name)


def tray(device: Device) -> MediumInfo:
    medium = device.recorder.probe()
    assert medium is not None
    return medium


def writes_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_untouched(device: Device) -> None:
    assert (tray(device).status, tray(device).used) == (MediumStatus.BLANK, False)
    assert device.loader.unload(Bin.ACCEPT, "blank") is None


def assert_spoiled(device: Device) -> Path:
    """Check that the write-once medium can't be used any more; return its file on the shelf."""
    assert (tray(device).status, tray(device).free_blocks, tray(device).used) == (MediumStatus.COMPLETE, 0, True)
    with pytest.raises(MediumDiffers):
        device.recorder.read_back(2048)
    path = device.loader.unload(Bin.REJECT, "spoiled")
    assert path is not None
    assert json.loads(path.with_suffix(".json").read_text())["damaged"]
    return path


class Burning:
    """A burn in a thread, held at the middle of the image."""

    def __init__(self, device: Device, order: BurnOrder, ear: Ear) -> None:
        self.device = device
        self.order = order
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(ear,))
        self._thread.start()
        eventually(self._is_held, "the burn reaches the middle")

    def _run(self, ear: Ear) -> None:
        try:
            self.device.recorder.record(self.order, ear, allow)
        except BaseException as error:  # noqa: BLE001  (told to the test)
            self.error = error

    def _is_held(self) -> bool:
        medium = beside(self.device).folder.medium(beside(self.device).folder.read().medium or "")
        return not self._thread.is_alive() or (medium.data.exists() and medium.data.stat().st_size >= MIDDLE * 2048)

    @property
    def burner(self) -> int:
        pid = read_evidence(self.order.evidence).pid
        assert pid is not None
        return pid

    def end(self) -> None:
        """Let the burn go on and wait for its end; raises what it raised."""
        beside(self.device).clear_faults()
        self.join()

    def join(self) -> None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error


@contextmanager
def burning(device: Device, order: BurnOrder, ear: Ear | None = None) -> Iterator[Burning]:
    burn = Burning(device, order, ear or Ear())
    try:
        yield burn
    finally:
        beside(device).clear_faults()
        burn._thread.join(DEADLINE)


# Good burns.


@pytest.mark.parametrize("kind", ["cd-r", "dvd-r", "dvd+r-dl", "bd-r", "dvd-rw", "dvd+rw", "bd-re"])
def test_a_good_burn(tmp_path: Path, content: Content, kind: str) -> None:
    device, ear = a_drive(tmp_path / "drive", kind=MediumKind(kind)), Ear()
    permitted: list[MediumInfo] = []

    device.recorder.record(content.order(), ear, permitted.append)

    assert [medium.kind for medium in permitted] == [kind]
    overwritable = permitted[0].status is MediumStatus.OVERWRITABLE
    assert tray(device).status is (MediumStatus.OVERWRITABLE if overwritable else MediumStatus.COMPLETE)
    assert (tray(device).used, tray(device).sessions) == (True, 1)
    found = evidence_of(content)
    assert (found.started, found.wrote, found.fed_all, found.closed, found.ended) == (True,) * 5
    assert b"".join(device.recorder.read_back(content.image.size))[:3] == b"CD1"
    path = device.loader.unload(Bin.ACCEPT, "good")
    assert path == tmp_path / "drive" / "shelf" / "accept" / "good.iso"
    assert sha256_of(path) == content.sha256


def test_what_a_listener_hears(tmp_path: Path, content: Content) -> None:
    ear = Ear()

    a_drive(tmp_path / "drive").recorder.record(content.order(), ear, allow)

    blocks = [event for event in ear.events if isinstance(event, BlockProgress)]
    assert isinstance(ear.events[0], PreparingBurn)
    assert isinstance(ear.events[-1], ClosingDisc)
    assert ear.events[1:-1] == blocks
    assert [(event.done, event.total) for event in (blocks[0], blocks[-1])] == [(0, BLOCKS), (BLOCKS, BLOCKS)]


def test_the_log_of_writes_is_the_drives_own(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    device.recorder.record(content.order("one"), Ear(), allow)
    path = device.loader.unload(Bin.ACCEPT, "good")
    assert path is not None

    opened, closed = writes_of(path.with_name("good.writes.jsonl"))

    assert (opened["event"], opened["first"], opened["last"], opened["label"]) == ("opened", 0, BLOCKS - 1, "one")
    assert (closed["event"], closed["last"], closed["cut"]) == ("closed", BLOCKS - 1, False)
    assert opened["pid"] == closed["pid"] == evidence_of(content, "one").pid
    assert float(str(opened["clock"])) < float(str(closed["clock"]))


def test_audio_blocks_are_burnt_too(tmp_path: Path) -> None:
    audio = a_content(tmp_path / "content", 500, block_size=2352)
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)

    device.recorder.record(audio.order(), Ear(), allow)

    path = device.loader.unload(Bin.ACCEPT, "song")
    assert path == tmp_path / "drive" / "shelf" / "accept" / "song.bin"
    assert sha256_of(path) == audio.sha256


def test_a_session_is_appended_behind_the_last(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    beside(device).remove()
    beside(device).insert("dvd-r", MediumStatus.APPENDABLE)

    device.recorder.record(content.order(), Ear(), allow)

    assert (tray(device).status, tray(device).sessions) == (MediumStatus.COMPLETE, 2)
    back = b"".join(device.recorder.read_back(content.image.size))
    path = device.loader.unload(Bin.ACCEPT, "two")
    assert path is not None
    assert path.read_bytes()[32 * 2048 :] == back
    assert path.read_bytes().startswith(b"used before")
    assert writes_of(path.with_name("two.writes.jsonl"))[0]["first"] == 32


def test_an_overwritable_medium_is_burnt_again(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.DVD_PLUS_RW)
    beside(device).remove()
    beside(device).insert("dvd+rw", MediumStatus.COMPLETE)
    for name in ("one", "two"):
        device.recorder.record(content.order(name), Ear(), allow)

    path = device.loader.unload(Bin.ACCEPT, "again")

    assert path is not None
    assert sha256_of(path) == content.sha256
    assert len(writes_of(path.with_name("again.writes.jsonl"))) == 4


def test_a_cut_rewritable_medium_can_be_blanked_and_burnt(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=write-error@7", MediumKind.CD_RW)
    with pytest.raises(WriteFailed):
        device.recorder.record(content.order("one"), Ear(), allow)
    beside(device).clear_faults()
    with pytest.raises(MediumNotWritable):
        device.recorder.record(content.order("two"), Ear(), allow)

    device.recorder.blank(Ear())
    device.recorder.record(content.order("three"), Ear(), allow)

    assert b"".join(device.recorder.read_back(3)) == b"CD1"


def test_a_simulated_burn_does_all_but_write(tmp_path: Path, content: Content) -> None:
    device, ear = a_drive(tmp_path / "drive"), Ear()

    device.recorder.record(content.order(simulate=True), ear, allow)

    assert len(ear.heard(ClosingDisc)) == 1
    found = evidence_of(content)
    assert (found.wrote, found.fed_all, found.closed, found.ended) == (False, True, False, True)
    assert_untouched(device)


@pytest.mark.parametrize(
    ("options", "asked", "rate"),
    [("", None, None), ("?speed=2x", None, 2770000.0), ("?speed=2x", 8.0, 2770000.0), ("?speed=8x", 2.0, 2770000.0)],
)
def test_the_slower_of_two_speeds_is_taken(
    tmp_path: Path, content: Content, options: str, asked: float | None, rate: float | None
) -> None:
    order = content.order(simulate=True, speed=asked)

    a_drive(tmp_path / "drive", options).recorder.record(order, Ear(), allow)

    assert read_plan(order.evidence / "plan.json").sink["rate"] == rate


def test_a_listener_that_fails_does_not_hurt_the_burn(tmp_path: Path, content: Content) -> None:
    def fail(_: object = None) -> bool:
        raise RuntimeError("a listener's own trouble")

    device = a_drive(tmp_path / "drive")

    device.recorder.record(content.order(), Ear(cancel=fail, on_event=fail), allow)

    assert evidence_of(content).closed


# Refusals: nothing is started, nothing is written.


def refused(device: Device, order: BurnOrder, error: type[DiscError]) -> DiscError:
    """Burn what must be refused before the permit, and return the refusal."""
    permitted: list[MediumInfo] = []
    with pytest.raises(error) as refusal:
        device.recorder.record(order, Ear(), permitted.append)
    assert permitted == []
    assert not read_evidence(order.evidence).started
    assert drive_is_free(device.recorder)
    return refusal.value


def test_an_empty_tray_is_refused(tmp_path: Path, content: Content) -> None:
    refused(open_device(f"emulated:{tmp_path / 'drive'}"), content.order(), MediumMissing)


def test_a_complete_medium_is_refused(tmp_path: Path, content: Content) -> None:
    device = open_device(f"emulated:{tmp_path / 'drive'}")
    beside(device).insert("bd-r", MediumStatus.COMPLETE)

    refused(device, content.order(), MediumNotWritable)


def test_a_medium_too_small_is_refused(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)

    refusal = refused(device, replace(content.order(), size=360_000 * 2048), DiscError)

    assert refusal.code == "IMAPI_E_DISCFULL"
    assert_untouched(device)


def test_an_unplugged_drive_is_refused(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    beside(device).unplug()

    refused(device, content.order(), RecorderMissing)


def test_a_burn_called_off_before_it_began_is_refused(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    with pytest.raises(BurnCancelled):
        device.recorder.record(content.order(), Ear(cancel=lambda: True), allow)

    assert_untouched(device)


def test_without_the_permit_nothing_is_started(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")

    def refuse(_: MediumInfo) -> None:
        assert not drive_is_free(device.recorder)
        assert tray(device).status is MediumStatus.BLANK
        raise NotPermitted("not this one")

    with pytest.raises(NotPermitted):
        device.recorder.record(content.order(), Ear(), refuse)

    assert evidence_of(content) == Evidence()
    assert drive_is_free(device.recorder)
    assert_untouched(device)


def test_a_folder_of_evidence_serves_one_burn(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.DVD_PLUS_RW)
    device.recorder.record(content.order(), Ear(), allow)

    with pytest.raises(DiscError, match="holds a burn already"):
        device.recorder.record(content.order(), Ear(), allow)


def test_a_second_burn_is_refused_while_one_runs(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with burning(device, content.order("one")) as burn:
        with pytest.raises(RecorderBusy, match=f"process {burn.burner}"):
            device.recorder.record(content.order("two"), Ear(), allow)
        with pytest.raises(RecorderBusy):
            beside(device).remove()
        burn.end()

    assert evidence_of(content, "one").closed
    assert evidence_of(content, "two") == Evidence()


# Somebody dies, stops or calls off.


def test_a_killed_worker_does_not_touch_its_burn(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    order = content.order()
    command = [sys.executable, "-m", "tests.burn_alone", content.folder, content.evidence, device.recorder.uri]
    with subprocess.Popen(list(map(str, command)), cwd=ROOT) as worker:
        eventually(lambda: _file_of(device) >= MIDDLE * 2048, "the burn reaches the middle")
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


def _file_of(device: Device) -> int:
    """Return the bytes that are on the medium by now."""
    data = beside(device).folder.medium(beside(device).folder.read().medium or "").data
    return data.stat().st_size if data.exists() else 0


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
    assert (
        writes_of(path.with_name("spoiled.writes.jsonl"))[-1] | {"cut": True, "last": MIDDLE - 1}
        == writes_of(path.with_name("spoiled.writes.jsonl"))[-1]
    )


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


def test_a_stalled_drive_is_noticed_and_given_up(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=stall@0", stall_after=0.5)

    with pytest.raises(RecorderStalled, match=r"0\.5 seconds"):
        device.recorder.record(content.order(), Ear(), allow)

    assert drive_is_free(device.recorder)
    assert not evidence_of(content).fed_all


def test_a_burner_that_does_not_stop_is_left_alone(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    recorder = EmulatedRecorder(device.recorder.uri, beside(device), None, Patience(stall_after=1.0, grace=0.1))
    frozen: list[int] = []

    def freeze(event: ProgressEvent) -> None:
        if isinstance(event, BlockProgress) and not frozen:
            frozen.append(evidence_of(content).pid or 0)
            os.kill(frozen[0], signal.SIGSTOP)

    with pytest.raises(RecorderStalled, match="does not stop"):
        recorder.record(content.order(), Ear(on_event=freeze), allow)

    assert not drive_is_free(recorder)
    os.kill(frozen[0], signal.SIGCONT)
    wait_for_burner(recorder)
    assert evidence_of(content).cancelled


# The content, the medium or the drive fails.


def test_a_source_that_changed_before_is_noticed_before_the_first_byte(tmp_path: Path, own: Content) -> None:
    device = a_drive(tmp_path / "drive")
    os.utime(own.source)

    with pytest.raises(SourceChanged) as failure:
        device.recorder.record(own.order(), Ear(), allow)

    assert failure.value.path == str(own.source)
    assert (evidence_of(own).wrote, evidence_of(own).ended) == (False, True)
    assert_untouched(device)


@pytest.mark.parametrize("how", ["missing", "link"])
def test_a_source_that_is_gone_is_named(tmp_path: Path, own: Content, how: str) -> None:
    device = a_drive(tmp_path / "drive")
    own.source.rename(tmp_path / "elsewhere")
    if how == "link":
        own.source.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SourceChanged) as failure:
        device.recorder.record(own.order(), Ear(), allow)

    assert failure.value.path == str(own.source)
    assert_untouched(device)


def test_a_source_that_changes_meanwhile_makes_a_closed_disc_that_failed(tmp_path: Path, own: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with burning(device, own.order()) as burn:
        with own.source.open("r+b") as source:
            source.seek(-1, os.SEEK_END)
            source.write(b"!")
        with pytest.raises(SourceChanged) as failure:
            burn.end()

    assert failure.value.path == str(own.source)
    found = evidence_of(own)
    assert (found.bytes_fed, found.fed_all, found.closed) == (own.image.size, False, True)
    assert tray(device).status is MediumStatus.COMPLETE


def test_a_source_that_changes_and_keeps_its_time_is_found_by_its_content(tmp_path: Path, own: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    stat = own.source.stat()
    with burning(device, own.order()) as burn:
        with own.source.open("r+b") as source:
            source.seek(-1, os.SEEK_END)
            source.write(b"!")
        os.utime(own.source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(SourceChanged, match="has other content"):
            burn.end()


def test_a_source_that_shrinks_meanwhile_cuts_the_burn(tmp_path: Path, own: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with burning(device, own.order()) as burn:
        os.truncate(own.source, 2 << 20)
        with pytest.raises(SourceChanged, match="became shorter"):
            burn.end()

    assert not evidence_of(own).closed
    assert_spoiled(device)


def test_an_image_that_is_not_the_planned_one_is_not_begun(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    order = replace(content.order(), size=content.image.size - 2048)

    with pytest.raises(DiscError, match="not the image that was planned"):
        device.recorder.record(order, Ear(), allow)

    assert_untouched(device)


def test_a_write_error_spoils_the_disc_it_is_meant_for(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=write-error@701:disc2")
    device.recorder.record(content.order("one"), Ear(), allow)
    device.loader.unload(Bin.ACCEPT, "good")
    device.loader.load(MediumKind.DVD_R)

    with pytest.raises(WriteFailed, match="block 701"):
        device.recorder.record(content.order("two"), Ear(), allow)

    found = evidence_of(content, "two")
    assert found.failure is not None
    assert (found.failure.code, found.failure.block) == ("IMAPI_E_LOSS_OF_STREAMING", 701)
    assert (found.bytes_fed, found.ended) == (701 * 2048, True)
    assert assert_spoiled(device).stat().st_size == 701 * 2048


@pytest.mark.parametrize("by", ["script", "hand"])
def test_an_unplugged_drive_spoils_its_disc(tmp_path: Path, content: Content, by: str) -> None:
    device = a_drive(tmp_path / "drive", f"?fault=unplug@{MIDDLE}" if by == "script" else HELD)
    if by == "script":
        with pytest.raises(RecorderMissing):
            device.recorder.record(content.order(), Ear(), allow)
    else:
        with burning(device, content.order()) as burn:
            beside(device).unplug()
            with pytest.raises(RecorderMissing):
                burn.join()

    with pytest.raises(RecorderMissing):
        device.recorder.probe()
    beside(device).replug()
    assert_spoiled(device)


def test_a_session_that_can_not_be_closed_is_no_good(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=close-error")

    with pytest.raises(WriteFailed, match="close"):
        device.recorder.record(content.order(), Ear(), allow)

    assert (evidence_of(content).fed_all, evidence_of(content).closed) == (True, False)
    assert_spoiled(device)


def test_a_wrong_bit_on_the_disc_goes_unnoticed_until_it_is_read(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=flip@701")

    device.recorder.record(content.order(), Ear(), allow)

    back = b"".join(device.recorder.read_back(content.image.size))
    path = device.loader.unload(Bin.REJECT, "wrong")
    assert path is not None
    assert back == path.read_bytes()
    assert sha256_of(path) != content.sha256


def test_a_disk_without_room_fails_the_burn(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    medium = beside(device).folder.medium(beside(device).folder.read().medium or "")
    medium.data.symlink_to("/dev/full")

    with pytest.raises(DiscError) as failure:
        device.recorder.record(content.order(), Ear(), allow)

    assert not evidence_of(content).fed_all
    assert "No space" in failure.value.message or "Invalid argument" in failure.value.message


def test_a_burner_that_can_not_begin_says_why(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    order = replace(content.order(), image=tmp_path / "missing.jsonl")

    with pytest.raises(DiscError, match=r"missing\.jsonl"):
        device.recorder.record(order, Ear(), allow)

    assert_untouched(device)


def test_a_burner_whose_evidence_is_taken_does_not_begin(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    order = content.order()
    order.evidence.mkdir(parents=True)
    (order.evidence / "evidence.jsonl").touch()

    with pytest.raises(RecorderError, match="before anything was written"):
        device.recorder.record(order, Ear(), allow)

    assert_untouched(device)


# The burner as a program.


def run_burner(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workers.burner", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=DEADLINE)


def test_a_burner_without_a_plan_is_not_begun(tmp_path: Path) -> None:
    assert run_burner().returncode == NOT_BEGUN
    assert run_burner(str(tmp_path / "plan.json")).returncode == NOT_BEGUN
    (tmp_path / "plan.json").write_text("{}")
    assert run_burner(str(tmp_path / "plan.json")).returncode == NOT_BEGUN
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


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
