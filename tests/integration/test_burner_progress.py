"""What listeners hear of a burn: the grammar of IMAPI's events, for data, audio, simulation, failure and cancel."""

import re
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from jobs.errors import BurnCancelled, DiscError
from jobs.mastering.medium import MediumInfo, MediumKind
from jobs.mastering.programme import Programme, Track
from jobs.mastering.progress import (
    Action,
    BlockProgress,
    ClosingDisc,
    PreparingBurn,
    ProgressEvent,
    TrackProgress,
    WriteProgress,
)
from jobs.mastering.recorder import Device
from tests.burning import tray
from tests.burns import Content, Ear, a_content, a_drive, allow, an_album
from workers.locks import drive_is_free
from workers.recorders.burn_process import BurnProcess, Preparation
from workers.recorders.burn_watch import Patience

LETTERS = {PreparingBurn: "P", TrackProgress: "T", BlockProgress: "B", ClosingDisc: "C"}


def trace(ear: Ear) -> str:
    """Write IMAPI v1's events as letters."""
    return "".join(LETTERS[type(event)] for event in ear.events if not isinstance(event, WriteProgress))


def blocks_of(ear: Ear) -> list[int]:
    return [event.done for event in ear.events if isinstance(event, BlockProgress)]


def tracks_of(ear: Ear) -> list[tuple[int, int]]:
    return [(event.done, event.total) for event in ear.events if isinstance(event, TrackProgress)]


def moments_of(ear: Ear) -> list[WriteProgress]:
    return [event for event in ear.events if isinstance(event, WriteProgress)]


@pytest.fixture
def content(tmp_path: Path) -> Content:
    return a_content(tmp_path / "content", 1000)


@pytest.mark.parametrize("simulate", [False, True])
def test_a_data_burn_is_told_from_first_block_to_last(tmp_path: Path, content: Content, *, simulate: bool) -> None:
    ear = Ear()

    a_drive(tmp_path / "drive").recorder.record(content.order(simulate=simulate), ear, allow)

    assert re.fullmatch("PB{2,}C", trace(ear))
    assert (blocks_of(ear)[0], blocks_of(ear)[-1]) == (0, 1000)
    assert all(one < following for one, following in pairwise(blocks_of(ear)))
    assert list(dict.fromkeys(moment.action for moment in moments_of(ear))) == list(Action)


@pytest.mark.parametrize("speed", ["", "?speed=40x"])
@pytest.mark.parametrize("simulate", [False, True])
def test_an_audio_burn_is_told_track_by_track(tmp_path: Path, speed: str, *, simulate: bool) -> None:
    album, ear = an_album(tmp_path / "album"), Ear()

    a_drive(tmp_path / "drive", speed, MediumKind.CD_R).recorder.record(album.order(simulate=simulate), ear, allow)

    assert re.fullmatch("PT(B+T){2}C", trace(ear))
    assert tracks_of(ear) == [(0, 2), (1, 2), (2, 2)]
    assert {0, 300, 900} <= set(blocks_of(ear))
    before = [event for event in ear.events if isinstance(event, BlockProgress | TrackProgress)]
    assert before[before.index(TrackProgress(1, 2)) - 1].done == 300


def test_ninety_nine_tracks_are_told_a_hundred_times(tmp_path: Path) -> None:
    album, ear = an_album(tmp_path / "album", Programme((Track(300),) * 99)), Ear()

    a_drive(tmp_path / "drive", "", MediumKind.CD_R).recorder.record(album.order(), ear, allow)

    assert tracks_of(ear) == [(done, 99) for done in range(100)]
    assert re.fullmatch("PT(B+T){99}C", trace(ear))


@pytest.mark.parametrize(
    ("fault", "told"), [("write-error@500", "PB+"), ("close-error", "PB{2,}C"), ("init-error", "P")]
)
def test_a_failing_burn_is_told_as_far_as_it_came(tmp_path: Path, content: Content, fault: str, told: str) -> None:
    ear = Ear()

    with pytest.raises(DiscError):
        a_drive(tmp_path / "drive", f"?fault={fault}").recorder.record(content.order(), ear, allow)

    assert re.fullmatch(told, trace(ear))
    assert Action.COMPLETED not in {moment.action for moment in moments_of(ear)}


def test_an_audio_burn_that_fails_tells_no_track_that_was_not_written(tmp_path: Path) -> None:
    album, ear = an_album(tmp_path / "album"), Ear()

    with pytest.raises(DiscError):
        a_drive(tmp_path / "drive", "?fault=write-error@299", MediumKind.CD_R).recorder.record(
            album.order(), ear, allow
        )

    assert tracks_of(ear) == [(0, 2)]


def test_where_a_burn_stands_is_told_twice_a_second(tmp_path: Path) -> None:
    """A CD at 10x: 1500 blocks take two seconds, so that nothing else would be told for longer than is allowed."""
    content = a_content(tmp_path / "content", 1500)
    times: list[float] = []
    ear = Ear(on_event=lambda event: times.append(time.monotonic()) if isinstance(event, WriteProgress) else None)

    a_drive(tmp_path / "drive", "?speed=10x", MediumKind.CD_R).recorder.record(content.order(), ear, allow)

    moments = moments_of(ear)
    assert max(following - one for one, following in pairwise(times)) < 1.5
    assert [moment.elapsed_seconds for moment in moments] == sorted(moment.elapsed_seconds for moment in moments)
    assert (moments[0].last_written, moments[-1].last_written) == (-1, 1499)
    assert {(moment.first_block, moment.blocks) for moment in moments} == {(0, 1500)}
    assert moments[1].action is Action.PREPARING
    assert moments[1].remaining_seconds == pytest.approx(2 + 1)
    assert moments[-1].remaining_seconds == 0
    writing = [moment for moment in moments if moment.action is Action.WRITING and moment.last_written > 300]
    for moment in writing:
        assert moment.remaining_seconds > 0
        assert moment.buffer_fill is not None
        assert 0 < moment.buffer_fill <= 1


def test_an_appended_session_is_told_where_it_lies(tmp_path: Path, content: Content) -> None:
    device, ear = a_drive(tmp_path / "drive", kind=MediumKind.CD_R), Ear()
    device.recorder.record(replace(content.order("one"), leave_open=True), Ear(), allow)

    device.recorder.record(replace(content.order("two"), start=tray(device).next_writable), ear, allow)

    last = moments_of(ear)[-1]
    assert (last.first_block, last.last_written, last.buffer_fill) == (12_400, 13_399, None)


def test_a_buffer_that_ran_dry_is_told(tmp_path: Path) -> None:
    content, ear = a_content(tmp_path / "content", 3000), Ear()

    drive = a_drive(tmp_path / "drive", "?speed=20x&fault=starve@1700", MediumKind.CD_R)
    drive.recorder.record(content.order(), ear, allow)

    fills = [moment.buffer_fill for moment in moments_of(ear) if moment.buffer_fill is not None]
    assert max(fills) == 1
    assert min(fills[fills.index(1) :]) < 1


def held(device: Device, patience: Patience, release: threading.Event) -> BurnProcess:
    """Make a burn whose drive does not get ready before it is released."""

    def prepare(_: object) -> Preparation:
        release.wait()
        return Preparation(tray(device), {})

    return BurnProcess("emulated", device.recorder, prepare, patience)


def test_a_burn_is_called_off_while_the_drive_prepares(tmp_path: Path, content: Content) -> None:
    release = threading.Event()
    device = a_drive(tmp_path / "drive")
    asked: list[float] = []
    permitted: list[MediumInfo] = []

    def cancel() -> bool:
        asked.append(time.monotonic())
        if len(asked) == 3:
            release.set()
        return len(asked) >= 3

    ear = Ear(cancel=cancel)
    with pytest.raises(BurnCancelled):
        held(device, Patience(), release).record(content.order(), ear, permitted.append)

    assert permitted == []
    assert {moment.action for moment in moments_of(ear)} == {Action.PREPARING}
    assert drive_is_free(device.recorder)


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_drive_that_never_gets_ready_is_given_up_and_stays_locked(
    tmp_path: Path, content: Content, *, cancelled: bool
) -> None:
    release = threading.Event()
    device = a_drive(tmp_path / "drive")
    patience = Patience(stall_after=60 if cancelled else 0.3, grace=0.3)

    with pytest.raises(DiscError, match=r"not ready within 0\.3 seconds"):
        held(device, patience, release).record(content.order(), Ear(cancel=lambda: cancelled), allow)

    assert not drive_is_free(device.recorder)
    release.set()
    for thread in threading.enumerate():
        if thread.name == "prepare":
            thread.join()
    assert drive_is_free(device.recorder)


def test_what_goes_wrong_while_preparing_is_raised_where_the_burn_is_waited_for(
    tmp_path: Path, content: Content
) -> None:
    def prepare(_: object) -> Preparation:
        raise ZeroDivisionError

    device, ear = a_drive(tmp_path / "drive"), Ear()

    with pytest.raises(ZeroDivisionError):
        BurnProcess("emulated", device.recorder, prepare, Patience()).record(content.order(), ear, allow)

    assert trace(ear) == "P"
    assert drive_is_free(device.recorder)


def test_cancel_is_asked_at_least_every_half_second(tmp_path: Path) -> None:
    content = a_content(tmp_path / "content", 1500)
    asked: list[float] = []

    def cancel() -> bool:
        asked.append(time.monotonic())
        return False

    def heard(event: ProgressEvent) -> None:
        if isinstance(event, ClosingDisc):
            asked.append(time.monotonic())

    drive = a_drive(tmp_path / "drive", "?speed=10x", MediumKind.CD_R)
    drive.recorder.record(content.order(), Ear(cancel=cancel, on_event=heard), allow)

    assert max(following - one for one, following in pairwise(asked)) < 1.5
