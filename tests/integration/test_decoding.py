"""Audio files become the samples that they hold, the same ones every time."""

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jobs.decoding import Decoder
from jobs.roots import ContentRoots
from jobs.store import ContentStore
from tests import audio_files
from tests.audio_files import RATE, Floats, Samples, music, noise, recording, samples_of, write

#: A length that no block and no frame of any format divides.
COUNT = 3 * RATE + 123


@pytest.fixture
def decoder(tmp_path: Path) -> Decoder:
    return Decoder(ContentRoots([tmp_path]), ContentStore(tmp_path / "store"))


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "rf64", "w64"])
def test_a_discs_own_samples_pass_bit_by_bit(tmp_path: Path, decoder: Decoder, suffix: str) -> None:
    samples = noise(COUNT)
    file = write(tmp_path / f"song.{suffix}", samples, "PCM_16")

    decoded = decoder.decode(recording(file))

    (piece,) = decoded.pieces
    assert samples_of(decoded).tobytes() == samples.tobytes()
    assert piece.sha256 == hashlib.sha256(samples.tobytes()).hexdigest()
    assert (piece.path, piece.size, piece.origin) == (file.name, COUNT * 4, str(file))
    assert piece.origin_sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert piece.mtime_ns == file.stat().st_mtime_ns
    assert piece.source == str(ContentStore(tmp_path / "store").path(piece.sha256))
    facts = decoded.facts
    assert (facts.samples, facts.rate, facts.bits, facts.channels) == (COUNT, RATE, 16, 2)
    assert not facts.dithered
    assert not facts.resampled


def test_a_flac_of_the_flac_program_passes_bit_by_bit(tmp_path: Path, decoder: Decoder) -> None:
    samples = noise(COUNT)
    file = audio_files.encode(tmp_path / "song.flac", samples, "flac", "-s", "-8", "-o", "OUT", "IN")

    decoded = decoder.decode(recording(file))

    assert samples_of(decoded).tobytes() == samples.tobytes()


@pytest.mark.parametrize(
    ("codec", "suffix"), [("alac", "m4a"), ("alac", "caf"), ("wavpack", "wv"), ("tta", "tta"), ("flac", "mka")]
)
def test_a_lossless_file_that_ffmpeg_decodes_passes_bit_by_bit(
    tmp_path: Path, decoder: Decoder, codec: str, suffix: str
) -> None:
    samples = noise(COUNT)
    file = audio_files.ffmpeg(tmp_path / f"song.{suffix}", samples, codec)

    decoded = decoder.decode(recording(file))

    assert samples_of(decoded).tobytes() == samples.tobytes()
    assert not decoded.facts.dithered


@pytest.mark.parametrize(("subtype", "shift"), [("PCM_S8", 8), ("PCM_U8", 8)])
def test_eight_bits_are_exact_in_sixteen(tmp_path: Path, decoder: Decoder, subtype: str, shift: int) -> None:
    samples = (noise(COUNT) >> shift) << shift
    file = write(tmp_path / ("song.aiff" if subtype == "PCM_S8" else "song.wav"), samples, subtype)

    decoded = decoder.decode(recording(file))

    assert samples_of(decoded).tobytes() == samples.tobytes()


@pytest.mark.parametrize(("raw", "kind"), [("little", "<i2"), ("big", ">i2")])
def test_raw_samples_pass_in_their_byte_order(tmp_path: Path, decoder: Decoder, raw: str, kind: str) -> None:
    samples = noise(COUNT)
    file = tmp_path / "disc.bin"
    file.write_bytes(samples.astype(kind).tobytes())

    decoded = decoder.decode(recording(file, raw))

    assert samples_of(decoded).tobytes() == samples.tobytes()


def test_one_channel_becomes_two_equal_ones(tmp_path: Path, decoder: Decoder) -> None:
    samples = noise(COUNT)[:, 0]
    exact = write(tmp_path / "exact.wav", samples, "PCM_16")
    dithered = write(tmp_path / "dithered.wav", samples / 40_000, "PCM_24")

    both = [samples_of(decoder.decode(recording(file))) for file in (exact, dithered)]

    assert both[0].tolist() == [[sample, sample] for sample in samples.tolist()]
    assert (both[1][:, 0] == both[1][:, 1]).all()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("vbr.mp3", lambda path, samples: audio_files.lame(path, samples, "-V2")),
        ("cbr.mp3", lambda path, samples: audio_files.lame(path, samples, "-b", "192")),
        ("song.ogg", lambda path, samples: write(path, samples, "VORBIS")),
        ("song.opus", lambda path, samples: audio_files.ffmpeg(path, samples, "libopus")),
    ],
)
def test_a_lossy_file_is_as_long_as_what_was_encoded(
    tmp_path: Path, decoder: Decoder, name: str, make: Callable[[Path, Samples | Floats], Path]
) -> None:
    tones = music(COUNT)
    file = make(tmp_path / name, tones)

    decoded = decoder.decode(recording(file))

    difference = samples_of(decoded) / 2**15 - tones
    assert decoded.facts.samples == COUNT
    assert decoded.facts.dithered
    assert np.abs(difference[1000:-1000]).mean() < 0.01  # no delay: the waves lie on each other


@pytest.mark.parametrize(
    ("codec", "suffix"), [("aac", "m4a"), ("aac", "aac"), ("wmav2", "wma"), ("ac3", "ac3"), ("libopus", "webm")]
)
def test_what_ffmpeg_decodes_sounds_as_what_was_encoded(
    tmp_path: Path, decoder: Decoder, codec: str, suffix: str
) -> None:
    tones = music(COUNT)
    file = audio_files.ffmpeg(tmp_path / f"song.{suffix}", tones, codec, "-b:a", "192k")

    decoded = decoder.decode(recording(file))

    heard = samples_of(decoded) / 2**15
    assert abs(decoded.facts.samples - COUNT) < 5000  # these formats count in frames
    assert decoded.facts.dithered
    assert np.sqrt((heard**2).mean(axis=0)) == pytest.approx(np.sqrt((tones**2).mean(axis=0)), rel=0.05)


def test_an_mp3_that_does_not_tell_its_length_is_decoded_to_its_end(tmp_path: Path, decoder: Decoder) -> None:
    file = audio_files.lame(tmp_path / "song.mp3", music(COUNT), "-t", "-b", "192")

    decoded = decoder.decode(recording(file))

    assert COUNT <= decoded.facts.samples < COUNT + 4 * 1152


def test_an_mp3_of_a_low_rate_is_as_long_as_what_was_encoded(tmp_path: Path, decoder: Decoder) -> None:
    file = audio_files.lame(tmp_path / "song.mp3", music(COUNT), "-V2", "--resample", "22.05")

    facts = decoder.decode(recording(file)).facts

    assert facts.rate == 22_050
    assert abs(facts.samples - COUNT) <= 1  # its own samples are twice as long


def test_a_wav_written_into_a_pipe_is_decoded_to_its_end(tmp_path: Path, decoder: Decoder) -> None:
    samples = noise(COUNT)
    file = write(tmp_path / "song.wav", samples, "PCM_16")
    content = bytearray(file.read_bytes())
    for place in (4, 40):
        content[place : place + 4] = b"\xff" * 4
    file.write_bytes(content)

    decoded = decoder.decode(recording(file))

    assert samples_of(decoded).tobytes() == samples.tobytes()


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 48_000, 88_200, 96_000, 192_000])
def test_another_rate_gives_the_very_number_of_samples(tmp_path: Path, decoder: Decoder, rate: int) -> None:
    count = 2 * rate + 7
    file = write(tmp_path / "song.wav", music(count, rate), "PCM_24", rate)

    decoded = decoder.decode(recording(file))

    assert decoded.facts.samples == round(count * RATE / rate)
    assert decoded.facts.resampled
    assert decoded.facts.dithered


@pytest.mark.parametrize("rate", [48_000, 96_000])
def test_a_tone_keeps_its_level_and_its_purity(tmp_path: Path, decoder: Decoder, rate: int) -> None:
    tone = 0.9 * np.sin(2 * np.pi * 1000 * np.arange(4 * rate) / rate)
    file = write(tmp_path / "tone.wav", np.stack([tone, tone], 1), "PCM_24", rate)

    heard = samples_of(decoder.decode(recording(file)))[RATE // 2 : -RATE // 2, 0] / 2**15

    time = np.arange(len(heard)) + RATE // 2
    waves = np.stack([np.sin(2 * np.pi * 1000 * time / RATE), np.cos(2 * np.pi * 1000 * time / RATE)], 1)
    (sine, cosine), *_ = np.linalg.lstsq(waves, heard, rcond=None)
    rest = heard - waves @ np.array([sine, cosine])
    assert abs(20 * np.log10(np.hypot(sine, cosine) / 0.9)) < 0.1
    assert abs(cosine) < 1e-4  # and its phase: nothing is delayed
    assert 20 * np.log10(np.hypot(sine, cosine) / np.sqrt(2) / rest.std()) > 90  # dither is at -96 dB, the tone at -4


def test_above_half_the_rate_nothing_comes_back_as_another_tone(tmp_path: Path, decoder: Decoder) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 30_000 * np.arange(2 * 96_000) / 96_000)
    file = write(tmp_path / "tone.wav", np.stack([tone, tone], 1), "PCM_24", 96_000)

    heard = samples_of(decoder.decode(recording(file)))[RATE // 4 : -RATE // 4] / 2**15

    assert 20 * np.log10(heard.std() / 0.354) < -80


def test_dither_makes_the_error_of_rounding_noise(tmp_path: Path, decoder: Decoder) -> None:
    level = np.full((COUNT, 2), 0.3 / 2**15)  # a third of the smallest step: without dither it would be silence
    file = write(tmp_path / "soft.wav", level, "FLOAT")

    heard = samples_of(decoder.decode(recording(file)))

    assert heard.mean() == pytest.approx(0.3, abs=0.01)
    assert heard.std() == pytest.approx((1 / 6 + 1 / 12) ** 0.5, abs=0.01)
    assert set(np.unique(heard)) <= {-1, 0, 1}


def test_the_same_file_gives_the_same_samples_every_time(tmp_path: Path, decoder: Decoder) -> None:
    tones = music(COUNT)
    file = write(tmp_path / "song.wav", tones, "PCM_24", 48_000)
    copy = write(tmp_path / "copy.wav", tones, "PCM_24", 48_000)
    other = write(tmp_path / "other.wav", tones * 0.9, "PCM_24", 48_000)

    digests = [decoder.decode(recording(each)).pieces[0].sha256 for each in (file, file, copy, other)]

    assert digests[0] == digests[1] == digests[2]
    assert digests[3] != digests[0]


def test_the_dither_is_the_same_one_whatever_the_version_of_the_library(tmp_path: Path, decoder: Decoder) -> None:
    ramp = np.linspace(-0.5, 0.5, 20_000).repeat(2).reshape(-1, 2)
    file = tmp_path / "ramp.wav"
    # Written by hand: what libsndfile writes beside the samples is another matter.
    data = ramp.astype("<f4").tobytes()
    form = struct.pack("<HHIIHH", 3, 2, RATE, RATE * 8, 8, 32)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data
    file.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)

    digest = decoder.decode(recording(file)).pieces[0].sha256

    assert digest == "9213700591ab25e5f803f610596753abab2c20e8e6a12ac6f0e72491433fa1af"


def test_what_is_too_loud_is_clipped_and_counted(tmp_path: Path, decoder: Decoder) -> None:
    samples = np.zeros((COUNT, 2))
    samples[100:110, 0] = 1.5
    samples[200:205, 1] = -3
    file = write(tmp_path / "loud.wav", samples, "FLOAT")

    decoded = decoder.decode(recording(file))

    assert decoded.facts.clipped == 15
    assert samples_of(decoded)[100:110, 0].tolist() == [32767] * 10
    assert samples_of(decoded)[200:205, 1].tolist() == [-32768] * 5


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "m4a"])
def test_tags_are_read(tmp_path: Path, decoder: Decoder, suffix: str) -> None:
    file = tmp_path / f"song.{suffix}"
    if suffix in {"mp3", "m4a"}:
        codec = "libmp3lame" if suffix == "mp3" else "aac"
        told = ["title=Tïtle", "artist=Someone", "album=All", "track=3"]
        audio_files.ffmpeg(file, music(COUNT), codec, *(word for tag in told for word in ("-metadata", tag)))
    else:
        write(file, music(COUNT), title="Tïtle", artist="Someone", album="All", tracknumber="3")

    tags = decoder.decode(recording(file)).facts.tags

    assert (tags.title, tags.performer, tags.album, tags.number) == ("Tïtle", "Someone", "All", "3")


def test_a_file_is_cut_into_pieces_where_something_comes_in_between(tmp_path: Path, decoder: Decoder) -> None:
    samples = noise(COUNT)
    file = write(tmp_path / "disc.wav", samples, "PCM_16")

    decoded = decoder.decode(recording(file, cuts=(0, 1000, 70_000, COUNT, COUNT + 1)))

    assert [piece.size for piece in decoded.pieces] == [4000, 276_000, (COUNT - 70_000) * 4]
    assert samples_of(decoded).tobytes() == samples.tobytes()


def test_files_are_decoded_in_order_and_progress_ends_with_everything(tmp_path: Path, decoder: Decoder) -> None:
    files = [write(tmp_path / f"{number}.wav", noise(COUNT + number, number), "PCM_16") for number in range(5)]
    heard: list[tuple[int, int]] = []

    results = decoder.decode_all([recording(file) for file in files], lambda *figures: heard.append(figures))

    total = sum(file.stat().st_size for file in files)
    assert [decoded.facts.samples for decoded in results] == [COUNT + number for number in range(5)]
    assert heard[0] == (0, total)
    assert heard[-1] == (total, total)
    assert heard == sorted(heard)


def test_an_ffmpeg_file_is_never_looked_through_for_others(tmp_path: Path, decoder: Decoder) -> None:
    secret = write(tmp_path / "secret.wav", noise(COUNT), "PCM_16")
    playlist = tmp_path / "song.m4a"
    playlist.write_text(f"ffconcat version 1.0\nfile {secret}\n#EXTM3U\n{secret.as_uri()}\n")

    with pytest.raises(Exception, match="is no audio file of a format that is known"):
        decoder.decode(recording(playlist))

    assert not list((tmp_path / "store" / "objects").iterdir())
