"""Burns with real burner processes on emulated drives: those that go well, and those that are refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import (
    BurnCancelled,
    DiscError,
    MediumMissing,
    MediumNotWritable,
    NotPermitted,
    RecorderBusy,
    RecorderMissing,
    WriteFailed,
)
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.mastering.progress import ClosingDisc
from jobs.mastering.recorder import Bin, BurnOrder, Device
from tests.burning import (
    BLOCKS,
    HELD,
    assert_untouched,
    burning,
    evidence_of,
    tray,
    writes_of,
)
from tests.burns import Content, Ear, a_content, a_drive, allow, beside, sha256_of
from workers.evidence import Evidence, read_evidence, read_plan
from workers.locks import drive_is_free
from workers.recorders import open_device
from workers.recorders.emulated_drive import EmulatedDrive


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return a_content(tmp_path / "content", BLOCKS)


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
    tmp_path: Path, options: str, asked: float | None, rate: float | None
) -> None:
    order = a_content(tmp_path / "content", 100).order(simulate=True, speed=asked)

    a_drive(tmp_path / "drive", options).recorder.record(order, Ear(), allow)

    assert read_plan(order.evidence / "plan.json").sink["rate"] == rate


def test_a_listener_that_fails_does_not_hurt_the_burn(tmp_path: Path, content: Content) -> None:
    def fail(_: object = None) -> bool:
        raise RuntimeError("a listener's own trouble")

    device = a_drive(tmp_path / "drive")

    device.recorder.record(content.order(), Ear(cancel=fail, on_event=fail), allow)

    assert evidence_of(content).closed


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
            EmulatedDrive(tmp_path / "drive", access=0.0).remove()
        burn.end()

    assert evidence_of(content, "one").closed
    assert evidence_of(content, "two") == Evidence()
