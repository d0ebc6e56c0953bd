"""Whatever is wrong with an audio file, it is refused by name: no traceback, no hang, nothing kept."""

import os
import re
import signal
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jobs import decoding
from jobs.decoding import Decoder, DecoderFailed, Limits, Recording
from jobs.errors import Faults, OrderError, OutsideRoots, Remedy, SourceChanged
from jobs.manifest import Entry
from jobs.reading import Stopped
from jobs.roots import ContentRoots
from jobs.store import ContentStore, StoreFull, StoreIntake
from tests import audio_files
from tests.audio_files import RATE, cut_off, damaged, music, noise, recording, write

COUNT = 3 * RATE + 123
Make = Callable[[Path], Path]


@pytest.fixture
def decoder(tmp_path: Path) -> Decoder:
    return Decoder(ContentRoots([tmp_path]), ContentStore(tmp_path / "store"))


def refusal(decoder: Decoder, wanted: Recording) -> str:
    """Decode what can't be decoded; return what is said of it, without its name."""
    with pytest.raises(OrderError) as refused:
        decoder.decode(wanted)
    assert not kept(decoder)
    named, said = refused.value.message[: len(wanted.entry.source)], refused.value.message[len(wanted.entry.source) :]
    assert named == wanted.entry.source
    return said.strip()


def kept(decoder: Decoder) -> list[Path]:
    """List everything in the store: objects, and drafts that were forgotten."""
    return [
        path for path in decoder.store.path("0" * 64).parents[2].rglob("*") if path.is_file() and path.name != "lock"
    ]


def lossless(suffix: str) -> Make:
    return lambda folder: write(folder / f"song.{suffix}", noise(COUNT), "PCM_16")


def lossy(suffix: str) -> Make:
    """Make what is named, by whoever can write it."""
    if suffix == "ogg":
        return lambda folder: write(folder / "song.ogg", music(COUNT), "VORBIS")
    if suffix == "mp3":
        return lambda folder: audio_files.lame(folder / "song.mp3", music(COUNT), "-V2")
    codec = {"opus": "libopus", "m4a": "aac", "aac": "aac", "wma": "wmav2"}[suffix]
    return lambda folder: audio_files.ffmpeg(folder / f"song.{suffix}", music(COUNT), codec)


def faststart(folder: Path) -> Path:
    """Write an M4A whose index comes first, so that its end can be missing unnoticed."""
    return audio_files.ffmpeg(folder / "song.m4a", music(COUNT), "aac", "-movflags", "+faststart")


@pytest.mark.parametrize("suffix", ["wav", "rf64", "w64", "aiff"])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, decoder: Decoder, suffix: str) -> None:
    said = refusal(decoder, recording(cut_off(lossless(suffix)(tmp_path))))

    assert re.fullmatch(r"is cut off: its samples should reach to byte [\d,]+, and it has [\d,]+ bytes", said)


@pytest.mark.parametrize(
    "make", [lossless("flac"), *map(lossy, ["ogg", "mp3", "opus", "m4a", "aac", "wma"]), faststart]
)
def test_an_encoded_file_that_is_cut_off_is_refused(tmp_path: Path, decoder: Decoder, make: Make) -> None:
    said = refusal(decoder, recording(cut_off(make(tmp_path))))

    assert said.startswith(("is cut off", "is damaged", "is no M4A that can be read"))


@pytest.mark.parametrize("make", [lossless("flac"), *map(lossy, ["ogg", "mp3", "opus", "m4a", "aac"])])
def test_a_file_that_is_damaged_in_the_middle_is_refused(tmp_path: Path, decoder: Decoder, make: Make) -> None:
    said = refusal(decoder, recording(damaged(make(tmp_path))))

    assert said.startswith("is damaged")


def test_a_flac_whose_samples_are_not_those_of_its_md5_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    file = lossless("flac")(tmp_path)
    content = bytearray(file.read_bytes())
    content[26 + 7] ^= 1  # in the MD5 itself: frames and their CRCs are whole
    file.write_bytes(content)

    assert refusal(decoder, recording(file)).startswith("is damaged: its samples have not the MD5 that it carries")


@pytest.mark.parametrize("share", [0.999, 0.5])
def test_an_mp3_that_lost_its_end_at_a_frame_is_refused(tmp_path: Path, decoder: Decoder, share: float) -> None:
    file = audio_files.lame(tmp_path / "song.mp3", music(COUNT), "-b", "128")
    frames = file.stat().st_size // 418  # of 417 or 418 bytes
    shorter = cut_off(file, share)
    content = shorter.read_bytes()
    shorter.write_bytes(content[: content.rindex(b"\xff\xfb")])  # where the last frame begins

    assert frames > 100
    assert refusal(decoder, recording(shorter)).startswith("is cut off: ")


def wav(samples: bytes, **lies: int) -> bytes:
    """Make a WAV file that may lie."""
    told = {"kind": 1, "channels": 2, "rate": RATE, "bits": 16, "length": len(samples)} | lies
    align = max(1, told["channels"] * told["bits"] // 8)
    numbers = (told["kind"], told["channels"], told["rate"], told["rate"] * align & 0xFFFF_FFFF, align, told["bits"])
    form = struct.pack("<HHIIHH", *numbers)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", told["length"]) + samples
    return b"RIFF" + struct.pack("<I", len(chunks) & 0xFFFF_FFFF) + chunks


def floats(*odd: float) -> bytes:
    values = np.zeros(2 * RATE, "<f4")
    values[RATE : RATE + len(odd)] = odd
    return wav(values.tobytes(), kind=3, bits=32)


SILENCE = bytes(RATE * 4)
NO_AUDIO = "holds a sample that is no audio (not a number, infinite, or absurd) at 0.500 s"
UNKNOWN = "is no audio file of a format that is known; convert it to WAV or FLAC"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (wav(b""), "holds no samples"),
        (wav(SILENCE, length=0), "holds no samples"),
        (wav(SILENCE, length=1 << 31), "is cut off: its samples should reach to byte 2,147,483,692"),
        (wav(SILENCE, rate=1), "claims a rate of 1 Hz; 4,000 to 768,000 can be converted"),
        (wav(SILENCE, rate=10_000_000), "claims a rate of 10,000,000 Hz; 4,000 to 768,000 can be converted"),
        (wav(SILENCE, channels=6), "has 6 channels, and a disc has two; mix it down to stereo"),
        (wav(SILENCE, channels=1024), "has 1024 channels, and a disc has two; mix it down to stereo"),
        (wav(SILENCE, channels=0), "can't be decoded"),
        (wav(SILENCE, rate=0), "can't be decoded"),
        (wav(SILENCE, kind=0x1234), "can't be decoded"),
        (floats(float("nan")), NO_AUDIO),
        (floats(0, 0, float("inf")), NO_AUDIO),
        (floats(1e30), NO_AUDIO),
        (wav(SILENCE)[:30], "can't be decoded"),
        (b"RIFF", UNKNOWN),
        (b"fLaC" + bytes(100), "can't be decoded"),
        (b"fLaC", UNKNOWN),
        (b"OggS" + bytes(100), "is damaged or cut off at byte 0: there is no whole OGG page"),
        (b"ID3\4\0\0\x7f\x7f\x7f\x7f", UNKNOWN),
        (b"ID3\4\0\0\0\0\0\0" * 1000, UNKNOWN),
        (b"\0\0\0\x20ftypM4A ", "is no M4A that can be read: ffprobe finds no audio in it"),
        (b"hello, world\n", UNKNOWN),
        (b"#EXTM3U\nhttp://example.org/song.mp3\n", UNKNOWN),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), UNKNOWN),
        (b"\xff" * 5000, UNKNOWN),
        (bytes(5000), UNKNOWN),
        (b"FORM\0\0\0\0AIFF", "can't be decoded"),
        (b".snd" + struct.pack(">IIIII", 24, 8, 3, RATE, 2) + bytes(8), "is AU audio, which is not taken"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path: Path, decoder: Decoder, content: bytes, fault: str) -> None:
    file = tmp_path / "odd.wav"
    file.write_bytes(content)

    assert refusal(decoder, recording(file)).startswith(fault)


def test_a_file_of_more_than_99_minutes_is_refused_by_its_header(tmp_path: Path, decoder: Decoder) -> None:
    file = tmp_path / "endless.wav"
    size = 100 * 60 * RATE * 4
    file.write_bytes(wav(b"", length=size))
    os.truncate(file, 44 + size)  # a hole: it takes no room

    assert refusal(decoder, recording(file)) == "claims to be longer than 99 minutes; cut it"


def test_raw_audio_of_more_than_99_minutes_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    file = tmp_path / "endless.bin"
    file.touch()
    os.truncate(file, 99 * 60 * RATE * 4 + 4)

    assert refusal(decoder, recording(file, raw="little")) == "claims to be longer than 99 minutes; cut it"


def test_raw_audio_that_is_not_whole_samples_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    file = tmp_path / "disc.bin"
    file.write_bytes(bytes(4 * RATE + 3))

    assert refusal(decoder, recording(file, raw="big")) == "is no raw audio: it is not whole samples of 4 bytes"


@pytest.mark.parametrize("missing", ["ffmpeg", "ffprobe"])
def test_without_ffmpeg_an_m4a_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    file = lossy("m4a")(tmp_path)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / {"ffmpeg": "ffprobe", "ffprobe": "ffmpeg"}[missing]).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(programs))
    decoder = Decoder(ContentRoots([tmp_path]), ContentStore(tmp_path / "store"))

    said = refusal(decoder, recording(file))

    assert said == (
        "is M4A, which only the program ffmpeg decodes, and it is not installed; "
        "install ffmpeg (with ffprobe), or convert the file to WAV or FLAC"
    )


def long_file(folder: Path) -> Path:
    """Write some minutes of silence that take seconds to resample; a hole in the disk."""
    file = folder / "long.wav"
    size = 15 * 60 * 96_000 * 6
    file.write_bytes(wav(b"", rate=96_000, bits=24, length=size))
    os.truncate(file, 44 + size)
    return file


def test_a_decoder_that_computes_without_end_is_ended(tmp_path: Path, decoder: Decoder) -> None:
    wanted = recording(long_file(tmp_path))

    said = refusal(replace(decoder, limits=Limits(cpu_seconds=1)), wanted)

    assert said.startswith("can't be decoded: decoding takes more than 1 seconds of computing")


def test_a_decoder_that_takes_all_memory_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    wanted = recording(lossless("wav")(tmp_path))

    said = refusal(replace(decoder, limits=Limits(memory=1 << 20)), wanted)

    assert said.startswith(("needs more than the 1 MiB of memory", "can't be decoded"))


@pytest.mark.parametrize("end", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_decoder_that_crashes_takes_only_its_file_down(tmp_path: Path, decoder: Decoder, end: signal.Signals) -> None:
    bad, good = recording(long_file(tmp_path)), recording(lossless("wav")(tmp_path))
    hit = threading.Event()

    def hear(done: int, _total: int) -> None:
        """Kill the decoder of the long file once that one alone is left and in its middle."""
        if done > 2 * good.entry.size and not hit.is_set():
            hit.set()
            for child in children():
                os.kill(child, end)

    with pytest.raises(Faults) as refused:
        decoder.decode_all([bad, good], hear)

    (fault,) = refused.value.faults
    assert fault.startswith(f"{bad.entry.source} can't be decoded: ")
    assert end is signal.SIGKILL or f"its decoder crashed ({end.name})" in fault
    assert not children()


def children() -> list[int]:
    """List the decoders that this process has started; it has servers for other tests, too."""
    pids = list[int]()
    for thread in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may end meanwhile
            pids += map(int, (thread / "children").read_text().split())
    return [pid for pid in pids if is_decoder(pid)]


def is_decoder(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return b"jobs.decoder" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return False


def test_a_decoder_that_falls_silent_is_ended(tmp_path: Path, decoder: Decoder) -> None:
    wanted = recording(long_file(tmp_path))
    impatient = replace(decoder, limits=Limits(silence=0.5))

    def hear(_share: float) -> None:
        for child in children():
            os.kill(child, signal.SIGSTOP)

    with pytest.raises(OrderError, match="its decoder hangs"):
        impatient.decode(wanted, hear)

    assert not children()


def test_a_decoder_that_takes_too_long_is_ended(tmp_path: Path, decoder: Decoder) -> None:
    said = refusal(replace(decoder, limits=Limits(deadline=0.0)), recording(long_file(tmp_path)))

    assert said == "can't be decoded: its decoder hangs; convert it to WAV or FLAC"


def test_an_order_that_is_given_up_ends_its_decoders(tmp_path: Path, decoder: Decoder) -> None:
    class GivenUp(Exception):
        pass

    def hear(done: int, _total: int) -> None:
        if done:
            raise GivenUp

    with pytest.raises(GivenUp):
        decoder.decode_all([recording(long_file(tmp_path))] * 3, hear)

    assert not children()
    assert not kept(decoder)


def test_a_decoder_of_an_order_that_was_given_up_does_not_begin(tmp_path: Path, decoder: Decoder) -> None:
    decoder.stopped.set()

    with pytest.raises(Stopped):
        decoder.decode(recording(lossless("wav")(tmp_path)))


def test_a_source_that_changes_under_the_decoder_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    file = lossless("wav")(tmp_path)

    with pytest.raises(SourceChanged, match="was written to"):
        decoder.decode(recording(file), lambda _: os.utime(file))

    assert not kept(decoder)


def test_a_source_that_is_swapped_for_a_link_is_not_followed(tmp_path: Path, decoder: Decoder) -> None:
    file = lossless("wav")(tmp_path)
    wanted = recording(file)
    file.rename(tmp_path / "other.wav")
    file.symlink_to(tmp_path / "other.wav")

    with pytest.raises(SourceChanged, match="was replaced"):
        decoder.decode(wanted)


def test_a_source_outside_the_roots_is_not_read(tmp_path: Path, decoder: Decoder) -> None:
    wanted = recording(lossless("wav")(tmp_path))
    narrow = replace(decoder, roots=ContentRoots([tmp_path / "elsewhere"]))

    with pytest.raises(OutsideRoots):
        narrow.decode(wanted)


def test_a_digest_that_is_demanded_must_be_the_files(tmp_path: Path, decoder: Decoder) -> None:
    wanted = recording(lossless("wav")(tmp_path))
    wanted = replace(wanted, entry=replace(wanted.entry, sha256="0" * 64))

    assert f"but {'0' * 64} is demanded" in refusal(decoder, wanted)


def test_all_files_that_can_not_be_decoded_are_named_in_order(tmp_path: Path, decoder: Decoder) -> None:
    good = lossless("wav")(tmp_path)
    bad = cut_off(good)
    odd = tmp_path / "odd.mp3"
    odd.write_bytes(b"odd")

    with pytest.raises(Faults) as refused:
        decoder.decode_all([recording(odd), recording(good), recording(bad)])

    assert [fault.split(" ")[0] for fault in refused.value.faults] == [str(odd), str(bad)]


def test_files_that_no_disc_could_hold_are_given_up_before_they_fill_the_store(
    tmp_path: Path, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_MOST_MINUTES", 1)
    files = [tmp_path / f"{number}.bin" for number in range(20)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number, 0, 0, 0]))
        os.truncate(file, 40 * RATE * 4)

    with pytest.raises(Faults, match="the files together are longer than 1 minutes"):
        decoder.decode_all([recording(file, raw="little") for file in files])

    assert len(kept(decoder)) < 10


def test_a_full_store_is_said_to_be_one(tmp_path: Path, decoder: Decoder) -> None:
    """/dev/full is a file system that is full, as far as writing goes."""
    wanted = recording(lossless("wav")(tmp_path))

    class Full(StoreIntake):
        def make(self, entry: Entry, fill: Callable[[int], None]) -> Entry:
            with Path("/dev/full").open("wb", buffering=0) as full:
                return super().make(entry, lambda _draft: fill(full.fileno()))

    class FullStore(ContentStore):
        @contextmanager
        def intake(self) -> Iterator[StoreIntake]:
            with super().intake() as intake:
                intake.__class__ = Full
                yield intake

    with pytest.raises(StoreFull):
        replace(decoder, store=FullStore(tmp_path / "full")).decode(wanted)


def test_a_host_without_room_for_a_decoder_is_tried_again_later(
    tmp_path: Path, decoder: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "no-python"))

    with pytest.raises(DecoderFailed) as failure:
        decoder.decode(recording(lossless("wav")(tmp_path)))

    assert failure.value.remedy is Remedy.TRY_AGAIN
