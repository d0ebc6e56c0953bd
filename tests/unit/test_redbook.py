"""The Red Book layout keeps every sample at its place, and refuses what no audio disc can be."""

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import Faults
from jobs.manifest import Manifest
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.medium import AUDIO_BLOCK
from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.redbook import BLOCK_SAMPLES, Cut, audio_manifest, compose, layout_audio
from tests.manifests import a_file, a_folder
from tests.programmes import manifest_for, programmes, samples_of

#: Five seconds.
TRACK = 375 * BLOCK_SAMPLES


def bytes_of(image: ExtentMap) -> bytes:
    with ImageReader(image) as reader:
        return reader.read(0, image.size)


@st.composite
def timelines(draw: st.DrawFn) -> tuple[list[Cut], int]:
    """Draw cuts at any samples, and the number of samples."""
    cuts, end = [], 0
    for number in range(draw(st.integers(1, 5))):
        pregap = draw(st.integers(0, 100_000))
        start = end + pregap
        end = start + draw(st.integers(TRACK, TRACK + 100_000))
        indexes = draw(st.sets(st.integers(1, 370), max_size=3))
        begin = start - pregap if number and draw(st.booleans()) else None
        cuts.append(Cut(start, begin, tuple(start + BLOCK_SAMPLES * index for index in sorted(indexes))))
    return cuts, end


@settings(deadline=None)
@given(timelines())
def test_boundaries_are_rounded_down_and_the_end_is_rounded_up(timeline: tuple[list[Cut], int]) -> None:
    cuts, samples = timeline

    programme = compose(samples, cuts)

    assert programme.starts == tuple(cut.start // BLOCK_SAMPLES for cut in cuts)
    assert 0 <= programme.blocks * BLOCK_SAMPLES - samples < BLOCK_SAMPLES
    for cut, start, track in zip(cuts[1:], programme.starts[1:], programme.tracks[1:], strict=True):
        begin = cut.start if cut.pregap_start is None else cut.pregap_start
        assert start - track.pregap == begin // BLOCK_SAMPLES
    for cut, start, track in zip(cuts, programme.starts, programme.tracks, strict=True):
        assert [start + index for index in track.indexes] == [index // BLOCK_SAMPLES for index in cut.indexes]


@settings(max_examples=25, deadline=None)
@given(timeline=timelines(), data=st.data())
def test_no_sample_is_lost_added_or_moved(
    tmp_path_factory: pytest.TempPathFactory, timeline: tuple[list[Cut], int], data: st.DataObject
) -> None:
    cuts, samples = timeline
    sound = samples_of(cuts, samples)
    joints = sorted({0, samples, *data.draw(st.sets(st.integers(1, samples - 1), max_size=5))})
    pieces = [(4 * one, sound[4 * one : 4 * end]) for one, end in itertools.pairwise(joints)]
    programme = compose(samples, cuts)

    image, laid = layout_audio(manifest_for(tmp_path_factory.mktemp("sound"), programme, pieces))

    found = bytes_of(image)
    assert laid == programme
    assert image.blocks == programme.blocks
    assert found == sound + bytes(len(found) - len(sound))
    for start, track, cut in zip(laid.starts, laid.tracks, cuts, strict=True):
        of_track = found[start * AUDIO_BLOCK : (start + track.blocks) * AUDIO_BLOCK]
        early = cut.start - start * BLOCK_SAMPLES
        assert 0 <= early < BLOCK_SAMPLES
        assert of_track[4 * early :].startswith(sound[4 * cut.start : 4 * cut.start + 4000])


def test_where_no_samples_lie_there_is_silence(tmp_path: Path) -> None:
    first, second = samples_of(1, TRACK), samples_of(2, TRACK)
    programme = compose(3 * TRACK, [Cut(0), Cut(2 * TRACK, pregap_start=TRACK)])

    image, _ = layout_audio(manifest_for(tmp_path, programme, [(0, first), (8 * TRACK, second)]))

    assert bytes_of(image) == first + bytes(4 * TRACK) + second


def test_the_same_manifest_gives_the_same_layout(tmp_path: Path) -> None:
    manifest = manifest_for(tmp_path, compose(TRACK + 1, [Cut(0)]), [(0, samples_of(1, TRACK + 1))])

    again = Manifest.of(reversed(manifest.entries), manifest.head)

    assert again.sha256 == manifest.sha256
    assert layout_audio(again) == layout_audio(manifest)


def test_places_follow_their_entries_however_those_are_sorted() -> None:
    programme = compose(2 * TRACK, [Cut(0), Cut(TRACK)])

    manifest = audio_manifest(programme, [(a_file("z", 4 * TRACK), 0), (a_file("a", 4 * TRACK), 4 * TRACK)])

    image, _ = layout_audio(manifest)
    assert [extent.place for extent in image.extents] == ["z", "a"]


@settings(deadline=None)
@given(programmes())
def test_a_programme_survives_its_canonical_form(programme: Programme) -> None:
    assert Programme.read(programme.canonical) == programme


@pytest.mark.parametrize(
    "text",
    [
        "", "3", "[]", "{}", '{"tracks":[]}', '{"tracks":[],"mcn":7,"text":{}}', '{"tracks":{},"mcn":"","text":[]}',
        '{"tracks":[{"blocks":"400","indexes":[],"text":{}}],"mcn":"","text":{}}',
        '{"tracks":[{"blocks":400,"indexes":["x"],"text":{}}],"mcn":"","text":{}}',
        '{"tracks":[{"blocks":400,"indexes":[],"text":{"title":3}}],"mcn":"","text":{}}',
        '{"tracks":[{"blocks":400,"indexes":[],"text":{},"colour":1}],"mcn":"","text":{}}',
    ],
)  # fmt: skip
def test_what_is_no_programme_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a programme|Expecting value"):
        Programme.read(text)


@pytest.mark.parametrize(
    ("samples", "cuts", "fault"),
    [
        (TRACK, [], "0 tracks; an audio disc has 1 to 99"),
        (TRACK * 100, [Cut(TRACK * number) for number in range(100)], "100 tracks; an audio disc has 1 to 99"),
        (TRACK, [Cut(TRACK)], f"track 1: sample {TRACK} is not one of the {TRACK} there are"),
        (TRACK, [Cut(-1)], f"track 1: sample -1 is not one of the {TRACK} there are"),
        (TRACK, [Cut(5), Cut(4)], "track 2: sample 4 lies before sample 5, which it must follow"),
        (TRACK, [Cut(0), Cut(8, pregap_start=9)], "track 2: sample 8 lies before sample 9, which it must follow"),
        (TRACK, [Cut(10, indexes=(5,))], "track 1: sample 5 lies before sample 10, which it must follow"),
        (300 * 588 - 588, [Cut(0)], "track 1: 3.99 seconds; the Red Book asks for 4"),
        (TRACK, [Cut(0, indexes=(600, 700))], "track 1: its indexes at 1, 1 are not in order within 375 blocks"),
        (TRACK, [Cut(0, isrc="DEABC123456")], "track 1: the ISRC 'DEABC123456' is not two letters, three letters "),
        (44100 * 6000, [Cut(0)], "100.0 minutes; the addresses of a disc end at 100"),
        (TRACK, [Cut(0, text=DiscText(title="a\nb"))], r"track 1: its title has the character '\n', which CD-TEXT "),
        (TRACK, [Cut(0, text=DiscText(composer="Дж"))], r"track 1: its composer has the character '\u0414', which "),
        (TRACK, [Cut(0, text=DiscText(message="x" * 4000))], "its CD-TEXT takes 334 packs of 12 characters, and a "),
    ],
)
def test_what_no_audio_disc_can_be_is_refused(samples: int, cuts: list[Cut], fault: str) -> None:
    with pytest.raises(Faults, match=re.escape(fault)):
        compose(samples, cuts)


def test_all_faults_are_named_at_once() -> None:
    cuts = [Cut(0, isrc="x"), Cut(588, text=DiscText(title="\x00"))]

    with pytest.raises(Faults) as refusal:
        compose(TRACK, cuts, mcn="7", text=DiscText(arranger="\u2028"))

    assert len(refusal.value.faults) == 5


A_DISC = Programme((Track(375), Track(375)))
HALF = 375 * AUDIO_BLOCK


@pytest.mark.parametrize(
    ("pieces", "faults"),
    [
        ([("a", HALF, 0), ("b", HALF, HALF - 4)], [f"a and b overlap at byte {HALF - 4}"]),
        ([("a", HALF, 0), ("b", HALF, HALF + 4)], [f"b lies at bytes {HALF + 4} to {2 * HALF + 4}, and "]),
        ([("a", HALF, -4)], [f"a lies at bytes -4 to {HALF - 4}, and the programme has {2 * HALF}"]),
        ([("a", HALF - 4, 2)], [f"a is not whole samples of 4 bytes: {HALF - 4} at 2"]),
        ([("a", HALF - 2, 0), ("b", 0, HALF)], ["a is not whole samples", "b holds no samples"]),
    ],
)
def test_samples_in_impossible_places_are_refused(pieces: list[tuple[str, int, int]], faults: list[str]) -> None:
    manifest = audio_manifest(A_DISC, [(a_file(name, size), place) for name, size, place in pieces])

    with pytest.raises(Faults) as refusal:
        layout_audio(manifest)

    for found, wanted in zip(refusal.value.faults, faults, strict=True):
        assert found.startswith(wanted)


def test_a_folder_is_no_sound() -> None:
    with pytest.raises(Faults, match="holds no samples"):
        layout_audio(audio_manifest(A_DISC, [(a_folder("a"), 0)]))


@pytest.mark.parametrize(
    "head",
    [
        "", "{}", "[]", "nonsense", '{"places":[0],"programme":{}}',
        json.dumps({"places": [], "programme": json.loads(A_DISC.canonical)}),
        json.dumps({"places": ["0"], "programme": json.loads(A_DISC.canonical)}),
        json.dumps({"places": 0, "programme": json.loads(A_DISC.canonical)}),
        json.dumps({"places": [0], "programme": json.loads(Programme((Track(3),)).canonical)}),
    ],
)  # fmt: skip
def test_a_head_that_is_none_is_refused(head: str) -> None:
    with pytest.raises(Faults, match="the manifest is no audio disc's"):
        layout_audio(Manifest.of([a_file("a", HALF)], head))
