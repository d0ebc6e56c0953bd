"""The emulated drive from outside: discs in and out, the feeder, the shelf, the plug."""

import json
from pathlib import Path

import pytest

from jobs.errors import (
    DiscUnreadable,
    Faults,
    MediumDiffers,
    MediumMissing,
    NotAllowed,
    OrderError,
    RecorderBusy,
    RecorderError,
    RecorderMissing,
)
from jobs.mastering.inspection import iso_entries
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.mastering.recorder import Bin, Device, RecorderFeatures
from models.vocabulary import DiscFormat
from tests.burns import Ear, a_content, a_drive, allow, beside
from workers.evidence import read_evidence
from workers.locks import FileLock
from workers.recorders import open_device
from workers.recorders.burn_watch import Patience
from workers.recorders.emulated import EmulatedRecorder
from workers.recorders.emulated_drive import EmulatedDrive
from workers.recorders.emulated_state import Leaving
from workers.recorders.emulated_uri import parse_uri


def empty_drive(folder: Path, options: str = "") -> Device:
    return open_device(f"emulated:{folder}{options}")


def tray(device: Device) -> MediumInfo:
    medium = device.recorder.probe()
    assert medium is not None
    return medium


def test_a_drive_keeps_its_identity(tmp_path: Path) -> None:
    first = empty_drive(tmp_path / "a").recorder.identify()

    assert empty_drive(tmp_path / "a").recorder.identify() == first
    assert (first.vendor, first.product) == ("DISCMILL", "EMULATED DRIVE")
    assert empty_drive(tmp_path / "b").recorder.identify().device_id != first.device_id


def test_a_new_drive_is_empty(tmp_path: Path) -> None:
    device = empty_drive(tmp_path)

    assert device.recorder.probe() is None
    with pytest.raises(MediumMissing):
        device.loader.unload(Bin.ACCEPT, "nothing")
    with pytest.raises(MediumMissing):
        device.recorder.read_back(2048)
    with pytest.raises(MediumMissing):
        device.recorder.blank(Ear())
    device.recorder.eject()


@pytest.mark.parametrize("kind", MediumKind)
def test_the_feeder_brings_blanks_of_every_kind(tmp_path: Path, kind: MediumKind) -> None:
    medium = tray(a_drive(tmp_path, kind=kind))

    overwritable = kind in {MediumKind.DVD_PLUS_RW, MediumKind.BD_RE}
    assert medium.kind is kind
    assert medium.status is (MediumStatus.OVERWRITABLE if overwritable else MediumStatus.BLANK)
    assert (medium.capacity, medium.free_blocks) == (kind.capacity, kind.capacity)
    assert (medium.used, medium.sessions, medium.next_writable, medium.disc_id) == (False, 0, 0, "")


def test_each_load_has_an_identity_of_its_own(tmp_path: Path) -> None:
    device = a_drive(tmp_path)
    first = tray(device).load
    assert tray(empty_drive(tmp_path)).load == first

    device.loader.load(MediumKind.DVD_R)

    assert tray(device).load != first


def test_an_untouched_medium_goes_back_to_the_feeder(tmp_path: Path) -> None:
    device = empty_drive(tmp_path, "?feed=cd-r*1,dvd-r*1")
    device.loader.load(MediumKind.CD_R)
    assert device.loader.stock() == [MediumKind.DVD_R]

    device.loader.load(MediumKind.DVD_R)
    assert device.loader.stock() == [MediumKind.CD_R]
    assert device.loader.unload(Bin.ACCEPT, "blank") is None

    assert device.loader.stock() == [MediumKind.CD_R, MediumKind.DVD_R]
    assert device.recorder.probe() is None
    assert list((tmp_path / "media").iterdir()) == []


def test_the_last_blank_can_be_changed_for_itself(tmp_path: Path) -> None:
    device = empty_drive(tmp_path, "?feed=cd-r*1")
    device.loader.load(MediumKind.CD_R)
    device.loader.load(MediumKind.CD_R)

    assert tray(device).kind is MediumKind.CD_R


def test_a_feeder_runs_out_and_stays_so_when_opened_again(tmp_path: Path) -> None:
    device = empty_drive(tmp_path, "?feed=cd-r*1")
    device.loader.load(MediumKind.CD_R)
    (beside(device).folder.medium(beside(device).folder.read().medium or "").path / "writes.jsonl").touch()
    device.loader.unload(Bin.REJECT, "written")

    again = empty_drive(tmp_path, "?feed=cd-r*1")

    assert again.loader.stock() == []
    with pytest.raises(MediumMissing, match="no cd-r left"):
        again.loader.load(MediumKind.CD_R)
    assert empty_drive(tmp_path, "?feed=cd-r*2").loader.stock() == [MediumKind.CD_R]


def test_a_written_disc_is_not_pushed_out_by_a_load(tmp_path: Path) -> None:
    device = empty_drive(tmp_path)
    beside(device).insert("dvd-r", MediumStatus.COMPLETE)

    with pytest.raises(RecorderError, match="unload it first"):
        device.loader.load(MediumKind.DVD_R)

    assert tray(device).used


def test_what_an_operator_inserts_and_removes_untouched_is_gone(tmp_path: Path) -> None:
    device = empty_drive(tmp_path, "?feed=none")
    beside(device).insert("bd-re")
    assert tray(device).kind is MediumKind.BD_RE

    assert beside(device).remove() is None

    assert device.recorder.probe() is None
    assert device.loader.stock() == []


def test_a_tray_takes_one_disc_of_a_kind_there_is(tmp_path: Path) -> None:
    drive = beside(a_drive(tmp_path))

    with pytest.raises(NotAllowed):
        drive.insert("dvd-r")
    with pytest.raises(OrderError, match="cd-r, cd-rw"):
        drive.insert("floppy")


@pytest.mark.parametrize(
    ("kind", "asked", "status"),
    [
        ("dvd-r", MediumStatus.COMPLETE, MediumStatus.COMPLETE),
        ("dvd-r", MediumStatus.APPENDABLE, MediumStatus.APPENDABLE),
        ("dvd+rw", MediumStatus.COMPLETE, MediumStatus.OVERWRITABLE),
        ("dvd-rw", MediumStatus.COMPLETE, MediumStatus.COMPLETE),
    ],
)
def test_used_discs_can_be_inserted(tmp_path: Path, kind: str, asked: MediumStatus, status: MediumStatus) -> None:
    device = empty_drive(tmp_path)
    beside(device).insert(kind, asked)

    medium = tray(device)

    assert (medium.status, medium.used, medium.sessions, medium.tracks) == (status, True, 1, 1)
    assert b"CD001" in device.recorder.read_blocks(16, 1)


def test_a_used_disc_leaves_for_the_shelf_with_a_side_file(tmp_path: Path) -> None:
    device = empty_drive(tmp_path)
    beside(device).insert("dvd-r", MediumStatus.COMPLETE)

    path = device.loader.unload(Bin.REJECT, "not/blank")

    assert path == tmp_path / "shelf" / "reject" / "not_blank.iso"
    side = json.loads(path.with_suffix(".json").read_text())
    assert (side["kind"], side["status"], side["label"], side["bin"]) == ("dvd-r", "complete", "not/blank", "reject")
    assert [session["last"] + 1 for session in side["sessions"]] == [path.stat().st_size // 2048]
    assert (side["toc"], side["programme"]) == ([{"session": 1, "kind": "data", "start": 0}], None)
    assert side["medium_id"]


def test_no_file_on_the_shelf_is_written_over(tmp_path: Path) -> None:
    device = empty_drive(tmp_path)
    (tmp_path / "shelf" / "accept").mkdir(parents=True)
    (tmp_path / "shelf" / "accept" / "disc-2.json").write_text("somebody's")
    paths = []
    for _ in range(3):
        beside(device).insert("cd-r", MediumStatus.COMPLETE)
        paths.append(device.loader.unload(Bin.ACCEPT, "disc"))

    assert [path.name for path in paths if path] == ["disc.iso", "disc-3.iso", "disc-4.iso"]
    assert (tmp_path / "shelf" / "accept" / "disc-2.json").read_text() == "somebody's"


@pytest.mark.parametrize("label", ["", "...", "\0", "x" * 300, "\N{SNOWMAN}" * 100, "caf\udce9"])
def test_any_label_makes_a_name(tmp_path: Path, label: str) -> None:
    device = empty_drive(tmp_path)
    beside(device).insert("cd-r", MediumStatus.COMPLETE)

    path = device.loader.unload(Bin.ACCEPT, label)

    assert path is not None
    assert path.is_file()


def test_a_disc_whose_unloading_was_cut_short_still_reaches_the_shelf(tmp_path: Path) -> None:
    drive = beside(empty_drive(tmp_path))
    drive.insert("cd-r", MediumStatus.COMPLETE)
    state = drive.folder.read()
    data = drive.folder.medium(state.medium or "").data
    (tmp_path / "shelf").mkdir()
    target = tmp_path / "shelf" / "disc.iso"
    state.leaving, state.medium = Leaving(state.medium or "", [(str(data), str(target))]), None
    drive.folder._save(state)

    assert drive.status()["medium"] is None

    assert target.is_file()
    assert list((tmp_path / "media").iterdir()) == []


def test_an_unplugged_drive_does_nothing(tmp_path: Path) -> None:
    device = a_drive(tmp_path / "drive")
    load = tray(device).load
    beside(device).unplug()

    for use in (
        device.recorder.identify,
        device.recorder.probe,
        device.recorder.eject,
        lambda: device.recorder.blank(Ear()),
        lambda: device.recorder.read_back(2048),
        lambda: device.recorder.record(a_content(tmp_path / "content").order(), Ear(), allow),
        lambda: device.loader.load(MediumKind.DVD_R),
        lambda: device.loader.unload(Bin.ACCEPT, "disc"),
        lambda: beside(device).insert("cd-r"),
    ):
        with pytest.raises(RecorderMissing):
            use()
    beside(device).replug()

    assert tray(device).load != load
    assert beside(device).status()["discs"] == 1


def test_a_folder_without_a_drive_is_no_drive(tmp_path: Path) -> None:
    for use in (
        EmulatedDrive(tmp_path).status,
        EmulatedDrive(tmp_path / "none").status,
        EmulatedDrive(tmp_path).remove,
    ):
        with pytest.raises(RecorderMissing):
            use()
    assert not (tmp_path / "none").exists()


def test_a_drive_in_use_is_left_alone(tmp_path: Path) -> None:
    device = a_drive(tmp_path)
    drive = EmulatedDrive(tmp_path, access=0.0)
    with FileLock(device.recorder.locks / "drive"):
        for use in (drive.remove, drive.hold, lambda: drive.bring(MediumKind.CD_R), lambda: drive.insert("cd-r")):
            with pytest.raises(RecorderBusy):
                use()
        with pytest.raises(RecorderBusy):
            device.recorder.read_back(2048)
        assert beside(device).status()["busy"]
        assert device.recorder.probe() is not None
    assert not beside(device).status()["busy"]


def test_the_feeders_faults(tmp_path: Path) -> None:
    faults = "wrong-medium:disc1;dirty-medium:disc2;no-medium:disc3"
    device = empty_drive(tmp_path, f"?feed=dvd-r*5,cd-r*5&fault={faults}")

    device.loader.load(MediumKind.DVD_R)
    assert (tray(device).kind, tray(device).used) == (MediumKind.CD_R, False)
    device.loader.load(MediumKind.DVD_R)
    assert (tray(device).kind, tray(device).used) == (MediumKind.DVD_R, True)
    device.loader.unload(Bin.REJECT, "dirty")
    device.loader.load(MediumKind.DVD_R)
    assert device.recorder.probe() is None
    device.loader.load(MediumKind.DVD_R)
    assert (tray(device).kind, tray(device).used) == (MediumKind.DVD_R, False)
    assert beside(device).status()["feeder"] == {"dvd-r": 2, "cd-r": 6}


def test_an_empty_feeder_is_empty_until_the_fault_is_cleared(tmp_path: Path) -> None:
    device = empty_drive(tmp_path, "?fault=feeder-empty")
    assert device.loader.stock() == []
    with pytest.raises(MediumMissing):
        device.loader.load(MediumKind.CD_R)

    beside(device).clear_faults()

    assert len(device.loader.stock()) == len(MediumKind)
    assert len(empty_drive(tmp_path, "?fault=feeder-empty").loader.stock()) == len(MediumKind)


def test_reading_meets_its_faults(tmp_path: Path) -> None:
    device = empty_drive(tmp_path)
    beside(device).insert("cd-r", MediumStatus.COMPLETE)
    clean = b"".join(device.recorder.read_back(32 * 2048))

    beside(device).add_fault("read-flip@3")
    flipped = b"".join(device.recorder.read_back(32 * 2048))
    assert [n // 2048 for n, (a, b) in enumerate(zip(clean, flipped, strict=True)) if a != b] == [3]

    beside(device).add_fault("read-error@20:disc1")
    pieces = device.recorder.read_back(32 * 2048)
    assert len(next(pieces)) == 20 * 2048
    with pytest.raises(MediumDiffers, match="block 20"):
        next(pieces)

    beside(device).clear_faults()
    assert b"".join(device.recorder.read_back(32 * 2048)) == clean
    with pytest.raises(MediumDiffers, match="block 300"):
        list(device.recorder.read_back(301 * 2048))


def test_reading_ends_when_the_disc_or_the_drive_is_taken_away(tmp_path: Path) -> None:
    device = empty_drive(tmp_path, "?speed=1x")
    for take_away, error in ((EmulatedDrive.remove, MediumMissing), (EmulatedDrive.unplug, RecorderMissing)):
        beside(device).insert("cd-r", MediumStatus.COMPLETE)
        pieces = device.recorder.read_back(32 * 2048)
        next(pieces)
        take_away(beside(device))
        with pytest.raises(error):
            list(pieces)


def test_a_drive_that_can_not_say_what_it_holds_says_that(tmp_path: Path) -> None:
    device = a_drive(tmp_path, "?fault=info-error:disc1")

    with pytest.raises(DiscUnreadable) as failure:
        device.recorder.probe()

    assert failure.value.code == "IMAPI_E_DISCINFO"
    assert device.loader.unload(Bin.REJECT, "odd") is None
    device.loader.load(MediumKind.DVD_R)
    assert tray(device).kind is MediumKind.DVD_R


def test_a_drive_is_held_for_its_holder_alone(tmp_path: Path) -> None:
    device, drive = a_drive(tmp_path / "drive", kind=MediumKind.DVD_RW), EmulatedDrive(tmp_path / "drive", access=0.0)
    other = EmulatedRecorder(parse_uri(device.recorder.uri), drive, Patience())
    content = a_content(tmp_path / "content")

    hold = device.recorder.hold()

    for use in (
        other.hold,
        device.recorder.hold,
        lambda: other.record(content.order(), Ear(), allow),
        other.eject,
        lambda: other.blank(Ear()),
        lambda: other.read_back(2048),
        lambda: other.read_blocks(0, 1),
        other.read_programme,
    ):
        with pytest.raises(RecorderBusy) as refusal:
            use()
        assert refusal.value.code == "IMAPI_E_DEVICE_STILL_IN_USE"
    assert not read_evidence(content.evidence / "burn").started
    device.recorder.blank(Ear())
    device.recorder.eject()
    hold.close()
    again = device.recorder.hold()
    hold.close()
    with pytest.raises(RecorderBusy):
        other.hold()
    again.close()
    other.hold().close()


def test_what_a_recorder_can_do_is_what_its_uri_leaves_it(tmp_path: Path) -> None:
    whole = empty_drive(tmp_path / "a").recorder.features()
    assert whole == RecorderFeatures(frozenset(MediumKind), frozenset(DiscFormat))

    less = empty_drive(tmp_path / "b", "?writes=cd-r&audio=no&max=16x&underrun=no&properties=no").recorder.features()
    assert (less.kinds, less.max_speed) == (frozenset({MediumKind.CD_R}), 16.0)
    assert less.formats == {DiscFormat.JOLIET, DiscFormat.IMAGE}
    assert (less.underrun_free, less.has_properties) == (False, False)

    no_cd = empty_drive(tmp_path / "c", "?writes=dvd-r").recorder.features()
    assert DiscFormat.REDBOOK not in no_cd.formats


@pytest.mark.parametrize("kind", ["cd-r", "cd-rw", "dvd-r", "dvd+r", "bd-r", "dvd+rw"])
@pytest.mark.parametrize("status", [MediumStatus.APPENDABLE, MediumStatus.COMPLETE])
def test_a_used_disc_holds_files(tmp_path: Path, kind: str, status: MediumStatus) -> None:
    device = empty_drive(tmp_path)
    beside(device).insert(kind, status)

    path = device.loader.unload(Bin.REJECT, "used")

    assert path is not None
    found = {entry.path: entry.size for entry in iso_entries(path)}
    assert found == {"READ ME.txt": 50, "old/data.bin": 20_480}


def test_a_disc_can_be_made_of_an_image(tmp_path: Path) -> None:
    device = empty_drive(tmp_path / "drive")
    image = tmp_path / "image.iso"
    image.write_bytes(b"mine" * 512 * 40)
    beside(device).insert("cd-r", MediumStatus.APPENDABLE, image)

    assert device.recorder.read_blocks(0, 100) == image.read_bytes()
    assert (tray(device).last_session, tray(device).next_writable) == (0, 40 + 11_400)


def test_an_image_that_can_not_be_on_a_disc_leaves_the_tray_empty(tmp_path: Path) -> None:
    device = empty_drive(tmp_path / "drive")
    odd, whole = tmp_path / "odd.iso", tmp_path / "whole.iso"
    odd.write_bytes(b"odd")
    whole.write_bytes(bytes(2048))
    for status, image, hint in (
        (MediumStatus.COMPLETE, odd, "whole blocks"),
        (MediumStatus.COMPLETE, tmp_path / "missing.iso", "can't be read"),
        (MediumStatus.COMPLETE, tmp_path, "can't be read|whole blocks"),
        (MediumStatus.BLANK, whole, "say appendable or complete"),
    ):
        with pytest.raises(OrderError, match=hint):
            beside(device).insert("cd-r", status, image)
        assert device.recorder.probe() is None
    assert list((tmp_path / "drive" / "media").glob("*")) == []


def test_a_medium_of_an_earlier_version_is_known(tmp_path: Path) -> None:
    device = empty_drive(tmp_path)
    beside(device).insert("cd-r", MediumStatus.COMPLETE)
    path = beside(device).folder.medium(beside(device).folder.read().medium or "").path / "medium.json"
    facts = json.loads(path.read_text())
    del facts["remains"], facts["sessions"][0]["programme"]
    facts["next_offset"] = facts["sessions"][0]["offset"] = 0
    path.write_text(json.dumps(facts))

    assert (tray(device).status, tray(device).sessions) == (MediumStatus.COMPLETE, 1)


def test_a_fault_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    drive = beside(empty_drive(tmp_path))

    with pytest.raises(Faults):
        drive.add_fault("smoke@7")

    assert drive.status()["faults"] == []


def test_the_status_is_json(tmp_path: Path) -> None:
    device = a_drive(tmp_path, "?fault=close-error:disc9")

    status = json.loads(json.dumps(beside(device).status()))

    assert status["medium"]["kind"] == "dvd-r"
    assert (status["plugged"], status["busy"], status["faults"]) == (True, False, ["close-error:disc9"])
