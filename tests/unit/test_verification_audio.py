"""Reading an audio disc back finds every changed sample, wherever the drive begins to read."""

import hashlib
import math
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import MediumDiffers
from jobs.mastering.audio_verification import compare_audio
from jobs.mastering.image import ImageReader
from jobs.mastering.master import Listener
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import AUDIO_BLOCK
from jobs.mastering.programme import Programme, Track
from jobs.mastering.progress import ProgressEvent, VerifyProgress
from jobs.mastering.verification import Comparison, describe
from tests.programmes import audio_master, samples_of

SILENT = Listener(lambda _: None)
PROGRAMME = Programme((Track(400, 20), Track(500, 150), Track(380)))
SAMPLES = PROGRAMME.blocks * 588
#: Samples of one wave of a test tone.
WAVE = 100

offsets = st.one_of(st.integers(-3000, 3000), st.sampled_from([0, -3000, 3000, 588, -588, 1]))


def tone(count: int) -> bytes:
    """Make a tone that repeats itself to the sample."""
    heights = [round(12_000 * math.sin(2 * math.pi * place / WAVE)) for place in range(WAVE)]
    wave = b"".join(struct.pack("<hh", height, -height) for height in heights)
    return (wave * (count // WAVE + 1))[: 4 * count]


def music() -> bytes:
    """Make silence, noise, silence, a tone, noise, and silence up to the end."""
    parts = [
        bytes(4 * 30_000),
        samples_of("one", 200_000),
        bytes(4 * 90_000),
        tone(150_000),
        samples_of("two", 250_000),
    ]
    return b"".join(parts)[: 4 * SAMPLES].ljust(4 * SAMPLES, b"\0")


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> StoredMaster:
    return audio_master(tmp_path_factory.mktemp("music"), PROGRAMME, music())


def bytes_of(master: StoredMaster) -> bytes:
    with ImageReader(master.load_image()) as reader:
        return reader.read(0, master.size)


@pytest.fixture(scope="module")
def disc(master: StoredMaster) -> bytes:
    return bytes_of(master)


def shifted(disc: bytes, offset: int, foreign: bytes = b"\0") -> bytes:
    """Read a disc so many samples late; what is not the disc's is foreign."""
    strange = foreign * (4 * abs(offset))
    return strange + disc[: len(disc) - 4 * offset] if offset >= 0 else disc[-4 * offset :] + strange


def read_back(master: StoredMaster, data: bytes, piece: int = 64 * AUDIO_BLOCK) -> Comparison:
    def pieces() -> Iterator[bytes]:
        return (data[start : start + piece] for start in range(0, len(data), piece))

    return compare_audio(pieces, master, SILENT)


def named(comparison: Comparison) -> set[int]:
    return {
        block
        for difference in comparison.differences
        for block in range(difference.first_block, difference.first_block + difference.blocks)
    }


@settings(max_examples=40, deadline=None)
@given(offset=offsets, foreign=st.sampled_from([b"\0", b"\x55"]), piece=st.integers(1_000, 500_000))
def test_an_untouched_disc_is_equal_wherever_the_drive_begins(
    master: StoredMaster, disc: bytes, offset: int, foreign: bytes, piece: int
) -> None:
    comparison = read_back(master, shifted(disc, offset, foreign), piece)

    assert comparison.equal
    assert comparison.sha256 == master.sha256
    assert comparison.not_compared == abs(comparison.offset_samples)
    if foreign != b"\0":  # this master begins and ends with silence: what is like it can't be told from it
        assert comparison.offset_samples == offset


@settings(max_examples=60, deadline=None)
@given(offset=offsets, data=st.data())
def test_any_changed_sample_is_found_and_its_block_is_named(
    master: StoredMaster, disc: bytes, offset: int, data: st.DataObject
) -> None:
    readable = st.integers(max(0, -offset), SAMPLES - 1 - max(0, offset))
    changed = data.draw(st.sets(readable, min_size=1, max_size=5))
    damaged = bytearray(disc)
    for sample in changed:
        damaged[4 * sample + data.draw(st.integers(0, 3))] ^= data.draw(st.integers(1, 255))

    comparison = read_back(master, shifted(bytes(damaged), offset, b"\x55"))

    assert comparison.offset_samples == offset
    assert named(comparison) == {sample // 588 for sample in changed}


@pytest.mark.parametrize("offset", [-3001, 3001, 20_000])
def test_a_disc_further_off_than_any_drive_is_not_the_master_s(master: StoredMaster, disc: bytes, offset: int) -> None:
    assert not read_back(master, shifted(disc, offset)).equal


@settings(max_examples=25, deadline=None)
@given(offset=st.integers(-2000, 2000), at=st.integers(60_000, 200_000), missing=st.integers(1, 900))
def test_samples_that_are_missing_in_mid_disc_are_found(
    master: StoredMaster, disc: bytes, offset: int, at: int, missing: int
) -> None:
    jumped = disc[: 4 * at] + disc[4 * (at + missing) :] + bytes(4 * missing)

    comparison = read_back(master, shifted(jumped, offset))

    assert not comparison.equal


@settings(max_examples=25, deadline=None)
@given(offset=offsets)
def test_damage_at_both_ends_is_found(master: StoredMaster, disc: bytes, offset: int) -> None:
    damaged = bytearray(disc)
    first, last = max(0, -offset), SAMPLES - 1 - max(0, offset)
    damaged[4 * first] ^= 1
    damaged[4 * last] ^= 1

    comparison = read_back(master, shifted(bytes(damaged), offset, b"\x55"))

    assert named(comparison) == {first // 588, last // 588}


def test_heavy_damage_at_the_beginning_does_not_mislead(master: StoredMaster, disc: bytes) -> None:
    half = len(disc) // 2 // AUDIO_BLOCK * AUDIO_BLOCK
    damaged = samples_of("damage", half // 4) + disc[half:]

    comparison = read_back(master, shifted(damaged, -700))

    assert comparison.offset_samples == -700
    assert named(comparison) == set(range(700 // 588, half // AUDIO_BLOCK))


def test_where_a_disc_differs_is_told_by_track_and_time(master: StoredMaster, disc: bytes) -> None:
    damaged = bytearray(disc)
    for block in (5, 25, 26, 450, 20 + 400 + 150 + 76):
        damaged[block * AUDIO_BLOCK] ^= 1

    comparison = read_back(master, shifted(bytes(damaged), 12))

    assert describe(comparison.differences) == (
        "the disc differs from its master in block 5 (track 1 00:00:15 before its start); "
        "blocks 25-26 (track 1 at 00:00:05); block 450 (track 2 00:01:45 before its start); "
        "block 646 (track 2 at 00:01:01)"
    )


def test_a_run_over_several_tracks_names_them_all() -> None:
    assert PROGRAMME.places(419, 152) == ["track 1 at 00:05:24", "track 2 00:02:00 before its start"]
    assert PROGRAMME.places(1449, 1) == ["track 3 at 00:05:04"]


def uniform(folder: Path, data: bytes) -> tuple[StoredMaster, bytes]:
    master = audio_master(folder, Programme((Track(400),)), data)
    return master, bytes_of(master)


def test_silence_is_equal_to_silence(tmp_path: Path) -> None:
    master, disc = uniform(tmp_path, bytes(AUDIO_BLOCK))

    assert read_back(master, shifted(disc, 100)) == Comparison(hashlib.sha256(disc).hexdigest(), len(disc), ())


@settings(max_examples=20, deadline=None)
@given(sample=st.integers(3000, 400 * 588 - 3001))
def test_a_click_in_silence_is_found(tmp_path_factory: pytest.TempPathFactory, sample: int) -> None:
    master, disc = uniform(tmp_path_factory.mktemp("silence"), bytes(AUDIO_BLOCK))
    damaged = bytearray(disc)
    damaged[4 * sample] = 1

    comparison = read_back(master, bytes(damaged))

    assert (comparison.offset_samples, named(comparison)) == (0, {sample // 588})


@settings(max_examples=20, deadline=None)
@given(offset=offsets)
def test_a_tone_from_end_to_end_is_equal_wherever_the_drive_begins(
    tmp_path_factory: pytest.TempPathFactory, offset: int
) -> None:
    master, disc = uniform(tmp_path_factory.mktemp("tone"), tone(400 * 588))

    comparison = read_back(master, shifted(disc, offset))

    assert comparison.equal
    assert (comparison.offset_samples - offset) % WAVE == 0


@settings(max_examples=15, deadline=None)
@given(offset=st.integers(-2000, 2000), sample=st.integers(10_000, 200_000))
def test_a_click_in_a_tone_is_found(tmp_path_factory: pytest.TempPathFactory, offset: int, sample: int) -> None:
    master, disc = uniform(tmp_path_factory.mktemp("tone"), tone(400 * 588))
    damaged = bytearray(disc)
    damaged[4 * sample] ^= 1

    comparison = read_back(master, shifted(bytes(damaged), offset))

    assert (comparison.offset_samples, named(comparison)) == (offset, {sample // 588})


def test_damage_all_over_the_disc_is_told_in_one_run(master: StoredMaster, disc: bytes) -> None:
    (difference,) = read_back(master, samples_of("other", len(disc) // 4)).differences

    assert (difference.first_block, difference.blocks) == (0, PROGRAMME.blocks)
    assert difference.places == PROGRAMME_PLACES


PROGRAMME_PLACES = (
    "track 1 00:00:20 before its start",
    "track 2 00:02:00 before its start",
    "track 3 at 00:00:00",
)


def test_a_disc_that_ends_early_is_no_disc(master: StoredMaster, disc: bytes) -> None:
    for data in (disc[:-AUDIO_BLOCK], shifted(disc, 7)[:-4], b""):
        with pytest.raises(MediumDiffers, match="ends after"):
            read_back(master, data)


def test_what_lies_behind_the_programme_is_not_compared(master: StoredMaster, disc: bytes) -> None:
    assert read_back(master, disc + b"the rest of the medium").equal


def test_where_a_source_is_gone_the_disc_is_compared_as_it_is_read(tmp_path: Path) -> None:
    master, disc = uniform(tmp_path, samples_of("gone", 400 * 588))
    damaged = bytearray(disc)
    damaged[50 * AUDIO_BLOCK] ^= 1
    for path in tmp_path.glob("*.pcm"):
        path.unlink()

    assert read_back(master, disc).equal
    assert named(read_back(master, bytes(damaged))) == set(range(32, 64))


def test_a_disc_equal_as_it_is_read_is_read_once(master: StoredMaster, disc: bytes) -> None:
    started: list[int] = []

    def pieces() -> Iterator[bytes]:
        started.append(1)
        return iter([disc])

    assert compare_audio(pieces, master, SILENT).equal
    assert len(started) == 1


def test_progress_ends_at_the_last_block(master: StoredMaster, disc: bytes) -> None:
    heard: list[ProgressEvent] = []

    compare_audio(lambda: iter([shifted(disc, 5)]), master, Listener(heard.append))

    last = heard[-1]
    assert isinstance(last, VerifyProgress)
    assert last.done == last.total == master.blocks
