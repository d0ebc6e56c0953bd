"""The rules of emulated media: what may follow what, where sessions begin, what blanking leaves."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobs.errors import MediumError, MediumNotWritable, MediumTooSmall, MediumUnsuitable, WrongDisc
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, MediumKind, MediumStatus
from jobs.mastering.recorder import Bin
from tests.burns import ALBUM, Ear, beside
from workers.evidence import Plan, ProgressWriter
from workers.recorders import open_device
from workers.recorders.emulated_medium import Medium
from workers.recorders.emulated_sessions import begun, being_erased, ended, erased, new_medium
from workers.recorders.emulated_sink import open_sink
from workers.recorders.suitability import Wanted
from workers.sink import Cancel


def wanted(start: int = 0, blocks: int = 1000) -> Wanted:
    return Wanted(start, blocks, BLOCK, "disc")


def audio(start: int = 0) -> Wanted:
    return Wanted(start, ALBUM.blocks, AUDIO_BLOCK, "disc", ALBUM.canonical)


def burnt(medium: Medium, blocks: int = 1000, *, leave_open: bool = False) -> Medium:
    return ended(begun(medium, wanted(medium.next_writable, blocks)), leave_open=leave_open)


@pytest.mark.parametrize(
    ("kind", "second", "third"),
    [
        ("cd-r", 1000 + 11_400, 13_400 + 6_900),
        ("cd-rw", 1000 + 11_400, 13_400 + 6_900),
        ("dvd-r", 1008 + 16_384, 18_400 + 3_072),
        ("dvd-rw", 1008 + 16_384, 18_400 + 3_072),
        ("dvd+r", 1008 + 2_048, 4_064 + 2_048),
        ("bd-r", 1024, 2048),
    ],
)
def test_sessions_lie_as_far_apart_as_on_real_media(kind: str, second: int, third: int) -> None:
    first = burnt(new_medium("m", MediumKind(kind)), leave_open=True)
    assert (first.status, first.next_writable) == (MediumStatus.APPENDABLE, second)
    assert first.next_writable + first.free_blocks == first.capacity

    both = burnt(first, leave_open=True)

    assert (both.next_writable, both.info("").last_session, both.info("").tracks) == (third, second, 2)
    assert burnt(both).status is MediumStatus.COMPLETE


@pytest.mark.parametrize("kind", ["dvd+rw", "bd-re"])
def test_an_overwritable_medium_begins_anew(kind: str) -> None:
    medium = burnt(burnt(new_medium("m", MediumKind(kind)), leave_open=True), leave_open=True)

    assert (medium.status, len(medium.sessions), medium.next_writable) == (MediumStatus.OVERWRITABLE, 1, 0)


def test_a_session_that_leaves_no_room_closes_the_disc() -> None:
    medium = new_medium("m", MediumKind.CD_R)

    assert burnt(medium, medium.capacity - 11_400, leave_open=True).status is MediumStatus.COMPLETE
    assert burnt(medium, medium.capacity - 11_401, leave_open=True).free_blocks == 1


@pytest.mark.parametrize(
    ("kind", "before", "session", "refusal"),
    [
        ("cd-r", [], wanted(blocks=359_848), MediumTooSmall),
        ("cd-r", [], wanted(start=12_400), WrongDisc),
        ("cd-r", [wanted()], wanted(), WrongDisc),
        ("cd-r", [wanted()], wanted(start=12_401), WrongDisc),
        ("dvd+rw", [wanted()], wanted(start=1000), WrongDisc),
        ("dvd-r", [], audio(), MediumUnsuitable),
        ("bd-re", [], audio(), MediumUnsuitable),
        ("cd-r", [wanted()], audio(12_400), MediumUnsuitable),
        ("cd-r", [audio()], audio(12_300), MediumUnsuitable),
        ("cd-r", [audio()], wanted(start=12_300), MediumUnsuitable),
    ],
)
def test_what_does_not_go_on_a_medium(
    kind: str, before: list[Wanted], session: Wanted, refusal: type[MediumError]
) -> None:
    medium = new_medium("m", MediumKind(kind))
    for one in before:
        medium = ended(begun(medium, one), leave_open=True)

    with pytest.raises(MediumError) as error:
        begun(medium, session)

    assert type(error.value) is refusal


@pytest.mark.parametrize("session", [wanted(), audio()])
def test_nothing_goes_on_a_complete_medium(session: Wanted) -> None:
    with pytest.raises(MediumNotWritable):
        begun(ended(begun(new_medium("m", MediumKind.CD_R), session), leave_open=False), session)


def test_a_blanked_medium_keeps_its_bytes_and_no_way_to_them() -> None:
    medium = burnt(new_medium("m", MediumKind.CD_RW))

    quick = erased(being_erased(medium), full=False)

    assert (quick.status, quick.used, quick.sessions, quick.erases) == (MediumStatus.BLANK, False, (), 1)
    assert quick.remains == medium.sessions
    assert begun(quick, wanted()).remains == ()
    assert [session.blocks for session in erased(being_erased(quick), full=True).remains] == [medium.capacity]


def test_write_once_media_can_not_be_erased() -> None:
    with pytest.raises(MediumUnsuitable):
        being_erased(new_medium("m", MediumKind.BD_R))


class Sessions(RuleBasedStateMachine):
    """Any use of a drive, with the burner's own sink and small sessions; the drive's log is the judge."""

    def __init__(self) -> None:
        super().__init__()
        self._home = tempfile.TemporaryDirectory()
        self._device = open_device(f"emulated:{self._home.name}/drive")
        self._drive = beside(self._device)
        self._burns = 0
        self._next = 0
        self._erases = 0

    def teardown(self) -> None:
        self._home.cleanup()

    @property
    def _medium(self) -> Medium | None:
        return self._drive.tray()[1]

    def _changed(self) -> None:
        self._next, self._erases = 0, 0

    @initialize(kind=st.sampled_from(["cd-r", "cd-rw", "dvd-r", "dvd+r", "dvd-rw", "dvd+rw", "bd-r"]))
    def begin(self, kind: str) -> None:
        self._drive.insert(kind)

    @precondition(lambda self: self._medium is None)
    @rule(kind=st.sampled_from(["cd-r", "cd-rw", "bd-re"]), status=st.sampled_from(MediumStatus))
    def insert(self, kind: str, status: MediumStatus) -> None:
        self._drive.insert(kind, status)

    @precondition(lambda self: self._medium is not None)
    @rule(
        blocks=st.integers(1, 40),
        off=st.sampled_from([0, 0, 0, 1, 12_000]),
        leave_open=st.booleans(),
        cut=st.sampled_from([False, False, False, True]),
        audio=st.booleans(),
    )
    def burn(self, blocks: int, off: int, *, leave_open: bool, cut: bool, audio: bool) -> None:
        before = self._medium
        assert before is not None
        block_size = AUDIO_BLOCK if audio else BLOCK
        blocks = ALBUM.blocks if audio else blocks
        plan = self._plan(before, blocks, block_size, before.next_writable + off, leave_open=leave_open)
        sink = open_sink(plan, Cancel(), ProgressWriter(Path(self._home.name)))
        try:
            sink.check()
        except MediumError:
            assert self._medium == before
            return
        sink.open()
        if blocks > 1 or not cut:
            sink.write(memoryview(bytes([self._burns % 256]) * (blocks - cut) * block_size))
        if cut:
            sink.abort()
        else:
            sink.close()

    def _plan(self, medium: Medium, blocks: int, block_size: int, start: int, *, leave_open: bool) -> Plan:
        self._burns += 1
        folder = str(self._drive.folder.path)
        sink = {"type": "emulated", "folder": folder, "medium": medium.id, "rate": None, "underrun_free": True}
        size, label = blocks * block_size, f"burn {self._burns}"
        programme = ALBUM.canonical if block_size == AUDIO_BLOCK else ""
        return Plan("", size, block_size, "", label, False, 1, sink, start, leave_open, programme)  # noqa: FBT003

    @precondition(lambda self: self._medium is not None)
    @rule(full=st.booleans())
    def blank(self, *, full: bool) -> None:
        before = self._medium
        assert before is not None
        try:
            self._device.recorder.blank(Ear(), full=full)
        except MediumUnsuitable:
            assert not before.kind.is_rewritable
            assert self._medium == before
        else:
            self._next, self._erases = 0, self._erases + 1

    @precondition(lambda self: self._medium is not None)
    @rule()
    def remove(self) -> None:
        self._device.loader.unload(Bin.ACCEPT, "disc")
        self._changed()

    @invariant()
    def sessions_do_not_overlap(self) -> None:
        medium = self._medium
        if medium is None:
            return
        end = 0
        for number, session in enumerate(medium.written, 1):
            assert (session.number, session.first >= end) == (number, True)
            end = session.last + 1
        assert end <= medium.capacity
        if medium.status is MediumStatus.APPENDABLE:
            assert medium.next_writable >= end

    @invariant()
    def the_next_session_begins_further_on(self) -> None:
        medium = self._medium
        if medium is not None and medium.status is not MediumStatus.COMPLETE:
            assert medium.next_writable >= self._next
            assert medium.next_writable + medium.free_blocks == medium.capacity
            self._next = medium.next_writable

    @invariant()
    def the_log_agrees(self) -> None:
        medium = self._medium
        if medium is None:
            return
        path = self._drive.folder.medium(medium.id).path / "writes.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        assert sum(line["event"] == "blanked" for line in lines) == medium.erases == self._erases
        opened = [line for line in lines if line["event"] == "opened" and line["erases"] == medium.erases]
        ours = [session for session in medium.written if session.label != "used"]
        if medium.status is MediumStatus.OVERWRITABLE:
            opened = opened[-1:]
        told = [(line["session"], line["first"], line["last"], line["label"]) for line in opened]
        assert told == [(session.number, session.first, session.last, session.label) for session in ours]
        cuts = [line["cut"] for line in lines if line["event"] == "closed"]
        assert medium.damaged == (bool(ours) and cuts[-1])

    @invariant()
    def every_session_reads_as_it_was_written(self) -> None:
        medium = self._medium
        for session in () if medium is None or medium.damaged else medium.sessions:
            if session.label != "used" and not session.is_audio:
                found = self._device.recorder.read_blocks(session.first, session.blocks)
                assert found == bytes([int(session.label.split()[1]) % 256]) * session.size


TestAnyUseOfADrive = Sessions.TestCase
TestAnyUseOfADrive.settings = settings(max_examples=30, stateful_step_count=12, deadline=None)


@given(blocks=st.lists(st.integers(1, 30_000), min_size=1, max_size=12), kind=st.sampled_from(MediumKind))
def test_what_is_free_and_what_is_gone_are_the_capacity(blocks: list[int], kind: MediumKind) -> None:
    medium = new_medium("m", kind)
    for count in blocks:
        if medium.free_blocks >= count:
            medium = burnt(medium, count, leave_open=True)

            assert medium.free_blocks in {0, medium.capacity - medium.next_writable}
            assert medium.next_writable % kind.family.rounding == 0
