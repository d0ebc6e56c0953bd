"""Audio discs on emulated drives: burnt, told of, read back with an offset, put on the shelf."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import (
    InvalidImage,
    MediumDiffers,
    MediumError,
    MediumNotWritable,
    MediumUnsuitable,
    RecorderUnsuitable,
    WriteFailed,
)
from jobs.mastering.audio_verification import compare_audio
from jobs.mastering.checksums import take_checksums
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.mastering.programme import Programme, Track
from jobs.mastering.recorder import Bin
from tests.burning import assert_spoiled, assert_untouched, bytes_on, evidence_of, pid_of_burner, tray
from tests.burns import ALBUM, Content, Ear, a_content, a_drive, allow, an_album, beside, eventually, sha256_of
from workers.evidence import read_plan
from workers.recorders import open_device
from workers.recorders.burn_process import wait_for_burner

ROOT = Path(__file__).parents[2]


@pytest.fixture
def album(tmp_path: Path) -> Content:
    return an_album(tmp_path / "album")


def samples_of(content: Content) -> bytes:
    """Return the image's bytes, read without a disc."""
    source = content.source.read_bytes()
    return b"CD1".ljust(5 * 2352, b"\0") + source.ljust(content.image.size - 5 * 2352, b"\0")


@pytest.mark.parametrize("kind", [MediumKind.CD_R, MediumKind.CD_RW])
def test_an_audio_disc_is_told_and_read_as_it_was_ordered(tmp_path: Path, album: Content, kind: MediumKind) -> None:
    device = a_drive(tmp_path / "drive", kind=kind)

    device.recorder.record(album.order(), Ear(), allow)

    assert (tray(device).status, tray(device).sessions, tray(device).tracks) == (MediumStatus.COMPLETE, 1, 2)
    assert device.recorder.read_programme() == ALBUM
    assert b"".join(device.recorder.read_back(album.image.size)) == samples_of(album)
    found = evidence_of(album)
    assert (found.fed_all, found.closed, found.ended) == (True, True, True)
    with pytest.raises(MediumDiffers):
        device.recorder.read_blocks(0, 1)


def test_an_audio_disc_on_the_shelf_is_samples_and_a_cue_sheet(tmp_path: Path, album: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)
    device.recorder.record(album.order(), Ear(), allow)

    path = device.loader.unload(Bin.ACCEPT, 'Caf\u00e9 "del Mar"')

    assert path == tmp_path / "drive" / "shelf" / "accept" / "Caf\u00e9 _del Mar_.bin"
    assert sha256_of(path) == album.sha256
    sheet = path.with_suffix(".cue").read_bytes()
    assert b"CATALOG 0724354526824" in sheet
    assert "Zweites, sch\u00f6n".encode("iso-8859-1") in sheet
    assert path.name.encode() in sheet
    side = json.loads(path.with_suffix(".json").read_text())
    assert Programme.read(json.dumps(side["programme"])) == ALBUM
    assert [(track["kind"], track["start"]) for track in side["toc"]] == [("audio", 0), ("audio", 450)]
    assert [(session["first"], session["last"]) for session in side["sessions"]] == [(0, 899)]


@pytest.mark.parametrize("offset", [30, -30, 588, -588, 700, 2000])
def test_samples_come_as_late_as_the_drives_offset_says(tmp_path: Path, album: Content, offset: int) -> None:
    device = a_drive(tmp_path / "drive", f"?offset={offset:+d}", MediumKind.CD_R)
    device.recorder.record(album.order(), Ear(), allow)
    whole, late = samples_of(album), offset * 4

    found = b"".join(device.recorder.read_back(len(whole)))

    wanted = bytes(late) + whole[:-late] if late > 0 else whole[-late:] + bytes(-late)
    assert found == wanted
    path = device.loader.unload(Bin.ACCEPT, "disc")
    assert path is not None
    assert sha256_of(path) == album.sha256


@pytest.mark.parametrize(("fault", "equal"), [("", True), ("&fault=flip@450", False)])
@pytest.mark.parametrize("offset", [0, 30, -700])
def test_a_verification_finds_the_offset_and_any_other_change(
    tmp_path: Path, album: Content, offset: int, fault: str, *, equal: bool
) -> None:
    device = a_drive(tmp_path / "drive", f"?offset={offset:+d}{fault}", MediumKind.CD_R)
    take_checksums(album.image).save(album.folder / "checksums.bin")
    device.recorder.record(album.order(), Ear(), allow)

    found = compare_audio(lambda: device.recorder.read_back(album.image.size), StoredMaster(album.folder), Ear())

    assert found.equal == equal


def test_an_offset_is_none_of_datas_business(tmp_path: Path) -> None:
    content = a_content(tmp_path / "content")
    device = a_drive(tmp_path / "drive", "?offset=+30", MediumKind.CD_R)
    device.recorder.record(content.order(), Ear(), allow)

    assert b"".join(device.recorder.read_back(3)) == b"CD1"


@pytest.mark.parametrize(
    ("kind", "status", "refusal"),
    [
        ("dvd-r", MediumStatus.BLANK, MediumUnsuitable),
        ("bd-re", MediumStatus.BLANK, MediumUnsuitable),
        ("cd-r", MediumStatus.COMPLETE, MediumNotWritable),
        ("cd-rw", MediumStatus.APPENDABLE, MediumUnsuitable),
    ],
)
def test_audio_goes_on_a_blank_cd_alone(
    tmp_path: Path, album: Content, kind: str, status: MediumStatus, refusal: type[MediumError]
) -> None:
    device = open_device(f"emulated:{tmp_path / 'drive'}")
    beside(device).insert(kind, status)
    before = tray(device)

    with pytest.raises(MediumError) as error:
        device.recorder.record(replace(album.order(), start=before.next_writable), Ear(), allow)

    assert type(error.value) is refusal
    assert tray(device) == before
    assert not evidence_of(album).started


def test_a_cd_with_other_sessions_takes_audio_after_blanking(tmp_path: Path, album: Content) -> None:
    device = open_device(f"emulated:{tmp_path / 'drive'}")
    beside(device).insert("cd-rw", MediumStatus.APPENDABLE)

    device.recorder.blank(Ear())
    device.recorder.record(album.order(), Ear(), allow)

    assert device.recorder.read_programme() == ALBUM


def test_nothing_follows_audio(tmp_path: Path, album: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)
    device.recorder.record(replace(album.order("one"), leave_open=True), Ear(), allow)
    assert (tray(device).status, tray(device).next_writable) == (MediumStatus.APPENDABLE, 900 + 11_400)

    for name, content in (("two", album), ("three", a_content(tmp_path / "content"))):
        with pytest.raises(MediumUnsuitable):
            device.recorder.record(replace(content.order(name), start=12_300), Ear(), allow)


def test_a_drive_for_data_alone_refuses_audio(tmp_path: Path, album: Content) -> None:
    device = a_drive(tmp_path / "drive", "?audio=no", MediumKind.CD_R)

    with pytest.raises(RecorderUnsuitable):
        device.recorder.record(album.order(), Ear(), allow)

    assert_untouched(device)


ODD = {
    "4": Programme((Track(900 - 299), Track(299))),
    "900 blocks": Programme((Track(600),)),
    "CD-TEXT": replace(ALBUM, text=replace(ALBUM.text, title="\u0416")),
    "without a programme": None,
}


@pytest.mark.parametrize("hint", ODD)
def test_what_is_no_audio_disc_is_refused_before_anything_else(tmp_path: Path, album: Content, hint: str) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)
    ear = Ear()

    with pytest.raises(InvalidImage, match=hint if hint != "900 blocks" else "600 blocks"):
        device.recorder.record(replace(album.order(), programme=ODD[hint]), ear, allow)

    assert ear.events == []
    assert_untouched(device)


def test_a_cut_audio_disc_tells_nothing(tmp_path: Path, album: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=write-error@500", MediumKind.CD_R)

    with pytest.raises(WriteFailed):
        device.recorder.record(album.order(), Ear(), allow)

    with pytest.raises(MediumDiffers):
        device.recorder.read_programme()
    path = assert_spoiled(device)
    assert (path.suffix, path.stat().st_size) == (".bin", 500 * 2352)
    assert not path.with_suffix(".cue").exists()


def test_the_plan_says_all_that_a_recovery_has_to_know(tmp_path: Path, album: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)
    order = replace(album.order(), leave_open=True, guard_underrun=False)
    device.recorder.record(order, Ear(), allow)

    plan = read_plan(order.evidence / "plan.json")

    assert Programme.read(plan.programme) == ALBUM
    assert (plan.start, plan.leave_open, plan.guard_underrun, plan.blocks) == (0, True, False, 900)


def test_a_simulated_audio_burn_writes_nothing(tmp_path: Path, album: Content) -> None:
    device = a_drive(tmp_path / "drive", kind=MediumKind.CD_R)

    device.recorder.record(album.order(simulate=True), Ear(), allow)

    assert evidence_of(album).fed_all
    assert_untouched(device)


def test_an_audio_burn_outlives_its_worker(tmp_path: Path, album: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=stall@500", MediumKind.CD_R)
    command = [sys.executable, "-m", "tests.burn_alone", album.folder, album.evidence, device.recorder.uri]
    with subprocess.Popen(list(map(str, command)), cwd=ROOT) as worker:
        eventually(lambda: bytes_on(device) >= 500 * 2352, "the burn reaches block 500")
        os.kill(worker.pid, signal.SIGKILL)

    wait_for_burner(device.recorder, beside(device).clear_faults, every=0.05)

    found = evidence_of(album)
    assert (found.fed_all, found.closed, found.ended) == (True, True, True)
    assert device.recorder.read_programme() == ALBUM
    assert b"".join(device.recorder.read_back(album.image.size)) == samples_of(album)


def test_a_killed_audio_burner_leaves_a_spoiled_disc(tmp_path: Path, album: Content) -> None:
    device = a_drive(tmp_path / "drive", "?fault=stall@500", MediumKind.CD_R)

    def kill(_: object) -> None:
        if bytes_on(device) >= 500 * 2352:
            os.kill(pid_of_burner(album.evidence / "burn"), signal.SIGKILL)

    with pytest.raises(WriteFailed, match="SIGKILL"):
        device.recorder.record(album.order(), Ear(on_event=kill), allow)

    found = evidence_of(album)
    assert (found.wrote, found.fed_all, found.closed, found.ended) == (True, False, False, False)
    assert_spoiled(device)
