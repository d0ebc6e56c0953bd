"""Samples are converted in blocks of any size to the same result, and never without end."""

from collections import deque
from collections.abc import Iterator
from itertools import pairwise, repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.decoder.conversion import Converter
from jobs.decoder.sounds import Block
from jobs.decoder.words import MOST_SAMPLES, Tags, Undecodable
from tests.audio_files import Floats, music

SEED = "0123456789abcdef" * 4


class Blocks:
    """A sound that is not in a file."""

    bits, format, tags = 0, "blocks", Tags()

    def __init__(self, blocks: Iterator[Block], rate: int = 44_100, *, exact: bool = False) -> None:
        self.rate, self.channels, self.exact = rate, 2, exact
        self._blocks = blocks

    def blocks(self) -> Iterator[Block]:
        return self._blocks

    def share(self, taken: int) -> float:
        return 0.0 * taken


def converted(samples: Floats, sizes: list[int], rate: int) -> bytes:
    """Convert samples in blocks of these sizes, the rest in one."""
    bounds = [0, *np.cumsum(sizes).tolist(), len(samples)]
    blocks = (samples[begin:end] for begin, end in pairwise(bounds) if begin < end)
    return b"".join(block.tobytes() for block in Converter(Blocks(blocks, rate), SEED).blocks())


@given(st.lists(st.integers(1, 3000), max_size=20), st.sampled_from([44_100, 48_000, 96_000, 22_050]))
@settings(deadline=None, max_examples=40)
def test_the_size_of_blocks_does_not_matter(sizes: list[int], rate: int) -> None:
    samples = music(20_000, rate)

    assert converted(samples, sizes, rate) == converted(samples, [], rate)


@given(st.integers(1, 3000), st.integers(4_000, 768_000))
@settings(deadline=None, max_examples=60)
def test_the_length_is_that_of_the_rate_to_the_very_sample(count: int, rate: int) -> None:
    length = (2 * count * 44_100 + rate) // (2 * rate)

    assert len(converted(music(count, rate), [], rate)) == length * 4


def test_a_sound_without_end_is_given_up_after_99_minutes() -> None:
    endless = repeat(np.zeros((1 << 16, 2), np.int16))
    converter = Converter(Blocks(endless, exact=True), SEED)

    with pytest.raises(Undecodable, match="is longer than 99 minutes; cut it"):
        deque(converter.blocks(), maxlen=0)

    assert converter.samples <= MOST_SAMPLES + (1 << 16)
