"""An audio order becomes samples in the store and a programme whose every track is where it was ordered."""

import hashlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from jobs.audio import StagedAudio, scan_audio, scan_cue, stage_audio
from jobs.audio_manifest import read_audio_manifest
from jobs.audio_order import AudioOrder
from jobs.errors import Faults
from jobs.mastering.image import ImageReader
from jobs.mastering.programme import DiscText
from jobs.mastering.redbook import layout_audio
from jobs.roots import ContentRoots
from jobs.store import ContentStore
from tests.audio_files import RATE, Samples, music, noise, write

#: Five seconds and a bit: no whole number of blocks.
LONG = 5 * RATE + 123


@pytest.fixture
def roots(tmp_path: Path) -> ContentRoots:
    return ContentRoots([tmp_path])


def stage(order: AudioOrder, roots: ContentRoots) -> StagedAudio:
    return stage_audio(order, roots, ContentStore(roots.paths[0] / "store"))


def refusal(order: AudioOrder, roots: ContentRoots) -> list[str]:
    with pytest.raises(Faults) as refused:
        stage(order, roots)
    return list(refused.value.faults)


def image_of(staged: StagedAudio) -> Samples:
    image, programme = layout_audio(staged.manifest)
    assert programme == staged.programme
    with ImageReader(image) as reader:
        return np.frombuffer(reader.read(0, image.size), "<i2").reshape(-1, 2)


def cue(folder: Path, text: str) -> Path:
    sheet = folder / "disc.cue"
    sheet.write_text(text)
    return sheet


def test_files_lie_behind_each_other_sample_by_sample(tmp_path: Path, roots: ContentRoots) -> None:
    songs = [noise(LONG, seed) for seed in range(3)]
    files = [write(tmp_path / f"{3 - number}.flac", song, "PCM_16") for number, song in enumerate(songs)]

    staged = stage(scan_audio(files, roots), roots)

    together = np.concatenate(songs)
    heard = image_of(staged)
    assert heard[: len(together)].tobytes() == together.tobytes()
    assert len(heard) == -(-len(together) // 588) * 588
    assert not heard[len(together) :].any()
    assert staged.programme.starts == tuple(LONG * number // 588 for number in range(3))
    assert staged.notes == ()


def test_the_manifest_names_both_the_file_and_its_samples(tmp_path: Path, roots: ContentRoots) -> None:
    songs = [noise(LONG, seed) for seed in range(2)]
    files = [write(tmp_path / name, song, "PCM_16") for name, song in zip(("b.wav", "a.wav"), songs, strict=True)]

    manifest = stage(scan_audio(files, roots), roots).manifest

    digests = [hashlib.sha256(song.tobytes()).hexdigest() for song in reversed(songs)]
    assert [entry.path for entry in manifest.entries] == ["a.wav", "b.wav"]
    assert [entry.sha256 for entry in manifest.entries] == digests
    assert [entry.origin for entry in manifest.entries] == [str(file) for file in reversed(files)]
    assert [entry.origin_sha256 for entry in manifest.entries] == [
        hashlib.sha256(file.read_bytes()).hexdigest() for file in reversed(files)
    ]
    assert json.loads(manifest.head)["places"] == [LONG * 4, 0]


def test_one_file_is_cut_by_its_sheet(tmp_path: Path, roots: ContentRoots) -> None:
    song = noise(20 * RATE)
    (tmp_path / "disc.bin").write_bytes(song.tobytes())
    sheet = cue(
        tmp_path,
        'TITLE "All"\nFILE "disc.bin" BINARY\nTRACK 01 AUDIO\nTITLE "One"\nINDEX 01 00:00:00\n'
        "TRACK 02 AUDIO\nFLAGS DCP\nISRC GBAYE0000351\nINDEX 00 00:07:00\nINDEX 01 00:09:00\nINDEX 02 00:10:37\n",
    )

    staged = stage(scan_cue(sheet, roots), roots)

    one, two = staged.programme.tracks
    assert image_of(staged).tobytes() == song.tobytes()
    assert (one.blocks, two.pregap, two.blocks, two.indexes) == (525, 150, 825, (112,))
    assert (two.isrc, two.copy_permitted, one.text.title) == ("GBAYE0000351", True, "One")
    assert staged.programme.text == DiscText("All")


def test_raw_audio_of_the_other_byte_order_is_the_same_disc(tmp_path: Path, roots: ContentRoots) -> None:
    song = noise(LONG)
    (tmp_path / "disc.bin").write_bytes(song.astype(">i2").tobytes())
    sheet = cue(tmp_path, "FILE disc.bin MOTOROLA\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n")

    assert image_of(stage(scan_cue(sheet, roots), roots))[:LONG].tobytes() == song.tobytes()


def test_silence_that_a_sheet_asks_for_parts_a_file(tmp_path: Path, roots: ContentRoots) -> None:
    song, other = noise(12 * RATE), noise(LONG, 2)
    write(tmp_path / "disc.wav", song, "PCM_16")
    write(tmp_path / "other.wav", other, "PCM_16")
    sheet = cue(
        tmp_path,
        "FILE disc.wav WAVE\nTRACK 01 AUDIO\nPREGAP 00:01:00\nINDEX 01 00:00:00\nTRACK 02 AUDIO\nPREGAP 00:02:00\n"
        "INDEX 01 00:06:00\nPOSTGAP 00:00:50\nFILE other.wav WAVE\nTRACK 03 AUDIO\nINDEX 01 00:00:00\n",
    )

    staged = stage(scan_cue(sheet, roots), roots)

    silence = [np.zeros((blocks * 588, 2), np.int16) for blocks in (75, 150, 50)]
    whole = np.concatenate([silence[0], song[: 6 * RATE], silence[1], song[6 * RATE :], silence[2], other])
    assert image_of(staged)[: len(whole)].tobytes() == whole.tobytes()
    assert [track.pregap for track in staged.programme.tracks] == [75, 150, 0]
    assert [track.blocks for track in staged.programme.tracks] == [450, 500, 376]
    assert [entry.path for entry in staged.manifest.entries] == ["disc (2).wav", "disc.wav", "other.wav"]


def test_a_pregap_lies_in_the_file_before_where_a_ripper_left_it(tmp_path: Path, roots: ContentRoots) -> None:
    songs = [noise(8 * RATE, 1), noise(8 * RATE, 2)]
    for number, song in enumerate(songs):
        write(tmp_path / f"{number}.wav", song, "PCM_16")
    sheet = cue(
        tmp_path,
        "FILE 0.wav WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\nTRACK 02 AUDIO\nINDEX 00 00:06:00\n"
        "FILE 1.wav WAVE\nINDEX 01 00:00:00\n",
    )

    staged = stage(scan_cue(sheet, roots), roots)

    assert image_of(staged).tobytes() == np.concatenate(songs).tobytes()
    assert [(track.pregap, track.blocks) for track in staged.programme.tracks] == [(0, 450), (150, 600)]


def test_what_comes_before_the_first_index_is_its_pregap(tmp_path: Path, roots: ContentRoots) -> None:
    song = noise(8 * RATE)
    write(tmp_path / "a.wav", song, "PCM_16")
    sheet = cue(tmp_path, "FILE a.wav WAVE\nTRACK 01 AUDIO\nINDEX 01 00:02:00\n")

    staged = stage(scan_cue(sheet, roots), roots)

    assert image_of(staged).tobytes() == song.tobytes()
    assert (staged.programme.tracks[0].pregap, staged.programme.tracks[0].blocks) == (150, 450)


def test_a_manifest_orders_files_with_pregaps_and_digests(tmp_path: Path, roots: ContentRoots) -> None:
    song = noise(LONG)
    file = write(tmp_path / "a.wav", song, "PCM_16")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    order = tmp_path / "order.json"
    track = {"source": "a.wav", "title": "One", "sha256": digest, "pregap": "00:02:00"}
    order.write_text(json.dumps({"version": 1, "format": "redbook", "mcn": "1" * 13, "tracks": [track, track]}))

    staged = stage(read_audio_manifest(order, roots), roots)

    gap = np.zeros((2 * RATE, 2), np.int16)
    whole = np.concatenate([gap, song, gap, song])
    assert image_of(staged)[: len(whole)].tobytes() == whole.tobytes()
    assert [track.text.title for track in staged.programme.tracks] == ["One", "One"]
    assert staged.programme.mcn == "1" * 13


def test_a_manifests_digest_must_be_the_files(tmp_path: Path, roots: ContentRoots) -> None:
    write(tmp_path / "a.wav", noise(LONG), "PCM_16")
    order = tmp_path / "order.json"
    track = {"source": "a.wav", "sha256": "0" * 64}
    order.write_text(json.dumps({"version": 1, "format": "redbook", "tracks": [track]}))

    (fault,) = refusal(read_audio_manifest(order, roots), roots)

    assert f"{tmp_path}/a.wav has the SHA-256 " in fault
    assert f"but {'0' * 64} is demanded" in fault


def test_tags_become_cd_text_and_what_has_none_is_called_as_its_file(tmp_path: Path, roots: ContentRoots) -> None:
    tagged = partial(write, subtype="PCM_16", artist="Dvořák", album="Symphonies")
    files = [
        tagged(tmp_path / "01 x.flac", noise(LONG), title="From the New World"),
        tagged(tmp_path / "02 - Größe.flac", noise(LONG, 2)),
    ]

    staged = stage(scan_audio(files, roots), roots)

    assert staged.programme.text == DiscText("Symphonies", "Dvorák")
    assert [track.text for track in staged.programme.tracks] == [
        DiscText("From the New World", "Dvorák"),
        DiscText("Größe", "Dvorák"),
    ]
    assert "track 2: performer written as 'Dvorák' (CD-TEXT)" in staged.notes


def test_tags_that_are_too_much_for_cd_text_are_cut_off(tmp_path: Path, roots: ContentRoots) -> None:
    file = write(tmp_path / "a.flac", noise(4 * RATE), "PCM_16", title="Allegro ma non troppo " * 5)
    other = write(tmp_path / "b.flac", noise(4 * RATE), "PCM_16", title="Adagio molto e cantabile " * 5)

    staged = stage(scan_audio([file, other] * 20, roots), roots)

    assert staged.programme.tracks[0].text.title == ("Allegro ma non troppo " * 5)[:40].strip()
    assert staged.notes == ("titles and performers are cut off after 40 characters: CD-TEXT has no room for more",)


def test_what_was_done_to_the_samples_is_noted(tmp_path: Path, roots: ContentRoots) -> None:
    files = [
        write(tmp_path / "exact.wav", noise(LONG), "PCM_16"),
        write(tmp_path / "deep.wav", music(LONG), "PCM_24"),
        write(tmp_path / "fast.wav", music(5 * 96_000, 96_000), "PCM_24", 96_000),
        write(tmp_path / "mono.wav", noise(LONG)[:, 0], "PCM_16"),
        write(tmp_path / "loud.wav", music(LONG) * 3, "FLOAT"),
    ]

    notes = stage(scan_audio(files, roots), roots).notes

    assert notes[:3] == (
        "deep.wav: dithered to 16 bits",
        "fast.wav: resampled from 96,000 Hz to 44,100 Hz, dithered to 16 bits",
        "mono.wav: mono, written to both channels",
    )
    assert notes[3].startswith("loud.wav: dithered to 16 bits, ")
    assert notes[3].endswith(" samples louder than full scale, clipped")


def test_the_same_order_is_the_same_manifest(tmp_path: Path, roots: ContentRoots) -> None:
    files = [write(tmp_path / f"{number}.wav", music(LONG), "PCM_24", 48_000) for number in range(3)]

    one, other = (stage(scan_audio(files, roots), roots) for _ in range(2))

    assert one == other


def test_short_tracks_are_named_by_number_and_file(tmp_path: Path, roots: ContentRoots) -> None:
    files = [
        write(tmp_path / f"{name}.wav", noise(count), "PCM_16") for name, count in (("long", LONG), ("short", RATE))
    ]

    faults = refusal(scan_audio([*files, files[1]], roots), roots)

    assert faults == [
        "track 2 (short.wav): 1.00 seconds; the Red Book asks for 4",
        "track 3 (short (2).wav): 1.01 seconds; the Red Book asks for 4",
    ]


def test_an_index_beyond_its_files_end_is_named(tmp_path: Path, roots: ContentRoots) -> None:
    write(tmp_path / "a.wav", noise(LONG), "PCM_16")
    sheet = cue(tmp_path, "FILE a.wav WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\nTRACK 02 AUDIO\nINDEX 01 99:59:74\n")

    faults = refusal(scan_cue(sheet, roots), roots)

    assert faults == ["track 2 (a.wav): index at 99:59:74, but its file ends at 00:05:00"]


def test_an_order_with_faults_is_not_begun(tmp_path: Path, roots: ContentRoots) -> None:
    file = write(tmp_path / "a.wav", noise(LONG), "PCM_16")

    faults = refusal(scan_audio([file, tmp_path / "none.wav"], roots), roots)

    assert faults == [f"{tmp_path}/none.wav does not exist"]
    assert not (tmp_path / "store").exists()


def test_who_takes_audio_in_loads_none_of_its_libraries() -> None:
    code = "import jobs.audio, jobs.audio_manifest, sys; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()

    assert "jobs.decoding" in loaded
    assert not {"numpy", "soundfile", "soxr"} & set(loaded)
