"""Rows 14 to 24, 54, 55, 65 and 67: the recorder as a program sees it."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import (
    BadProperty,
    BurnCancelled,
    LossOfStreaming,
    MediumMissing,
    MediumUnsuitable,
    NoProperties,
    NotHeld,
    NotInitialized,
    PropertiesIgnored,
    RecorderBusy,
    RecorderMissing,
    RecorderNotAccessible,
    RecorderUnsuitable,
)
from jobs.mastering.handle import RecorderHandle, RecorderState, RecorderType
from jobs.mastering.master import DiscMaster, Listener
from jobs.mastering.media_facts import MediaFlag, MediaState, MediaType, PhysicalType, media_facts
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.mastering.progress import EraseComplete, EraseProgress, PreparingBurn, ProgressEvent, RecordersChanged
from models.vocabulary import DiscFormat
from tests.burns import Ear, beside
from tests.mastering import a_device, add_track, audio_session, data_session, insert, on_disc, tray


def handles(master: DiscMaster, disc_format: DiscFormat = DiscFormat.JOLIET) -> list[RecorderHandle]:
    master.set_format(disc_format)
    return list(master.recorders())


def test_row_14_an_unplugged_recorder_says_so_and_listeners_hear_of_it(tmp_path: Path) -> None:
    device, ear = a_device(tmp_path), Ear()
    with data_session(device) as (master, content):
        content.add_data({"a": b"1"})
        master.advise(ear)
        recorder = master.active_recorder()

        beside(device).unplug()

        for call in (recorder.identify, recorder.open_exclusive, recorder.query_media_info, master.record):
            with pytest.raises(RecorderMissing):
                call()
        assert ear.heard(RecordersChanged) == [RecordersChanged()]
        beside(device).replug()
        assert master.recorders() == (recorder,)
        assert len(ear.heard(RecordersChanged)) == 2
        master.set_recorder(recorder)
        master.record()


def test_row_15_names_do_not_tell_equal_recorders_apart_but_paths_do(tmp_path: Path) -> None:
    one, other = a_device(tmp_path / "r1"), a_device(tmp_path / "r2")
    with DiscMaster([one.recorder, other.recorder]).open() as master:
        first, second = handles(master)

        assert (first.identify().vendor, first.identify().product) == ("DISCMILL", "EMULATED DRIVE")
        assert first.plug_and_play_id == second.plug_and_play_id == "VEN_DISCMILL&PROD_EMULATED_DRIVE&REV_1"
        assert first.path != second.path
        assert first.identify().device_id != second.identify().device_id
    with pytest.raises(NotInitialized):
        first.identify()
    with pytest.raises(NotInitialized):
        _ = first.state


def test_row_16_a_recorder_is_idle_then_open_then_idle_then_burning(tmp_path: Path) -> None:
    device, states = a_device(tmp_path), list[RecorderState]()
    with data_session(device) as (master, content):
        recorder = master.active_recorder()
        states.append(recorder.state)
        recorder.open_exclusive()
        states.append(recorder.state)
        recorder.close()
        content.add_data({"a": b"1"})

        def note(event: ProgressEvent) -> None:
            if isinstance(event, PreparingBurn):
                states.append(recorder.state)

        master.advise(Listener(note))
        master.record()
        states.append(recorder.state)

    assert states == [RecorderState.IDLE, RecorderState.OPENED, RecorderState.BURNING, RecorderState.IDLE]
    with DiscMaster([a_device(tmp_path / "cdr", options="&writes=cd-r").recorder, device.recorder]).open() as master:
        assert [each.type for each in handles(master)] == [RecorderType.CDR, RecorderType.CDRW]


@pytest.mark.parametrize(
    "call",
    [RecorderHandle.eject, RecorderHandle.erase, RecorderHandle.query_media_type, RecorderHandle.close],
    ids=lambda call: call.__name__,
)
def test_row_17_some_calls_need_the_recorder_opened_exclusively(
    tmp_path: Path, call: Callable[[RecorderHandle], object]
) -> None:
    with DiscMaster([a_device(tmp_path, MediumKind.CD_RW).recorder]).open() as master:
        (recorder,) = handles(master)

        with pytest.raises(NotHeld) as refusal:
            call(recorder)

        assert (refusal.value.code, refusal.value.value) == ("IMAPI_E_NOTOPENED", 0x8004020B)
        recorder.open_exclusive()
        call(recorder)


def test_row_18_a_recorder_held_exclusively_can_not_burn_and_what_is_staged_stays(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (master, content):
        content.add_data({"a": b"1"})
        used = content.used_blocks
        master.active_recorder().open_exclusive()

        with pytest.raises(RecorderNotAccessible):
            master.record()
        with pytest.raises(RecorderNotAccessible):
            master.active_recorder().open_exclusive()

        assert content.used_blocks == used
        master.active_recorder().close()
        master.record()


@pytest.mark.parametrize(
    ("kind", "status", "flags"),
    [
        (MediumKind.CD_R, MediumStatus.BLANK, MediaFlag.BLANK | MediaFlag.WRITABLE),
        (MediumKind.CD_RW, MediumStatus.BLANK, MediaFlag.BLANK | MediaFlag.WRITABLE | MediaFlag.REWRITABLE),
        (MediumKind.CD_R, MediumStatus.APPENDABLE, MediaFlag.WRITABLE),
        (MediumKind.CD_R, MediumStatus.COMPLETE, MediaFlag.FORMAT_UNUSABLE),
        (MediumKind.CD_RW, MediumStatus.COMPLETE, MediaFlag.REWRITABLE),
    ],
)
def test_row_19_what_a_disc_is_and_what_can_be_done_with_it(
    tmp_path: Path, kind: MediumKind, status: MediumStatus, flags: MediaFlag
) -> None:
    device = a_device(tmp_path, kind=None)
    with DiscMaster([device.recorder]).open() as master:
        (recorder,) = handles(master)
        recorder.open_exclusive()
        assert recorder.query_media_type().flags == MediaFlag(0)
        assert recorder.query_media_type().type is MediaType.NONE
        recorder.close()
        beside(device).insert(kind, status)
        recorder.open_exclusive()

        facts = recorder.query_media_type()

    assert (facts.type, facts.flags) == (MediaType.CDDA_CDROM, flags)


@pytest.mark.parametrize("status", [MediumStatus.BLANK, MediumStatus.APPENDABLE])
def test_row_20_what_is_written_and_what_is_free_make_the_whole_disc(tmp_path: Path, status: MediumStatus) -> None:
    device = a_device(tmp_path, kind=None)
    beside(device).insert(MediumKind.CD_R, status)
    with DiscMaster([device.recorder]).open() as master:
        (recorder,) = handles(master)

        info = recorder.query_media_info()

    assert info.next_writable + info.free_blocks == MediumKind.CD_R.capacity
    assert (info.sessions, info.last_track) == ((0, 0) if status is MediumStatus.BLANK else (1, 1))
    assert (info.next_writable > 0) is (status is MediumStatus.APPENDABLE)


def test_row_21_a_speed_above_the_largest_becomes_the_largest(tmp_path: Path) -> None:
    with DiscMaster([a_device(tmp_path, options="&max=16x").recorder]).open() as master:
        (recorder,) = handles(master)
        with pytest.warns(PropertiesIgnored, match="MaxWriteSpeed"):
            recorder.set_properties({"MaxWriteSpeed": 99, "WriteSpeed": 48})
        assert (recorder.properties()["MaxWriteSpeed"], recorder.properties()["WriteSpeed"]) == (16, 16)

        recorder.set_properties({"WriteSpeed": 4})

        assert recorder.properties()["WriteSpeed"] == 4
        recorder.set_properties({"WriteSpeed": -1})
        assert recorder.properties()["WriteSpeed"] == -1
        with pytest.raises(BadProperty):
            recorder.set_properties({"WriteSpeed": 0})


def test_row_22_the_gap_between_tracks_costs_its_blocks_and_two_more(tmp_path: Path) -> None:
    with audio_session(a_device(tmp_path)) as (master, content):
        recorder = master.active_recorder()
        assert recorder.properties()["AudioGapSize"] == 150
        with pytest.raises(BadProperty):
            recorder.set_properties({"AudioGapSize": 226})
        lengths = (300, 450, 301)
        for length in lengths:
            add_track(content, length)

        assert content.used_blocks == sum(length + 150 + 2 for length in lengths)
        recorder.set_properties({"AudioGapSize": 225})
        assert content.used_blocks == sum(length + 225 + 2 for length in lengths) - (225 - 150)
        recorder.set_properties({"AudioGapSize": 0})
        assert content.used_blocks == 150 + sum(lengths)


def test_row_23_a_starved_burn_survives_only_with_protection(tmp_path: Path) -> None:
    with DiscMaster([a_device(tmp_path / "old", options="&underrun=no").recorder]).open() as master:
        assert handles(master)[0].properties()["BufferUnderrunFreeCapable"] == 0
    device = a_device(tmp_path / "new", options="&fault=starve@100")
    with data_session(device) as (master, content):
        recorder = master.active_recorder()
        assert recorder.properties()["BufferUnderrunFreeCapable"] == -1
        for value in (-1, 1, 0):
            recorder.set_properties({"EnableBufferUnderrunFree": value})
            assert recorder.properties()["EnableBufferUnderrunFree"] == value
        with pytest.raises(BadProperty):
            recorder.set_properties({"EnableBufferUnderrunFree": 2})
        content.add_data({"a": b"1"})

        with pytest.raises(LossOfStreaming):
            master.record()

        insert(device, MediumKind.CD_R)
        recorder.set_properties({"EnableBufferUnderrunFree": -1})
        master.record()


def test_row_24_unknown_properties_are_skipped_and_the_others_set(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (master, content):
        recorder = master.active_recorder()
        with pytest.warns(PropertiesIgnored, match="Colour") as heard:
            recorder.set_properties({"Colour": 3, "AudioGapSize": 10})
        with pytest.warns(PropertiesIgnored, match="Colour"):
            content.set_properties({"Colour": "red", "VolumeName": "MINE"})

        assert recorder.properties()["AudioGapSize"] == 10
        assert content.properties()["VolumeName"] == "MINE"
        (warning,) = heard
        assert isinstance(warning.message, PropertiesIgnored)
        assert (warning.message.code, warning.message.value) == ("IMAPI_S_PROPERTIESIGNORED", 0x00040200)
    with DiscMaster([a_device(tmp_path / "bare", options="&properties=no").recorder]).open() as master:
        with pytest.raises(NoProperties):
            handles(master)[0].properties()
        with pytest.raises(NoProperties):
            handles(master)[0].set_properties({"WriteSpeed": 1})


def test_row_54_quick_erasing_forgets_and_full_erasing_wipes(tmp_path: Path) -> None:
    device = a_device(tmp_path, MediumKind.CD_RW)
    with data_session(device) as (master, content):
        content.add_data({"a": b"secret" * 1000})
        master.record()
        before = on_disc(device)
        recorder = master.recorders()[0]
        recorder.open_exclusive()

        recorder.erase()

        assert (tray(device).status, tray(device).used, tray(device).sessions) == (MediumStatus.BLANK, False, 0)
        assert on_disc(device) == before
        recorder.erase(full=True)
        assert on_disc(device).rstrip(b"\0") == b""
        recorder.close()
        insert(device, MediumKind.CD_R)
        recorder.open_exclusive()
        with pytest.raises(MediumUnsuitable) as refusal:
            recorder.erase()
    assert refusal.value.code == "IMAPI_E_MEDIUM_INVALIDTYPE"


def test_row_55_erasing_ends_in_one_event_that_says_what_the_call_says(tmp_path: Path) -> None:
    device, ear = a_device(tmp_path, MediumKind.CD_RW), Ear()
    with DiscMaster([device.recorder]).open() as master:
        (recorder,) = handles(master)
        cookie = master.advise(ear)
        recorder.open_exclusive()

        recorder.erase()

        assert ear.heard(EraseComplete) == [EraseComplete()]
        assert len(ear.heard(EraseProgress)) >= 1
        assert isinstance(ear.events[-1], EraseComplete)
        recorder.close()
        beside(device).remove()
        recorder.open_exclusive()
        with pytest.raises(MediumMissing) as missing:
            recorder.erase()
        assert ear.heard(EraseComplete)[1:] == [EraseComplete(missing.value)]
        master.unadvise(cookie)
        recorder.close()
        beside(device).insert(MediumKind.CD_RW)
        ear = Ear(cancel=lambda: True)
        master.advise(ear)
        recorder.open_exclusive()
        with pytest.raises(BurnCancelled) as cancelled:
            recorder.erase(full=True)
        assert ear.heard(EraseComplete) == [EraseComplete(cancelled.value)]
    with DiscMaster([a_device(tmp_path / "cdr", options="&writes=cd-r").recorder]).open() as master:
        (recorder,) = handles(master)
        recorder.open_exclusive()
        with pytest.raises(RecorderUnsuitable):
            recorder.erase()


_HOLDER = """
import sys
from pathlib import Path
from workers.locks import FileLock
with FileLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_row_65_a_device_that_another_program_uses_is_refused(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    command = [sys.executable, "-c", _HOLDER, str(device.recorder.locks / "drive")]
    with (
        data_session(device) as (master, content),
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder,
    ):
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        content.add_data({"a": b"1"})

        with pytest.raises(RecorderBusy) as refusal:
            master.active_recorder().open_exclusive()
        with pytest.raises(RecorderBusy):
            master.record()

        assert refusal.value.code == "IMAPI_E_DEVICE_STILL_IN_USE"
        holder.communicate("")
        master.record()


BLANK_CD = MediumInfo(MediumKind.CD_R, MediumStatus.BLANK, 1000, 1000)
USED = {"used": True, "sessions": 1}


@pytest.mark.parametrize("kind", MediumKind)
def test_row_67_every_kind_of_medium_has_its_physical_type(kind: MediumKind) -> None:
    facts = media_facts(replace(BLANK_CD, kind=kind))

    assert facts.physical_type is not PhysicalType.UNKNOWN
    assert (MediaFlag.REWRITABLE in facts.flags) is kind.is_rewritable


@pytest.mark.parametrize(
    ("medium", "physical", "state"),
    [
        (None, 0, 0),
        (BLANK_CD, 2, 0x2),
        (replace(BLANK_CD, status=MediumStatus.APPENDABLE, used=True, sessions=1), 2, 0x4 | 0x1000),
        (replace(BLANK_CD, status=MediumStatus.COMPLETE, used=True, sessions=1), 2, 0x4000 | 0x1000),
        (
            replace(BLANK_CD, kind=MediumKind.CD_RW, status=MediumStatus.COMPLETE, used=True),
            3,
            0x4000 | 0x1000 | 0x800,
        ),
        (replace(BLANK_CD, kind=MediumKind.DVD_PLUS_RW, status=MediumStatus.OVERWRITABLE), 7, 0x1 | 0x2),
        (replace(BLANK_CD, kind=MediumKind.BD_RE, status=MediumStatus.OVERWRITABLE, used=True), 19, 0x1 | 0x1000),
        (replace(BLANK_CD, kind=MediumKind.DVD_PLUS_R_DL), 8, 0x2),
        (replace(BLANK_CD, kind=MediumKind.BD_R), 18, 0x2),
    ],
)
def test_row_67_media_states_are_those_of_the_second_version(
    medium: MediumInfo | None, physical: int, state: int
) -> None:
    facts = media_facts(medium)

    assert (facts.physical_type, facts.state) == (PhysicalType(physical), MediaState(state))
