"""Rows 45 to 50, 56 to 63, 66, 69, 70 and 74: recording, and what is told of it."""

import re
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from jobs import errors
from jobs.errors import (
    BurnCancelled,
    DiscError,
    DiscUnreadable,
    DiscWarning,
    FileSystemInUse,
    LossOfStreaming,
    MediumMissing,
    NotFound,
    NothingStaged,
    Reentered,
    SessionNotClosed,
    UnexpectedFailure,
    WriteFailed,
    WriteNotBegun,
)
from jobs.mastering.master import DiscMaster, Listener, RecordOptions
from jobs.mastering.medium import Family, MediumInfo, MediumKind
from jobs.mastering.progress import (
    Action,
    AddProgress,
    BlockProgress,
    BurnComplete,
    ClosingDisc,
    PreparingBurn,
    ProgressEvent,
    TrackProgress,
    WriteProgress,
)
from jobs.mastering.verification import compare
from jobs.result_codes import MEANINGS, VALUES
from tests.burns import Ear, beside
from tests.mastering import a_device, add_track, audio_session, data_session, files_of, insert, on_disc, samples, tray

#: Seconds within which a cancel must have taken effect; generous, since machines are slow at times.
BOUND = 30.0


def test_row_45_nothing_staged_is_nothing_burnt(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with data_session(device) as (master, _), pytest.raises(NothingStaged) as refusal:
        master.record()

    assert refusal.value.code == "IMAPI_E_INVALIDIMAGE"
    assert not tray(device).used


def test_row_46_a_real_burn_reads_back_what_was_staged(tmp_path: Path) -> None:
    device = a_device(tmp_path / "r1")
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "tree/inner/b").write_bytes(samples(7))
    (tmp_path / "tree/a").write_bytes(b"")
    with data_session(device) as (master, content):
        content.add_data(tmp_path / "tree")
        master.record()

    for tree in ("rr_path", "joliet_path"):
        assert files_of(on_disc(device), tree) == {"a": b"", "inner/b": samples(7)}


def test_row_47_a_simulation_tells_all_and_writes_nothing(tmp_path: Path) -> None:
    device, ear = a_device(tmp_path), Ear()
    with data_session(device) as (master, content):
        content.add_data({"a": samples(50)})
        master.advise(ear)

        master.record(RecordOptions(simulate=True, keep=True))

        assert (on_disc(device), tray(device).used) == (b"", False)
        assert {PreparingBurn, BlockProgress, ClosingDisc, BurnComplete} <= {type(event) for event in ear.events}
        master.record(RecordOptions(simulate=True))
        master.set_recorder(master.recorders()[0])
        with pytest.raises(NothingStaged):
            master.record()


@pytest.mark.parametrize(
    ("fault", "simulate", "stays"), [("", False, False), ("", True, True), ("&fault=write-error@5", False, True)]
)
def test_row_48_the_tray_opens_only_after_a_burn_that_was_closed(
    tmp_path: Path, fault: str, *, simulate: bool, stays: bool
) -> None:
    device = a_device(tmp_path, options=fault)
    with data_session(device) as (master, content):
        content.add_data({"a": b"1"})
        options = RecordOptions(simulate=simulate, eject=True)
        if fault:
            with pytest.raises(WriteFailed):
                master.record(options)
        else:
            master.record(options)

    assert (device.recorder.probe() is not None) is stays


def test_row_49_a_burn_empties_the_stash(tmp_path: Path) -> None:
    stash = tmp_path / "stash"
    with data_session(a_device(tmp_path / "r1"), stash=stash) as (master, content):
        content.add_data({"a": b"secret"})
        assert len(list(stash.rglob("*"))) > 1
        master.record()

        assert [path.name for path in stash.iterdir()] == ["lock"]
        master.set_recorder(master.recorders()[0])
        with pytest.raises(NothingStaged):
            master.record()


def test_row_50_a_missing_disc_is_put_in_and_nothing_staged_again(tmp_path: Path) -> None:
    device = a_device(tmp_path)
    with data_session(device) as (master, content):
        content.add_data({"a": b"1"})
        beside(device).remove()
        with pytest.raises(MediumMissing):
            master.record()

        beside(device).insert(MediumKind.CD_R)
        master.record()

    assert files_of(on_disc(device)) == {"a": b"1"}


def test_row_56_listeners_hear_the_same_until_they_leave(tmp_path: Path) -> None:
    device, one, other = a_device(tmp_path), Ear(), Ear()
    with data_session(device) as (master, content):
        cookies = master.advise(one), master.advise(other)
        content.add_data({"a": b"1"})
        master.record()
        assert one.events == other.events != []

        for cookie in cookies:
            master.unadvise(cookie)

        heard = len(one.events)
        insert(device, MediumKind.CD_R)
        master.set_recorder(master.recorders()[0])
        content.add_data({"a": b"1"})
        assert len(one.events) == heard
        with pytest.raises(NotFound):
            master.unadvise(cookies[0])


def test_row_57_adding_is_told_from_first_to_last(tmp_path: Path) -> None:
    ear = Ear()
    with data_session(a_device(tmp_path)) as (master, content):
        master.advise(ear)
        content.add_data({f"{number}": bytes(100_000) for number in range(50)})
    told = [(event.done, event.total) for event in ear.heard(AddProgress) if isinstance(event, AddProgress)]
    assert_from_first_to_last(told)
    ear = Ear()
    with audio_session(a_device(tmp_path / "audio")) as (master, audio):
        master.advise(ear)
        add_track(audio, 3000)
    assert_from_first_to_last(
        [(event.done, event.total) for event in ear.heard(AddProgress) if isinstance(event, AddProgress)]
    )


def assert_from_first_to_last(told: list[tuple[int, int]]) -> None:
    assert told[0][0] in {0, 1}
    assert told[-1][0] == told[-1][1] > 0
    assert all(one <= following for one, following in pairwise(done for done, _ in told))
    assert len({total for _, total in told}) == 1


#: What may follow what in a burn (IMAPI reference, section 3); BurnComplete may follow anything.
GRAMMAR: dict[type | None, set[type]] = {
    None: {PreparingBurn},
    PreparingBurn: {BlockProgress, TrackProgress},
    TrackProgress: {BlockProgress, TrackProgress, ClosingDisc},
    BlockProgress: {BlockProgress, TrackProgress, ClosingDisc},
    ClosingDisc: set(),
}


def assert_grammar(events: list[ProgressEvent], *, failed: bool = False) -> None:
    burn = [type(event) for event in events if not isinstance(event, WriteProgress | AddProgress)]
    assert burn[-1] is BurnComplete
    assert burn.count(BurnComplete) == 1
    last: type | None = None
    for each in burn[:-1]:
        assert each in GRAMMAR[last], f"{each} after {last} in {burn}"
        last = each
    if not failed:
        assert (burn.count(PreparingBurn), burn.count(ClosingDisc)) == (1, 1)
        blocks = [event for event in events if isinstance(event, BlockProgress)]
        assert blocks[0].done == 0
        assert blocks[-1].done == blocks[-1].total


@pytest.mark.parametrize("simulate", [False, True])
@pytest.mark.parametrize("audio", [False, True])
def test_row_58_events_come_in_order(tmp_path: Path, *, audio: bool, simulate: bool) -> None:
    ear = Ear()
    if audio:
        with audio_session(a_device(tmp_path)) as (master, programme):
            add_track(programme)
            add_track(programme, 400, 1)
            master.advise(ear)
            master.record(RecordOptions(simulate=simulate))
    else:
        with data_session(a_device(tmp_path)) as (master, content):
            content.add_data({"a": samples(500)})
            master.advise(ear)
            master.record(RecordOptions(simulate=simulate))

    assert_grammar(ear.events)


@pytest.mark.parametrize("fault", ["init-error", "write-error@200", "close-error"])
def test_row_58_events_come_in_order_when_it_fails(tmp_path: Path, fault: str) -> None:
    ear = Ear()
    with data_session(a_device(tmp_path, options=f"&fault={fault}")) as (master, content):
        content.add_data({"a": samples(500)})
        master.advise(ear)
        with pytest.raises(DiscError):
            master.record()

    assert_grammar(ear.events, failed=True)


def test_row_60_estimates_are_seconds_and_silence_follows_them(tmp_path: Path) -> None:
    ear = Ear()
    with data_session(a_device(tmp_path)) as (master, content):
        content.add_data({"a": samples(500)})
        master.advise(ear)
        master.record()

    v1 = [event for event in ear.events if not isinstance(event, WriteProgress)]
    (preparing,) = [index for index, event in enumerate(v1) if isinstance(event, PreparingBurn)]
    (closing,) = [index for index, event in enumerate(v1) if isinstance(event, ClosingDisc)]
    for index in (preparing, closing):
        event = v1[index]
        assert isinstance(event, PreparingBurn | ClosingDisc)
        assert event.estimated_seconds >= 0
    assert v1[preparing + 1] == BlockProgress(0, preparing_total(v1), 0.0)
    assert isinstance(v1[closing + 1], BurnComplete)


def preparing_total(events: Iterable[ProgressEvent]) -> int:
    return next(event.total for event in events if isinstance(event, BlockProgress))


def refuse(_: MediumInfo) -> None:
    message = "surprise"
    raise ValueError(message)


def assert_ends_in(expected: type[DiscError], master: DiscMaster, ear: Ear) -> None:
    ear.events.clear()
    with pytest.raises(expected) as raised:
        master.record()
    assert ear.heard(BurnComplete) == [BurnComplete(raised.value)]


def test_row_61_every_burn_ends_in_one_event_that_says_what_record_says(tmp_path: Path) -> None:
    device, ear = a_device(tmp_path), Ear()
    with data_session(device) as (master, content):
        master.advise(ear)
        assert_ends_in(NothingStaged, master, ear)
        content.add_data({"a": b"1"})
        beside(device).remove()
        assert_ends_in(MediumMissing, master, ear)
        beside(device).insert(MediumKind.CD_R)
        ear.cancel = lambda: True
        assert_ends_in(BurnCancelled, master, ear)
        ear.cancel = lambda: False
        ear.events.clear()
        with pytest.raises(UnexpectedFailure, match="surprise") as unexpected:
            master.record(permit=refuse)
        assert ear.heard(BurnComplete) == [BurnComplete(unexpected.value)]
        assert unexpected.value.code == "IMAPI_E_GENERIC"
        ear.events.clear()
        master.record()
        assert ear.heard(BurnComplete) == [BurnComplete()]


def test_row_62_adding_is_called_off_as_if_it_had_not_begun(tmp_path: Path) -> None:
    with data_session(a_device(tmp_path)) as (master, content):
        content.add_data({"a": b"1"})
        used = content.used_blocks
        cookie = master.advise(Ear(cancel=lambda: True))

        with pytest.raises(BurnCancelled):
            content.add_data({"b": bytes(1_000_000)})

        assert content.used_blocks == used
        master.unadvise(cookie)
        content.add_data({"b": b"2"})


def test_row_62_a_burn_is_called_off_in_time_and_what_is_staged_stays(tmp_path: Path) -> None:
    device, burning = a_device(tmp_path, options="&speed=1x"), []

    def note(event: ProgressEvent) -> None:
        if isinstance(event, BlockProgress) and event.done:
            burning.append(time.monotonic())

    with data_session(device) as (master, content):
        content.add_data({"a": bytes(20_000_000)})
        used = content.used_blocks
        master.advise(Ear(cancel=lambda: bool(burning), on_event=note))

        with pytest.raises(BurnCancelled) as cancelled:
            master.record()

        assert time.monotonic() - burning[0] < BOUND
        assert cancelled.value.code == "IMAPI_E_USERABORT"
        assert content.used_blocks == used
    assert tray(device).used


def test_row_63_listeners_that_raise_do_not_hurt(tmp_path: Path) -> None:
    def angry(_: ProgressEvent) -> None:
        raise NotImplementedError

    def unsure() -> bool:
        raise NotImplementedError

    device, ear = a_device(tmp_path), Ear()
    with data_session(device) as (master, content):
        master.advise(Listener(angry, unsure))
        master.advise(ear)
        content.add_data({"a": b"1"})
        master.record()

    assert ear.heard(BurnComplete) == [BurnComplete()]
    assert files_of(on_disc(device)) == {"a": b"1"}


def test_calls_from_a_listener_are_refused_while_it_records(tmp_path: Path) -> None:
    refused: list[type[BaseException]] = []

    def meddle(call: Callable[[], object]) -> None:
        try:
            call()
        except DiscError as error:
            refused.append(type(error))

    with data_session(a_device(tmp_path)) as (master, content):
        content.add_data({"a": b"1"})
        calls = (master.close, master.clear_content, master.record, lambda: content.add_data({"b": b"2"}))

        def on_event(event: ProgressEvent) -> None:
            if isinstance(event, PreparingBurn):
                for call in calls:
                    meddle(call)

        master.advise(Listener(on_event))
        master.record()

    assert refused == [Reentered] * 4


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("init-error", WriteNotBegun, "IMAPI_E_INITIALIZE_WRITE"),
        ("close-error", SessionNotClosed, "IMAPI_E_INITIALIZE_ENDWRITE"),
        ("stream-loss@100", LossOfStreaming, "IMAPI_E_LOSS_OF_STREAMING"),
        ("write-error@100", WriteFailed, "DISCMILL_E_WRITE"),
        ("mounted", FileSystemInUse, "IMAPI_E_FILESYSTEM"),
    ],
)
def test_row_66_each_fault_has_its_code(tmp_path: Path, fault: str, error: type[DiscError], code: str) -> None:
    device = a_device(tmp_path)
    with data_session(device) as (master, content):
        content.add_data({"a": samples(200)})
        beside(device).add_fault(fault)

        with pytest.raises(error) as raised:
            master.record()

        assert raised.value.code == code


def test_row_66_a_disc_that_can_not_be_looked_at_has_its_code(tmp_path: Path) -> None:
    with DiscMaster([a_device(tmp_path, options="&fault=info-error").recorder]).open() as master:
        master.set_format(master.formats()[0])

        with pytest.raises(DiscUnreadable) as raised:
            master.set_recorder(master.recorders()[0])

    assert raised.value.code == "IMAPI_E_DISCINFO"


@pytest.mark.parametrize("block", [0, 16, 150, 299])
def test_row_69_a_flipped_bit_is_always_found(tmp_path: Path, block: int) -> None:
    device = a_device(tmp_path / "r1", options=f"&fault=flip@{block}")
    with data_session(device) as (master, content):
        content.add_data({"a": samples(100)})
        master.record(RecordOptions(keep=True))
        wanted = content.seal()

        comparison = compare(device.recorder.read_back(wanted.size), wanted, Ear(), Family.CD)

        assert comparison.bytes_read == wanted.size
    assert [(found.first_block, found.blocks) for found in comparison.differences] == [(block, 1)]


def test_row_70_times_add_up_and_are_told_twice_a_second(tmp_path: Path) -> None:
    device, heard = a_device(tmp_path, options="&speed=10x"), list[tuple[float, WriteProgress]]()

    def note(event: ProgressEvent) -> None:
        if isinstance(event, WriteProgress):
            heard.append((time.monotonic(), event))

    with data_session(device) as (master, content):
        content.add_data({"a": bytes(3_000_000)})
        master.advise(Listener(note))
        began = time.monotonic()
        master.record()
        took = time.monotonic() - began

    actions = [event.action for _, event in heard]
    assert list(dict.fromkeys(actions)) == [Action.PREPARING, Action.WRITING, Action.FINALIZING, Action.COMPLETED]
    assert all(event.total_seconds == event.elapsed_seconds + event.remaining_seconds for _, event in heard)
    assert all(one.elapsed_seconds <= following.elapsed_seconds for (_, one), (_, following) in pairwise(heard))
    assert heard[-1][1].elapsed_seconds <= took
    assert heard[-1][1].remaining_seconds == 0
    assert len(heard) >= 2 * took / 3  # twice a second, and slow machines are forgiven the half
    assert heard[-1][1].last_written == heard[-1][1].first_block + heard[-1][1].blocks - 1


def codes_below(base: type[DiscError | DiscWarning]) -> set[str]:
    """Collect the codes of all classes of jobs.errors below one."""
    below = [each for each in base.__subclasses__() if each.__module__ == errors.__name__]
    return {each.code for each in below}.union(*(codes_below(each) for each in below))


#: Success codes, and codes for what a Python program can't run into; see docs/imapi.md.
NOT_RAISED = {"IMAPI_S_BUFFER_TO_SMALL"}


def test_row_74_every_code_has_its_number_its_meaning_and_its_class() -> None:
    told = codes_below(DiscError) | codes_below(DiscWarning)

    assert len(MEANINGS) == 38 + 1
    assert len(set(VALUES.values())) == len(VALUES)
    assert len({meaning for _, meaning in MEANINGS.values()}) == len(MEANINGS)
    assert MEANINGS.keys() - told == NOT_RAISED
    assert {code for code in told if code.startswith("IMAPI_")} <= MEANINGS.keys()


def test_row_74_every_class_of_an_imapi_code_is_raised_by_a_test_of_a_row() -> None:
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    named = {name for name, each in vars(errors).items() if str(getattr(each, "code", "")).startswith("IMAPI_")}
    raised = set(re.findall(r"(?:raises|warns)\((\w+)", tests)) | set(
        re.findall(r"^ .*[ (](\w+)[,)]", tests, re.MULTILINE)
    )

    assert named - raised == set()


def test_row_74_an_error_knows_its_number_and_what_helps() -> None:
    error = errors.NotOpened("the disc master is not open")

    assert (error.code, error.value, error.message) == ("IMAPI_E_NOTOPENED", 0x8004020B, "the disc master is not open")
    assert errors.KeyTaken("mine").value is None
    assert isinstance(error.remedy, errors.Remedy)
