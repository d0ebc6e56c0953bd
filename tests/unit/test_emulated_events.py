"""What listeners hear, by a clock that is moved by hand."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mastering.programme import Programme, Track
from jobs.mastering.progress import Action, BlockProgress, TrackProgress, WriteProgress
from jobs.mastering.recorder import BurnOrder
from tests.burns import Ear
from workers.recorders.burn_events import Ear as SafeEar
from workers.recorders.burn_events import Estimates, Narrator

ORDER = BurnOrder(Path("image"), 1000 * 2048, 2048, "", Path("evidence"), "disc", start=5000)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_elapsed_and_remaining_are_the_whole(tmp_path: Path) -> None:
    clock, ear = Clock(), Ear()
    narrator = Narrator(replace(ORDER, evidence=tmp_path), SafeEar(ear), Estimates(preparing=2.0), clock)
    narrator.prepare()
    narrator.expect(Estimates(preparing=2.0, closing=3.0, rate=100 * 2048.0))
    clock.now += 2
    narrator.hear({"phase": "writing"})
    for done in (0, 250, 500, 1000):
        narrator.hear({"done": done, "speed_x": 1.0, "buffer": 0.5})
        narrator.pulse()
        clock.now += 2.5 if done < 500 else 5
    clock.now -= 5
    narrator.hear({"phase": "closing"})
    clock.now += 1
    narrator.pulse()
    clock.now += 2
    narrator.complete()

    moments = [event for event in ear.events if isinstance(event, WriteProgress)]

    assert [moment.total_seconds for moment in moments[1:]] == pytest.approx([15.0] * (len(moments) - 1))
    assert [moment.action for moment in moments] == [
        *[Action.PREPARING] * 2,
        *[Action.WRITING] * 4,
        *[Action.FINALIZING] * 2,
        Action.COMPLETED,
    ]
    assert [moment.last_written for moment in moments] == [-1, -1, -1, 5249, 5499, 5999, 5999, 5999, 5999]
    assert [moment.buffer_fill for moment in moments[3:]] == [0.5] * 6


def test_a_pulse_is_not_told_at_every_look() -> None:
    clock, ear = Clock(), Ear()
    narrator = Narrator(ORDER, SafeEar(ear), Estimates(), clock)
    times = []
    for _ in range(40):
        clock.now += 0.125
        before = len(ear.events)
        narrator.pulse()
        times += [clock.now] * (len(ear.events) - before)

    assert {following - one for one, following in pairwise(times)} == {0.25}


@given(
    lengths=st.lists(st.tuples(st.integers(300, 400), st.integers(0, 160)), min_size=1, max_size=99),
    told=st.lists(st.integers(0, 60_000), max_size=30),
)
def test_each_track_is_told_once_behind_its_last_block(lengths: list[tuple[int, int]], told: list[int]) -> None:
    programme = Programme(tuple(Track(blocks, pregap) for blocks, pregap in lengths))
    order = replace(ORDER, size=programme.blocks * 2352, block_size=2352, programme=programme)
    ear = Ear()
    narrator = Narrator(order, SafeEar(ear), Estimates())

    for done in (0, *(min(done, programme.blocks) for done in told), programme.blocks):
        narrator.hear({"done": done, "speed_x": 1.0})

    ends = [start + track.blocks for start, track in zip(programme.starts, programme.tracks, strict=True)]
    tracks = [event.done for event in ear.events if isinstance(event, TrackProgress)]
    blocks = [event.done for event in ear.events if isinstance(event, BlockProgress)]
    assert tracks == list(range(len(lengths) + 1))
    assert ear.events[0] == TrackProgress(0, len(lengths))
    assert blocks == sorted(set(blocks))
    before: dict[int, int] = {}
    for event, following in pairwise(ear.events):
        if isinstance(following, TrackProgress) and isinstance(event, BlockProgress):
            before[following.done] = event.done
    assert before == dict(enumerate(ends, 1))
