"""Any sequence of calls keeps a DiscMaster within its state machine, and writes no block that nobody asked for."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from jobs.errors import (
    AlreadyOpen,
    DiscError,
    DiscFull,
    MediumMissing,
    MediumNotWritable,
    NoActiveFormat,
    NoActiveRecorder,
    NothingStaged,
    NotOpened,
    TrackNotOpen,
    TrackOpen,
    TrackTooShort,
    WrongFormat,
)
from jobs.mastering.content import Content
from jobs.mastering.joliet_master import JolietDiscMaster
from jobs.mastering.master import DiscMaster, RecordOptions
from jobs.mastering.medium import MediumKind, MediumStatus
from jobs.mastering.redbook_master import RedbookDiscMaster
from models.vocabulary import DiscFormat
from tests.burns import beside
from tests.mastering import a_device

PCM = bytes(300 * 2352)
Refusal = type[DiscError] | None


class Sequences(RuleBasedStateMachine):
    """A DiscMaster beside what the reference says of it (IMAPI reference, section 2)."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.device = a_device(self.folder, kind=None)
        self.master = DiscMaster([self.device.recorder])
        self.contents: list[Content] = []
        self.is_open = False
        self.format: DiscFormat | None = None
        self.has_recorder = False
        self.selected: str | None = None  #: the disc at the time of selection: "blank" or "used"
        self.disc: str | None = None
        self.staged = 0
        self.track: int | None = None  #: blocks of the open track
        self.burns = 0

    def teardown(self) -> None:
        self.master.close()
        shutil.rmtree(self.folder)

    def expect(self, call: Callable[[], object], refusal: Refusal) -> bool:
        """Make a call; return whether it was to succeed, after checking that it did or was refused as told."""
        if refusal is None:
            call()
            return True
        with pytest.raises(refusal):
            call()
        return False

    def steps_missing(self) -> Refusal:
        if not self.is_open:
            return NotOpened
        return NoActiveFormat if self.format is None else None

    @rule()
    def open(self) -> None:
        if self.expect(self.master.open, AlreadyOpen if self.is_open else None):
            self.is_open = True

    @rule()
    def close(self) -> None:
        self.master.close()
        self.is_open = self.has_recorder = False
        self.format = self.selected = self.track = None
        self.staged = 0

    @rule(disc_format=st.sampled_from([DiscFormat.JOLIET, DiscFormat.REDBOOK]))
    def set_format(self, disc_format: DiscFormat) -> None:
        def call() -> None:
            self.contents.append(self.master.set_format(disc_format))

        if self.expect(call, None if self.is_open else NotOpened):
            self.format, self.selected, self.track, self.staged = disc_format, None, None, 0

    @rule()
    def set_recorder(self) -> None:
        refusal = self.steps_missing()
        if refusal is None and self.disc is None:
            refusal = MediumMissing
        elif refusal is None and self.staged and self.disc == "used":
            refusal = DiscFull
        if self.expect(lambda: self.master.set_recorder(self.master.recorders()[0]), refusal):
            self.has_recorder, self.selected = True, self.disc

    @rule(disc_format=st.sampled_from([DiscFormat.JOLIET, DiscFormat.REDBOOK]))
    def get_ready(self, disc_format: DiscFormat) -> None:
        """Take the steps that random calls seldom take in order."""
        self.change_disc("blank")
        self.open()
        self.set_format(disc_format)
        self.set_recorder()
        content = self.contents[-1]
        if isinstance(content, JolietDiscMaster):
            content.add_data({"file": b"content"})
        elif isinstance(content, RedbookDiscMaster):
            content.create_track()
            content.add_blocks(PCM)
            content.close_track()
        self.staged += 1

    def refusal_of(self, content: Content) -> Refusal:
        """Say what a staging call on a content is refused with, before its own conditions."""
        missing = self.steps_missing()
        if missing is not None:
            return missing
        if content is not self.contents[-1]:
            return WrongFormat
        return NoActiveRecorder if self.selected is None else None

    @precondition(lambda self: any(isinstance(content, JolietDiscMaster) for content in self.contents))
    @rule(data=st.data())
    def add_data(self, data: st.DataObject) -> None:
        content = data.draw(st.sampled_from([each for each in self.contents if isinstance(each, JolietDiscMaster)]))
        refusal = self.refusal_of(content) or (DiscFull if self.selected == "used" else None)
        if self.expect(lambda: content.add_data({f"file {self.staged}": b"content"}), refusal):
            self.staged += 1

    @precondition(lambda self: any(isinstance(content, RedbookDiscMaster) for content in self.contents))
    @rule(data=st.data(), step=st.sampled_from(["create", "add", "close"]))
    def stage_audio(self, data: st.DataObject, step: str) -> None:
        content = data.draw(st.sampled_from([each for each in self.contents if isinstance(each, RedbookDiscMaster)]))
        refusal = self.refusal_of(content)
        if step == "create":
            refusal = refusal or (TrackOpen if self.track is not None else None)
            if self.expect(content.create_track, refusal):
                self.track, self.staged = 0, self.staged + 1
        elif step == "add":
            refusal = refusal or (TrackNotOpen if self.track is None else DiscFull if self.selected == "used" else None)
            if self.expect(lambda: content.add_blocks(PCM), refusal):
                assert self.track is not None
                self.track += 300
        else:
            refusal = refusal or (TrackNotOpen if self.track is None else TrackTooShort if self.track < 300 else None)
            if self.expect(content.close_track, refusal):
                self.track = None

    @rule()
    def clear(self) -> None:
        if self.expect(self.master.clear_content, None if self.is_open else NotOpened):
            self.staged, self.track = 0, None

    @rule(kind=st.sampled_from(["blank", "used", None]))
    def change_disc(self, kind: str | None) -> None:
        self.burns -= self.burns_on_disc()
        beside(self.device).remove()
        self.disc = kind
        if kind is not None:
            status = MediumStatus.BLANK if kind == "blank" else MediumStatus.COMPLETE
            beside(self.device).insert(MediumKind.CD_R, status)

    @rule(simulate=st.booleans(), keep=st.booleans())
    def record(self, *, simulate: bool, keep: bool) -> None:
        refusal = self.steps_missing() or self.refusal_to_record()
        if self.expect(lambda: self.master.record(RecordOptions(simulate=simulate, keep=keep)), refusal):
            if not keep:
                self.staged, self.selected = 0, None
            if not simulate:
                self.disc, self.burns = "used", self.burns + 1

    def refusal_to_record(self) -> Refusal:
        if not self.has_recorder:
            return NoActiveRecorder
        if self.track is not None:
            return TrackOpen
        if not self.staged:
            return NothingStaged
        if self.disc is None:
            return MediumMissing
        return MediumNotWritable if self.disc == "used" else None

    def burns_on_disc(self) -> int:
        drive = beside(self.device).folder
        medium = drive.read().medium
        writes = drive.medium(medium).path / "writes.jsonl" if medium else None
        if writes is None or not writes.exists():
            return 0
        return sum(json.loads(line)["event"] == "opened" for line in writes.read_text().splitlines())

    @invariant()
    def nothing_was_written_unasked(self) -> None:
        assert self.burns_on_disc() == self.burns


TestSequences = Sequences.TestCase
TestSequences.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
