"""Rows 37 to 44, 51, 59 and 72: staging and burning an audio disc."""

from pathlib import Path

import pytest

from jobs.errors import (
    BurnCancelled,
    DiscFull,
    MediumNotWritable,
    MediumUnsuitable,
    OrderError,
    PartialBlock,
    TooManyTracks,
    TrackNotOpen,
    TrackOpen,
    TrackTooShort,
)
from jobs.mastering.master import DiscMaster, RecordOptions
from jobs.mastering.medium import AUDIO_BLOCK, MediumKind, MediumStatus
from jobs.mastering.programme import DiscText, Track
from jobs.mastering.progress import BlockProgress, TrackProgress
from models.vocabulary import DiscFormat
from tests.burns import Ear, beside
from tests.mastering import a_device, add_track, audio_session, on_disc, samples, smaller, tray


def test_row_37_tracks_are_counted_while_open_and_come_out_bit_for_bit(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with audio_session(device) as (master, content):
        master.active_recorder().set_properties({"AudioGapSize": 0})
        content.create_track()
        assert content.total_tracks == 1
        pcm = samples(400)
        content.add_blocks(pcm[: 100 * AUDIO_BLOCK])
        content.add_blocks(pcm[100 * AUDIO_BLOCK :])
        content.close_track()
        more = add_track(content, 333, seed=1)
        assert content.total_tracks == 2

        master.record()

        assert b"".join(device.recorder.read_back(733 * AUDIO_BLOCK)) == pcm + more
        assert [track.blocks for track in device.recorder.read_programme().tracks] == [400, 333]


def test_row_38_one_track_is_open_at_a_time(tmp_path: Path) -> None:
    with audio_session(a_device(tmp_path)) as (_, content):
        with pytest.raises(TrackNotOpen):
            content.add_blocks(samples(1))
        with pytest.raises(TrackNotOpen):
            content.close_track()
        content.create_track()
        with pytest.raises(TrackOpen):
            content.create_track()
        assert content.total_tracks == 1


def test_row_39_a_full_disc_keeps_what_fits(tmp_path: Path) -> None:
    device = smaller(a_device(tmp_path), 500)
    with audio_session(device) as (master, content):
        content.create_track()
        room = content.available_blocks
        assert 490 <= room <= 500

        with pytest.raises(DiscFull):
            content.add_blocks(samples(600))

        assert content.available_blocks == 0
        content.close_track()
        master.record()
        assert device.recorder.read_programme().tracks[0].blocks == room


@pytest.mark.parametrize("size", [1, AUDIO_BLOCK - 1, AUDIO_BLOCK + 4])
def test_row_40_parts_of_blocks_are_refused(tmp_path: Path, size: int) -> None:
    with audio_session(a_device(tmp_path)) as (_, content):
        content.create_track()
        used = content.used_blocks

        with pytest.raises(PartialBlock):
            content.add_blocks(bytes(size))

        assert content.used_blocks == used


def test_row_41_without_an_open_track_the_room_of_a_new_one_is_told(tmp_path: Path) -> None:
    device = smaller(a_device(tmp_path), 2000)
    with audio_session(device) as (_, content):
        assert content.total_blocks == 2150
        first = content.available_blocks
        content.create_track()
        assert content.available_blocks == first
        content.add_blocks(samples(300))
        assert content.available_blocks == first - 300
        content.close_track()

        assert content.available_blocks == first - 300 - 150 - 2


def test_row_42_the_hundredth_track_is_refused(tmp_path: Path) -> None:
    with audio_session(a_device(tmp_path)) as (_, content):
        pcm = samples(300)
        for _ in range(99):
            content.create_track()
            content.add_blocks(pcm)
            content.close_track()

        with pytest.raises(TooManyTracks) as refusal:
            content.create_track()

        assert (refusal.value.value, content.total_tracks) == (0xC0AA0508, 99)


def test_row_43_a_track_of_less_than_four_seconds_stays_open(tmp_path: Path) -> None:
    with audio_session(a_device(tmp_path)) as (_, content):
        content.create_track()
        content.add_blocks(samples(299))

        with pytest.raises(TrackTooShort) as refusal:
            content.close_track()

        assert refusal.value.code == "IMAPI_E_TRACK_NOT_BIG_ENOUGH"
        content.add_blocks(samples(1))
        content.close_track()


def test_row_44_an_open_track_keeps_the_disc_unburnt(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with audio_session(device) as (master, content):
        add_track(content)
        content.create_track()

        with pytest.raises(TrackOpen):
            master.record()

        assert (tray(device).used, content.total_tracks) == (False, 2)


def test_row_51_audio_wants_a_blank_disc(tmp_path: Path) -> None:
    device = a_device(tmp_path, kind=None)
    beside(device).insert(MediumKind.CD_RW, MediumStatus.COMPLETE)
    with DiscMaster([device.recorder]).open() as master:
        content = master.set_format(DiscFormat.REDBOOK)
        (recorder,) = master.recorders()
        master.set_recorder(recorder)
        assert content.available_blocks == 0
        recorder.open_exclusive()
        recorder.erase()
        recorder.close()
        master.set_recorder(recorder)
        add_track(content)
        beside(device).remove()
        beside(device).insert(MediumKind.CD_RW, MediumStatus.COMPLETE)

        with pytest.raises(MediumNotWritable):
            master.record()

        recorder.open_exclusive()
        recorder.erase()
        recorder.close()
        master.record()
    assert tray(device).used


@pytest.mark.parametrize("simulate", [False, True])
def test_row_59_tracks_are_told_from_none_to_all(tmp_path: Path, *, simulate: bool) -> None:
    device, ear = a_device(tmp_path), Ear()
    with audio_session(device) as (master, content):
        for number in range(3):
            add_track(content, 300 + number, number)
        master.advise(ear)

        master.record(RecordOptions(simulate=simulate))

    assert ear.heard(TrackProgress) == [TrackProgress(number, 3) for number in range(4)]
    told = [event for event in ear.events if isinstance(event, TrackProgress | BlockProgress)]
    assert told[0] == TrackProgress(0, 3)
    starts = [300, 300 + 152 + 301, 300 + 2 * 152 + 301 + 302]
    for number, blocks in enumerate(starts, 1):
        before = [
            event.done for event in told[: told.index(TrackProgress(number, 3))] if isinstance(event, BlockProgress)
        ]
        assert max(before, default=0) >= blocks


def test_row_72_what_was_told_of_the_disc_reads_back(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with audio_session(device) as (master, content):
        master.active_recorder().set_properties({"AudioGapSize": 0})
        with pytest.raises(OrderError):
            content.describe(mcn="12")
        content.describe(mcn="0724354526824", text=DiscText(title="Bench", performer="The Lab"))
        first = Track(0, isrc="GBAYE0000351", copy_permitted=True, text=DiscText(title="One"))
        for track in (first, Track(0, pre_emphasis=True, text=DiscText(title="Two"))):
            content.create_track(track)
            content.add_blocks(samples(300))
            content.close_track()

        master.record()

        told = device.recorder.read_programme()
    assert (told.mcn, told.text.title, told.text.performer) == ("0724354526824", "Bench", "The Lab")
    assert [track.text.title for track in told.tracks] == ["One", "Two"]
    assert [(track.isrc, track.copy_permitted, track.pre_emphasis) for track in told.tracks] == [
        ("GBAYE0000351", True, False),
        ("", False, True),
    ]
    assert (told.starts, told.blocks) == ((0, 300), 600)
    assert len(on_disc(device)) == 600 * AUDIO_BLOCK


def test_cancelled_adding_keeps_whole_blocks_and_the_track_open(tmp_path: Path) -> None:
    asked = 0

    def after_the_first() -> bool:
        nonlocal asked
        asked += 1
        return asked > 1

    with audio_session(a_device(tmp_path)) as (master, content):
        content.create_track()
        cookie = master.advise(Ear(cancel=after_the_first))

        with pytest.raises(BurnCancelled):
            content.add_blocks(samples(3000))

        master.unadvise(cookie)
        kept = content.used_blocks - 150 - 2
        assert 0 < kept < 3000
        content.add_blocks(samples(300))
        assert content.used_blocks == kept + 300 + 152


def test_row_51_audio_is_burnt_on_no_other_disc_than_a_cd(tmp_path: Path) -> None:
    device = a_device(tmp_path, MediumKind.DVD_R)
    with audio_session(device) as (master, content):
        add_track(content)

        with pytest.raises(MediumUnsuitable) as refusal:
            master.record()

    assert (refusal.value.code, tray(device).used) == ("IMAPI_E_MEDIUM_INVALIDTYPE", False)
