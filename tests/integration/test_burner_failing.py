"""Burns whose content, medium or drive fails."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import (
    DiscError,
    RecorderError,
    RecorderMissing,
    SessionNotClosed,
    SourceChanged,
    WriteFailed,
)
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.mastering.recorder import Bin
from tests.burning import (
    BLOCKS,
    HELD,
    MIDDLE,
    assert_spoiled,
    assert_untouched,
    burning,
    evidence_of,
    tray,
)
from tests.burns import Content, Ear, a_content, a_drive, allow, beside, sha256_of


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return a_content(tmp_path / "content", BLOCKS)


def test_a_source_that_changed_before_is_noticed_before_the_first_byte(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive")
    os.utime(content.source)

    with pytest.raises(SourceChanged) as failure:
        device.recorder.record(content.order(), Ear(), allow)

    assert failure.value.path == str(content.source)
    assert (evidence_of(content).wrote, evidence_of(content).ended) == (False, True)
    assert_untouched(device)


@pytest.mark.parametrize("how", ["missing", "link"])
def test_a_source_that_is_gone_is_named(tmp_path: Path, content: Content, how: str) -> None:
    device = a_drive(tmp_path / "drive")
    content.source.rename(tmp_path / "elsewhere")
    if how == "link":
        content.source.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SourceChanged) as failure:
        device.recorder.record(content.order(), Ear(), allow)

    assert failure.value.path == str(content.source)
    assert_untouched(device)


def test_a_source_that_changes_meanwhile_makes_a_closed_disc_that_failed(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with burning(device, content.order()) as burn:
        with content.source.open("r+b") as source:
            source.seek(-1, os.SEEK_END)
            source.write(b"!")
        with pytest.raises(SourceChanged) as failure:
            burn.end()

    assert failure.value.path == str(content.source)
    found = evidence_of(content)
    assert (found.bytes_fed, found.fed_all, found.closed) == (content.image.size, False, True)
    assert tray(device).status is MediumStatus.COMPLETE


def test_a_source_that_changes_and_keeps_its_time_is_found_by_its_content(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    stat = content.source.stat()
    with burning(device, content.order()) as burn:
        with content.source.open("r+b") as source:
            source.seek(-1, os.SEEK_END)
            source.write(b"!")
        os.utime(content.source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(SourceChanged, match="has other content"):
            burn.end()


def test_a_source_that_shrinks_meanwhile_cuts_the_burn(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", HELD)
    with burning(device, content.order()) as burn:
        os.truncate(content.source, 2 << 20)
        with pytest.raises(SourceChanged, match="became shorter"):
            burn.end()

    assert not evidence_of(content).closed
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
    assert (found.failure.code, found.failure.block) == ("DISCMILL_E_WRITE", 701)
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

    with pytest.raises(SessionNotClosed, match="close"):
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
