"""Blanking rewritable media: what it takes, what it leaves, and what calling it off does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import (
    BurnCancelled,
    DiscError,
    FileSystemInUse,
    MediumDiffers,
    MediumMissing,
    MediumUnsuitable,
    RecorderMissing,
    RecorderUnsuitable,
)
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.mastering.progress import EraseProgress, ProgressEvent
from jobs.mastering.recorder import Bin, Device
from tests.burning import tray, writes_of
from tests.burns import Ear, a_drive, beside
from workers.recorders import open_device
from workers.recorders.emulated_drive import EmulatedDrive


def used(folder: Path, options: str = "", kind: str = "cd-rw") -> Device:
    device = open_device(f"emulated:{folder}{options}")
    beside(device).insert(kind, MediumStatus.COMPLETE)
    return device


@pytest.mark.parametrize("kind", ["cd-rw", "dvd-rw", "dvd+rw", "bd-re"])
@pytest.mark.parametrize("full", [False, True])
def test_a_rewritable_medium_becomes_as_new(tmp_path: Path, kind: str, *, full: bool) -> None:
    device, ear = used(tmp_path, kind=kind), Ear()

    device.recorder.blank(ear, full=full)

    new = EmulatedDrive(tmp_path / "other")
    blank = tray(a_drive(new.folder.path, kind=MediumKind(kind)))
    assert (tray(device).status, tray(device).used, tray(device).free_blocks) == (blank.status, False, blank.capacity)
    assert (tray(device).sessions, tray(device).tracks, tray(device).next_writable) == (0, 0, 0)
    assert len(ear.heard(EraseProgress)) >= 1
    with pytest.raises(MediumDiffers):
        device.recorder.read_back(2048)
    with pytest.raises(MediumDiffers):
        device.recorder.read_programme()


def test_a_quick_blanking_leaves_the_bytes_and_a_full_one_zeros(tmp_path: Path) -> None:
    device = used(tmp_path)
    before = device.recorder.read_blocks(16, 40)
    assert b"CD001" in before

    device.recorder.blank(Ear())
    assert device.recorder.read_blocks(16, 40) == before
    device.recorder.blank(Ear(), full=True)

    assert device.recorder.read_blocks(16, 40) == bytes(40 * 2048)
    assert device.recorder.read_blocks(359_846, 5) == bytes(2048)
    assert beside(device).folder.medium(tray_id(device)).data.stat().st_blocks < 1000


def tray_id(device: Device) -> str:
    return beside(device).folder.read().medium or ""


def test_a_blanked_disc_leaves_no_file_of_its_remains(tmp_path: Path) -> None:
    device = used(tmp_path)
    device.recorder.blank(Ear())

    assert device.loader.unload(Bin.ACCEPT, "blanked") is None

    assert sorted(path.name for path in (tmp_path / "shelf" / "accept").iterdir()) == [
        "blanked.json",
        "blanked.writes.jsonl",
    ]
    log = writes_of(tmp_path / "shelf" / "accept" / "blanked.writes.jsonl")
    assert [line["event"] for line in log] == ["blanking", "blanked"]
    assert list((tmp_path / "media").iterdir()) == []


@pytest.mark.parametrize(("full", "seconds"), [(False, 450 / 75 / 8), (True, 359_847 / 75 / 8)])
def test_blanking_takes_its_time_and_says_so(tmp_path: Path, seconds: float, *, full: bool) -> None:
    device = used(tmp_path, "?speed=8x")
    heard: list[float] = []

    def enough() -> bool:
        return full and len(heard) > 2

    ear = Ear(cancel=enough, on_event=lambda event: heard.append(seconds_of(event)))
    if full:
        with pytest.raises(BurnCancelled):
            device.recorder.blank(ear, full=full)
    else:
        device.recorder.blank(ear, full=full)

    events = [event for event in ear.events if isinstance(event, EraseProgress)]
    assert events == ear.events
    assert {event.estimated_seconds for event in events} == {seconds}
    assert events[0].elapsed_seconds == 0
    assert heard == sorted(heard)
    assert full or heard[-1] == pytest.approx(seconds, abs=0.3)


def seconds_of(event: ProgressEvent) -> float:
    assert isinstance(event, EraseProgress)
    return event.elapsed_seconds


def test_blanking_that_was_called_off_has_to_be_done_again(tmp_path: Path) -> None:
    device = used(tmp_path, "?speed=1x")
    ear = Ear()
    ear.cancel = lambda: len(ear.events) > 1

    with pytest.raises(BurnCancelled):
        device.recorder.blank(ear, full=True)

    assert (tray(device).status, tray(device).used, tray(device).sessions) == (MediumStatus.COMPLETE, True, 0)
    with pytest.raises(MediumDiffers):
        device.recorder.read_back(2048)
    open_device(f"emulated:{tmp_path}").recorder.blank(Ear())
    assert (tray(device).status, tray(device).used) == (MediumStatus.BLANK, False)


def test_blanking_that_was_called_off_at_once_did_nothing(tmp_path: Path) -> None:
    device = used(tmp_path)
    before = tray(device)

    with pytest.raises(BurnCancelled):
        device.recorder.blank(Ear(cancel=lambda: True))

    assert tray(device) == before


def test_a_listener_that_fails_does_not_hurt_a_blanking(tmp_path: Path) -> None:
    def fail(_: object = None) -> bool:
        raise RuntimeError("a listener's own trouble")

    device = used(tmp_path)

    device.recorder.blank(Ear(cancel=fail, on_event=fail))

    assert tray(device).status is MediumStatus.BLANK


def test_unplugging_breaks_a_blanking_off(tmp_path: Path) -> None:
    device = used(tmp_path, "?speed=1x")
    ear = Ear(on_event=lambda _: beside(device).unplug())

    with pytest.raises(RecorderMissing):
        device.recorder.blank(ear)

    beside(device).replug()
    assert tray(device).status is MediumStatus.COMPLETE


REFUSALS: list[tuple[str, Callable[[EmulatedDrive], object], type[DiscError]]] = [
    ("", lambda _: None, MediumMissing),
    ("", lambda drive: drive.insert("cd-r"), MediumUnsuitable),
    ("?writes=cd-r,dvd-r", lambda drive: drive.insert("cd-rw"), RecorderUnsuitable),
    ("?writes=cd-rw", lambda drive: drive.insert("dvd+rw"), RecorderUnsuitable),
    ("?fault=mounted", lambda drive: drive.insert("cd-rw"), FileSystemInUse),
    ("", EmulatedDrive.unplug, RecorderMissing),
]


@pytest.mark.parametrize(("options", "prepare", "refusal"), REFUSALS)
def test_what_can_not_be_blanked_is_told_apart(
    tmp_path: Path, options: str, prepare: Callable[[EmulatedDrive], object], refusal: type[DiscError]
) -> None:
    device = open_device(f"emulated:{tmp_path}{options}")
    prepare(beside(device))

    with pytest.raises(DiscError) as error:
        device.recorder.blank(Ear())

    assert type(error.value) is refusal
