"""Drives with bad moods: each ends in the error that names it, and in nothing else."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import DiscError
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.mastering.recorder import Bin
from tests.burning import MIDDLE, assert_spoiled, assert_untouched, evidence_of, tray
from tests.burns import Content, Ear, a_content, a_drive, allow, beside, sha256_of


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return a_content(tmp_path / "content", 1000)


BEFORE = {
    "fault=init-error": "IMAPI_E_INITIALIZE_WRITE",
    "fault=info-error": "IMAPI_E_DISCINFO",
    "fault=mounted": "IMAPI_E_FILESYSTEM",
    "writes=cd-r,cd-rw": "IMAPI_E_DEVICE_INVALIDTYPE",
}


@pytest.mark.parametrize("mood", BEFORE)
def test_what_goes_wrong_before_the_first_block_leaves_the_medium_untouched(
    tmp_path: Path, content: Content, mood: str
) -> None:
    device = a_drive(tmp_path / "drive", f"?{mood}&feed=dvd-r")

    with pytest.raises(DiscError) as failure:
        device.recorder.record(content.order(), Ear(), allow)

    assert failure.value.code == BEFORE[mood]
    assert not evidence_of(content).wrote
    beside(device).clear_faults()
    assert_untouched(device)


AFTER = {
    f"write-error@{MIDDLE}": "DISCMILL_E_WRITE",
    f"stream-loss@{MIDDLE}": "IMAPI_E_LOSS_OF_STREAMING",
    f"unplug@{MIDDLE}": "IMAPI_E_DEVICE_NOTPRESENT",
    "close-error": "IMAPI_E_INITIALIZE_ENDWRITE",
}


@pytest.mark.parametrize("mood", AFTER)
@pytest.mark.parametrize("disc", [1, 2])
def test_what_goes_wrong_later_spoils_the_disc_it_is_meant_for(
    tmp_path: Path, content: Content, mood: str, disc: int
) -> None:
    device = a_drive(tmp_path / "drive", f"?fault={mood}:disc{disc}")
    if disc == 2:
        device.recorder.record(content.order("good"), Ear(), allow)
        device.loader.unload(Bin.ACCEPT, "good")
        device.loader.load(MediumKind.DVD_R)

    with pytest.raises(DiscError) as failure:
        device.recorder.record(content.order(), Ear(), allow)

    assert failure.value.code == AFTER[mood]
    assert (evidence_of(content).wrote, evidence_of(content).closed) == (True, False)
    beside(device).replug()
    path = assert_spoiled(device)
    assert path.stat().st_size == (1000 if mood == "close-error" else MIDDLE) * 2048


def test_a_drive_that_is_kept_waiting_pauses_and_goes_on(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", f"?fault=starve@{MIDDLE};starve@0;starve@999")

    device.recorder.record(content.order(), Ear(), allow)

    assert evidence_of(content).closed
    path = device.loader.unload(Bin.ACCEPT, "good")
    assert path is not None
    assert sha256_of(path) == content.sha256
    log = [json.loads(line) for line in path.with_name("good.writes.jsonl").read_text().splitlines()]
    assert [line["before"] for line in log if line["event"] == "paused"] == [0, MIDDLE, 999]


@pytest.mark.parametrize(("options", "guarded"), [("&underrun=no", True), ("", False), ("&underrun=no", False)])
def test_a_drive_that_is_kept_waiting_unguarded_loses_the_stream(
    tmp_path: Path, content: Content, options: str, *, guarded: bool
) -> None:
    device = a_drive(tmp_path / "drive", f"?fault=starve@{MIDDLE}{options}")

    with pytest.raises(DiscError) as failure:
        device.recorder.record(replace(content.order(), guard_underrun=guarded), Ear(), allow)

    assert failure.value.code == "IMAPI_E_LOSS_OF_STREAMING"
    assert_spoiled(device)


def test_an_unguarded_drive_that_is_not_kept_waiting_burns_well(tmp_path: Path, content: Content) -> None:
    device = a_drive(tmp_path / "drive", "?underrun=no")

    device.recorder.record(replace(content.order(), guard_underrun=False), Ear(), allow)

    assert evidence_of(content).closed


def test_a_medium_the_drive_can_not_write_is_seen_all_the_same(tmp_path: Path) -> None:
    device = a_drive(tmp_path / "drive", "?writes=cd-r&feed=bd-r", MediumKind.BD_R)

    assert (tray(device).kind, tray(device).status) == (MediumKind.BD_R, MediumStatus.BLANK)


def test_a_simulated_burn_meets_the_moods_and_keeps_the_medium(tmp_path: Path, content: Content) -> None:
    for mood in (f"stream-loss@{MIDDLE}", "close-error", "init-error"):
        device = a_drive(tmp_path / mood, f"?fault={mood}")

        with pytest.raises(DiscError) as failure:
            device.recorder.record(content.order(mood, simulate=True), Ear(), allow)

        assert failure.value.code in {"IMAPI_E_INITIALIZE_WRITE", *AFTER.values()}
        assert_untouched(device)
