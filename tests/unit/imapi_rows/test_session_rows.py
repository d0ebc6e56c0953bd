"""Rows 1 to 13 and 73: the session, formats, and which recorder burns."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.errors import (
    AlreadyOpen,
    MediumMissing,
    NoActiveFormat,
    NoActiveRecorder,
    NothingStaged,
    NotOpened,
    StashInUse,
    WrongFormat,
)
from jobs.mastering.master import DiscMaster, Listener
from jobs.mastering.medium import MediumKind
from jobs.mastering.progress import BurnComplete, ProgressEvent, RecordersChanged
from models.vocabulary import DiscFormat
from tests.burns import Ear, beside
from tests.mastering import a_device, audio_session, data_session, files_of, on_disc

CALLS: dict[str, Callable[[DiscMaster], object]] = {
    "formats": lambda master: master.formats(),
    "set_format": lambda master: master.set_format(DiscFormat.JOLIET),
    "active_format": lambda master: master.active_format(),
    "recorders": lambda master: master.recorders(),
    "active_recorder": lambda master: master.active_recorder(),
    "advise": lambda master: master.advise(Ear()),
    "unadvise": lambda master: master.unadvise(1),
    "clear_content": lambda master: master.clear_content(),
    "record": lambda master: master.record(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_row_01_no_call_works_before_open(tmp_path: Path, call: Callable[[DiscMaster], object]) -> None:
    master = DiscMaster([a_device(tmp_path).recorder])

    with pytest.raises(NotOpened):
        call(master)

    with master.open():
        assert master.formats()
    with pytest.raises(NotOpened):
        call(master)


def test_row_02_open_twice_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (master, content):
        content.add_data({"a": b"1"})
        used = content.used_blocks

        with pytest.raises(AlreadyOpen):
            master.open()

        assert (master.active_format(), content.used_blocks) == (DiscFormat.JOLIET, used)


def test_row_03_closing_twice_or_unopened_is_fine(tmp_path: Path) -> None:
    master = DiscMaster([a_device(tmp_path).recorder])
    master.close()
    master.open()

    master.close()
    master.close()

    with pytest.raises(NotOpened):
        master.formats()


def test_row_04_close_discards_content_and_properties(tmp_path: Path) -> None:
    device = a_device(tmp_path / "r1")
    master = DiscMaster([device.recorder], tmp_path / "stash").open()
    content = master.set_format(DiscFormat.JOLIET)
    recorder = master.recorders()[0]
    master.set_recorder(recorder)
    content.add_data({"a": b"1"})
    content.set_properties({"VolumeName": "MINE"})
    recorder.set_properties({"AudioGapSize": 7})

    master.close()
    master.open()

    again = master.set_format(DiscFormat.JOLIET)
    master.set_recorder(master.recorders()[0])
    assert again.used_blocks == 0
    assert again.properties()["VolumeName"] != "MINE"
    assert master.active_recorder().properties()["AudioGapSize"] == 150
    assert [path.name for path in (tmp_path / "stash").iterdir()] == ["lock"]
    master.close()


def test_row_05_a_second_client_of_the_stash_is_kept_out_until_the_first_closes(tmp_path: Path) -> None:
    first, second = a_device(tmp_path / "r1"), a_device(tmp_path / "r2")
    stash = tmp_path / "stash"
    with data_session(first, stash=stash), DiscMaster([second.recorder], stash).open() as other:
        other.set_format(DiscFormat.JOLIET)
        with pytest.raises(StashInUse):
            other.set_recorder(other.recorders()[0])
    with data_session(second, stash=stash) as (master, _):
        assert master.active_recorder().path == second.recorder.uri


def test_row_06_formats_are_imapis_two_and_ready_made_images(tmp_path: Path) -> None:
    with DiscMaster([a_device(tmp_path).recorder]).open() as master:
        formats = master.formats()

        assert set(formats) == {DiscFormat.JOLIET, DiscFormat.REDBOOK, DiscFormat.IMAGE}
        assert list(formats) == list(formats)  # a sequence starts anew for each who walks through it


def test_row_07_what_a_former_format_returned_is_refused(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (master, data):
        audio = master.set_format(DiscFormat.REDBOOK)
        master.set_recorder(master.recorders()[0])

        with pytest.raises(WrongFormat):
            data.add_data({"a": b"1"})
        with pytest.raises(WrongFormat):
            _ = data.used_blocks
        audio.create_track()
        master.set_format(DiscFormat.JOLIET)
        with pytest.raises(WrongFormat):
            audio.close_track()


def test_row_08_another_format_wipes_the_stash(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (master, data):
        data.add_data({"a": b"1"})

        audio = master.set_format(DiscFormat.REDBOOK)

        assert audio.used_blocks == 0
        master.set_recorder(master.recorders()[0])
        with pytest.raises(NothingStaged):
            master.record()
        assert not beside_used(tmp_path)


def beside_used(folder: Path) -> bool:
    return any(folder.rglob("writes.jsonl"))


def test_row_09_a_format_the_recorder_lacks_drops_it_and_says_so_once(tmp_path: Path) -> None:
    data_only, both = a_device(tmp_path / "r1", options="&audio=no"), a_device(tmp_path / "r2")
    ear = Ear()
    with data_session(data_only, both) as (master, _):
        master.advise(ear)

        master.set_format(DiscFormat.REDBOOK)

        with pytest.raises(NoActiveRecorder):
            master.active_recorder()
        assert ear.heard(RecordersChanged) == [RecordersChanged()]


def test_row_10_recorders_depend_on_the_format_and_are_a_snapshot(tmp_path: Path) -> None:
    data_only, both = a_device(tmp_path / "r1", options="&audio=no"), a_device(tmp_path / "r2")
    with DiscMaster([data_only.recorder, both.recorder]).open() as master:
        with pytest.raises(NoActiveFormat):
            master.recorders()
        master.set_format(DiscFormat.REDBOOK)
        assert [recorder.path for recorder in master.recorders()] == [both.recorder.uri]
        master.set_format(DiscFormat.JOLIET)
        before = master.recorders()

        beside(both).unplug()

        assert len(before) == 2
        assert [recorder.path for recorder in master.recorders()] == [data_only.recorder.uri]


def test_row_11_there_is_no_default_recorder(tmp_path: Path) -> None:
    with DiscMaster([a_device(tmp_path).recorder]).open() as master:
        with pytest.raises(NoActiveFormat):
            master.active_recorder()
        master.set_format(DiscFormat.JOLIET)
        with pytest.raises(NoActiveRecorder):
            master.active_recorder()


def test_row_12_an_empty_tray_can_not_be_selected(tmp_path: Path) -> None:
    with DiscMaster([a_device(tmp_path, kind=None).recorder]).open() as master:
        master.set_format(DiscFormat.JOLIET)

        with pytest.raises(MediumMissing):
            master.set_recorder(master.recorders()[0])

        with pytest.raises(NoActiveRecorder):
            master.active_recorder()


def test_row_13_every_image_begins_with_selecting_the_recorder(tmp_path: Path) -> None:
    device = a_device(tmp_path, MediumKind.DVD_R)
    with data_session(device) as (master, content):
        content.add_data({"a": b"1"})
        master.record()

        with pytest.raises(NoActiveRecorder, match="again"):
            content.add_data({"b": b"2"})

        beside(device).remove()
        beside(device).insert(MediumKind.DVD_R)
        master.set_recorder(master.recorders()[0])
        content.add_data({"b": b"2"})
        assert content.used_blocks > 0


def test_row_73_two_recorders_burn_at_once_each_its_own(tmp_path: Path) -> None:
    data, audio = a_device(tmp_path / "r1"), a_device(tmp_path / "r2")
    both_wrote = threading.Barrier(2, timeout=60)
    ears = [Ear(), Ear()]
    errors: list[BaseException] = []

    def meet(event: ProgressEvent) -> None:
        if type(event).__name__ == "PreparingBurn":
            both_wrote.wait()

    def burn(master: DiscMaster, ear: Ear) -> None:
        try:
            master.advise(Listener(meet))
            master.advise(ear)
            master.record()
        except BaseException as error:  # noqa: BLE001  (told to the test)
            errors.append(error)

    with data_session(data) as (one, tree), audio_session(audio) as (other, programme):
        tree.add_data({"a": b"1"})
        programme.create_track()
        pcm = bytes(range(256)) * 2352 * 2
        programme.add_blocks(pcm[: 2352 * 400])
        programme.close_track()
        threads = [threading.Thread(target=burn, args=each) for each in ((one, ears[0]), (other, ears[1]))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert errors == []
    assert files_of(on_disc(data)) == {"a": b"1"}
    assert on_disc(audio).startswith(pcm[: 2352 * 400])
    assert [ear.heard(BurnComplete) for ear in ears] == [[BurnComplete()], [BurnComplete()]]
