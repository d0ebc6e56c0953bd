"""Audio orders of all three kinds are looked through before anything is decoded, all faults at once."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.audio import distinct, scan_audio, scan_cue
from jobs.audio_manifest import is_audio_manifest, read_audio_manifest
from jobs.audio_order import AudioOrder, PlannedTrack, Spot
from jobs.mastering.programme import DiscText
from jobs.roots import ContentRoots

Read = Callable[..., AudioOrder]


@pytest.fixture
def roots(tmp_path: Path) -> ContentRoots:
    """Give roots that hold two files and an empty one."""
    for name in ("01 - One.wav", "two.flac"):
        (tmp_path / name).write_bytes(b"content")
    (tmp_path / "empty.wav").touch()
    return ContentRoots([tmp_path])


@pytest.fixture
def read(tmp_path: Path, roots: ContentRoots) -> Read:
    """Give a reader of the tracks of an audio manifest."""

    def read_tracks(*tracks: object, **head: object) -> AudioOrder:
        file = tmp_path / "order.json"
        file.write_text(json.dumps({"version": 1, "format": "redbook", "tracks": tracks} | head))
        assert is_audio_manifest(file) == (head.get("format", "redbook") == "redbook")
        return read_audio_manifest(file, roots)

    return read_tracks


def test_files_become_tracks_in_the_order_given(tmp_path: Path, roots: ContentRoots) -> None:
    order = scan_audio([tmp_path / "two.flac", tmp_path / "01 - One.wav", tmp_path / "two.flac"], roots)

    assert order.faults == ()
    assert [each.entry.path for each in order.recordings] == ["two.flac", "01 - One.wav", "two (2).flac"]
    assert [each.entry.source for each in order.recordings] == [
        str(tmp_path / name) for name in ("two.flac", "01 - One.wav", "two.flac")
    ]
    assert order.tracks == (
        PlannedTrack(Spot(0), text=DiscText("two")),
        PlannedTrack(Spot(1), text=DiscText("One")),
        PlannedTrack(Spot(2), text=DiscText("two")),
    )
    assert order.tagged


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("01 - One.wav", "One"),
        ("1. One.wav", "One"),
        ("01_One.wav", "One"),
        ("07 One.wav", "One"),
        ("99 Luftballons.wav", "Luftballons"),
        ("1984.wav", "1984"),
        ("7.wav", "7"),
        ("7e.wav", "7e"),
        ("One.Two.wav", "One.Two"),
    ],
)
def test_a_title_is_the_files_name_without_its_number(tmp_path: Path, name: str, title: str) -> None:
    (tmp_path / name).write_bytes(b"content")

    order = scan_audio([tmp_path / name], ContentRoots([tmp_path]))

    assert order.tracks[0].text.title == title


def test_everything_wrong_with_files_is_said_at_once(tmp_path: Path, roots: ContentRoots) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    names = ["none.wav", ".", "empty.wav", "fifo.wav", "../outside.wav", "two.flac"]
    outside = tmp_path.parent / "outside.wav"
    outside.touch()

    order = scan_audio([tmp_path / name for name in names], roots)

    remedy = "move it there, or add its folder to them"
    assert order.faults == (
        f"{tmp_path}/none.wav does not exist",
        f"{tmp_path} is a folder; an audio track is one file",
        f"{tmp_path}/empty.wav is empty",
        f"{tmp_path}/fifo.wav is a fifo; only files and folders go on a disc",
        f"{tmp_path}/../outside.wav leads to {outside}, which is outside the content roots ({tmp_path}); {remedy}",
    )


@pytest.mark.parametrize("count", [0, 100])
def test_an_audio_disc_has_1_to_99_files(tmp_path: Path, roots: ContentRoots, count: int) -> None:
    order = scan_audio([tmp_path / "two.flac"] * count, roots)

    assert order.faults == (f"{count} files; an audio disc has 1 to 99 tracks",)


def test_a_sheet_and_its_files_are_read(tmp_path: Path, roots: ContentRoots) -> None:
    (tmp_path / "sheets").mkdir()
    sheet = tmp_path / "sheets" / "disc.cue"
    sheet.write_bytes(
        'CATALOG 1234567890123\nCDTEXTFILE "x.cdt"\nTITLE "Füße"\nFILE "../two.flac" BINARY\nTRACK 01 AUDIO\n'
        "TITLE One\nINDEX 01 00:00:10\nTRACK 02 AUDIO\nFLAGS DCP PRE\nISRC ABCDE1234567\nINDEX 00 00:09:00\n"
        'FILE "../01 - One.wav" WAVE\nINDEX 01 00:00:00\nINDEX 02 00:05:00\n'
        "TRACK 03 AUDIO\nPREGAP 00:02:00\nINDEX 01 00:10:00\nPOSTGAP 00:00:01\n".encode("cp1252")
    )

    order = scan_cue(sheet, roots)

    assert order.faults == ()
    assert [(each.entry.path, each.raw) for each in order.recordings] == [("two.flac", "little"), ("01 - One.wav", "")]
    assert (order.mcn, order.text, order.tagged) == ("1234567890123", DiscText("Füße"), False)
    assert order.tracks == (
        PlannedTrack(Spot(0, 5880), text=DiscText("One")),
        PlannedTrack(
            Spot(1),
            Spot(0, 9 * 44_100),
            (Spot(1, 5 * 44_100),),
            isrc="ABCDE1234567",
            copy_permitted=True,
            pre_emphasis=True,
        ),
        PlannedTrack(Spot(1, 10 * 44_100), silence_before=2 * 44_100, silence_after=588),
    )
    assert order.notes == (
        f"{sheet} is not UTF-8 and was read as Windows-1252",
        "the CDTEXTFILE 'x.cdt' is not read; CD-TEXT is what TITLE and PERFORMER say",
    )


def test_a_sheets_files_must_lie_in_the_roots(tmp_path: Path, roots: ContentRoots) -> None:
    sheet = tmp_path / "disc.cue"
    sheet.write_text(
        'FILE "/etc/passwd" WAVE\nTRACK 01 AUDIO\nINDEX 01 00:00:00\n'
        'FILE "../../../../../../etc/passwd" BINARY\nTRACK 02 AUDIO\nINDEX 01 00:00:00\n'
    )

    order = scan_cue(sheet, roots)

    assert len(order.faults) == 2
    assert all("outside the content roots" in fault for fault in order.faults)


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda file: file.write_text("TRACK 01 AUDIO"), ": line 1: track 1 has no INDEX 01"),
        (lambda file: file.mkdir(), " is no CUE sheet: it can't be read (Is a directory)"),
        (os.mkfifo, " is no CUE sheet: it is not a file"),
        (lambda _: None, " is no CUE sheet: it can't be read (No such file or directory)"),
        (
            lambda file: file.write_bytes(bytes(1 << 21)),
            " is no CUE sheet: it is larger than 1,048,576 bytes; name the sheet, not its audio",
        ),
    ],
)
def test_what_is_no_sheet_is_refused(
    tmp_path: Path, roots: ContentRoots, make: Callable[[Path], object], fault: str
) -> None:
    sheet = tmp_path / "disc.cue"
    make(sheet)

    assert scan_cue(sheet, roots).faults == (f"{sheet}{fault}",)


def test_a_manifest_is_read_as_documented(read: Read, tmp_path: Path) -> None:
    texts = {key: f"the {key}" for key in ("title", "performer", "songwriter", "composer", "arranger", "message")}

    order = read(
        {"source": "two.flac", "isrc": "GB-AYE-00-00351", "pregap": "00:02:00", **texts},
        {"source": str(tmp_path / "two.flac"), "copy_permitted": True, "pre_emphasis": True, "sha256": "AB" * 32},
        mcn="1234567890123",
        **texts,
    )

    text = DiscText(*texts.values())
    assert order.faults == ()
    assert (order.mcn, order.text, order.tagged) == ("1234567890123", text, False)
    assert order.tracks == (
        PlannedTrack(Spot(0), silence_before=2 * 44_100, isrc="GBAYE0000351", text=text),
        PlannedTrack(Spot(1), copy_permitted=True, pre_emphasis=True),
    )
    assert [(each.entry.path, each.entry.sha256) for each in order.recordings] == [
        ("two.flac", ""),
        ("two (2).flac", "ab" * 32),
    ]


@pytest.mark.parametrize(
    ("track", "faults"),
    [
        ("a", ["must be a JSON object"]),
        ({}, ["'source' is missing"]),
        ({"source": "none.wav"}, ["/none.wav does not exist"]),
        ({"source": "."}, ["is a folder; an audio track is one file"]),
        ({"source": "empty.wav"}, ["empty.wav is empty"]),
        ({"source": "/etc/passwd"}, ["/etc/passwd is outside the content roots"]),
        ({"source": "two.flac", "pregap": 2}, ["'pregap' must be a text"]),
        ({"source": "two.flac", "pregap": "2"}, ["'pregap' must be minutes, seconds and blocks"]),
        ({"source": "two.flac", "pregap": "00:60:00"}, ["'pregap' must be minutes, seconds and blocks"]),
        ({"source": "two.flac", "isrc": "X"}, ["'isrc' must be two letters"]),
        ({"source": "two.flac", "sha256": "X"}, ["'sha256' must be 64 hexadecimal digits"]),
        ({"source": "two.flac", "pre_emphasis": 1}, ["'pre_emphasis' must be true or false"]),
        ({"source": "two.flac", "titel": "x"}, ["'titel' is unknown"]),
        ({"source": "two.flac", "title": "\0", "isrc": "", "sha256": 5}, ["'isrc' must", "'title' has", "'sha256' m"]),
    ],
)  # fmt: skip
def test_a_faulty_track_is_named_with_its_faults(read: Read, track: object, faults: list[str]) -> None:
    found = read({"source": "two.flac"}, track)

    assert len(found.faults) == len(faults)
    for said, expected in zip(found.faults, faults, strict=True):
        assert said.startswith("tracks[1]: ")
        assert expected in said


@pytest.mark.parametrize(
    ("head", "fault"),
    [
        ({"version": 2}, "'version' must be 1"),
        ({"format": "joliet"}, "'format' must be 'redbook'"),
        ({"tracks": {}}, "'tracks' must be a list"),
        ({"tracks": []}, "0 tracks; an audio disc has 1 to 99"),
        ({"mcn": "123"}, "'mcn' must be 13 digits"),
        ({"volume_id": "X"}, "'volume_id' is unknown; there are version, format, title, performer"),
    ],
)  # fmt: skip
def test_a_faulty_head_is_a_fault(read: Read, head: dict[str, object], fault: str) -> None:
    (said,) = read({"source": "two.flac"}, **head).faults

    assert said.startswith(fault)


def test_a_hundredth_track_is_a_fault(read: Read) -> None:
    assert read(*[{"source": "two.flac"}] * 100).faults == ("100 tracks; an audio disc has 1 to 99",)


def test_what_is_no_manifest_is_refused(tmp_path: Path, roots: ContentRoots) -> None:
    file = tmp_path / "order.json"
    file.write_text("[" * 100_000)

    assert not is_audio_manifest(file)
    assert read_audio_manifest(file, roots).faults == (f"{file} is no manifest file: it is nested too deeply",)


@given(st.lists(st.sampled_from(["a.wav", "a (2).wav", "a (3).wav", "b", ".c", "a (2) (2).wav"]), max_size=12))
def test_names_become_distinct_and_the_first_of_each_keeps_its_own(names: list[str]) -> None:
    places = list(distinct(names))

    assert len(set(places)) == len(places)
    if len(set(names)) == len(names):
        assert places == names
