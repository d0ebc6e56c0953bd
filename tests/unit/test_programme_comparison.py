"""A disc's own account of itself is compared with the programme it was made of, fact by fact."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.programme_comparison import programme_differences
from tests.programmes import programmes

MADE = Programme(
    (
        Track(400, 20, isrc="GBAYE0000351", text=DiscText("Opening", "The Lab")),
        Track(500, 150, (75, 300), copy_permitted=True, text=DiscText("Song")),
        Track(380, pre_emphasis=True),
    ),
    "0724354526824",
    DiscText("Live", composer="Émile"),
)


def by_table_of_contents(programme: Programme) -> Programme:
    """Tell of a disc what its table of contents does: where tracks start, and where the last one ends."""
    ends = [*programme.starts[1:], programme.blocks]
    lengths = [end - start for start, end in zip(programme.starts, ends, strict=True)]
    first = programme.tracks[0].pregap
    return replace(
        programme,
        tracks=tuple(
            replace(track, blocks=length, pregap=0 if number else first, indexes=())
            for number, (track, length) in enumerate(zip(programme.tracks, lengths, strict=True))
        ),
    )


@settings(deadline=None)
@given(programmes())
def test_a_disc_that_is_what_it_was_made_of_shows_no_difference(programme: Programme) -> None:
    assert programme_differences(programme, programme) == []
    assert programme_differences(programme, by_table_of_contents(programme)) == []


ONE, TWO, THREE = MADE.tracks


def of(*tracks: Track) -> Programme:
    return replace(MADE, tracks=tracks)


@pytest.mark.parametrize(
    ("found", "differences"),
    [
        (replace(MADE, mcn=""), ["the MCN: '' instead of '0724354526824'"]),
        (replace(MADE, text=DiscText("Live")), ["the composer of the disc: '' instead of 'Émile'"]),
        (of(ONE, TWO), ["2 tracks instead of 3"]),
        (
            of(replace(ONE, isrc="GBAYE0000352"), TWO, THREE),
            ["the ISRC of track 1: 'GBAYE0000352' instead of 'GBAYE0000351'"],
        ),
        (of(replace(ONE, copy_permitted=True), TWO, THREE), ["leave to copy track 1: True instead of False"]),
        (
            of(ONE, TWO, replace(THREE, pre_emphasis=False)),
            ["the pre-emphasis of track 3: False instead of True"],
        ),
        (
            of(replace(ONE, text=DiscText("opening", "The Lab")), TWO, THREE),
            ["the title of track 1: 'opening' instead of 'Opening'"],
        ),
        (of(ONE, replace(TWO, indexes=(75,)), THREE), ["the indexes of track 2: (75,) instead of (75, 300)"]),
        (of(ONE, TWO, replace(THREE, blocks=382)), ["the programme's blocks: 1452 instead of 1450"]),
        (
            of(ONE, replace(TWO, blocks=499, pregap=151), THREE),
            ["the start of track 2: 571 instead of 570", "the pregap of track 2: 151 instead of 150"],
        ),
        (
            of(replace(ONE, blocks=401), TWO, THREE),
            [
                "the programme's blocks: 1451 instead of 1450",
                "the start of track 2: 571 instead of 570",
                "the start of track 3: 1071 instead of 1070",
            ],
        ),
    ],
)
def test_each_difference_is_named(found: Programme, differences: list[str]) -> None:
    assert programme_differences(MADE, found) == differences


WITHOUT_TEXT = replace(MADE, text=DiscText(), tracks=tuple(replace(track, text=DiscText()) for track in MADE.tracks))


def test_text_that_is_missing_as_a_whole_is_a_difference() -> None:
    assert programme_differences(MADE, WITHOUT_TEXT) == [
        "the title of the disc: '' instead of 'Live'",
        "the composer of the disc: '' instead of 'Émile'",
        "the title of track 1: '' instead of 'Opening'",
        "the performer of track 1: '' instead of 'The Lab'",
        "the title of track 2: '' instead of 'Song'",
    ]


def test_of_a_drive_that_can_not_read_text_none_is_expected() -> None:
    assert programme_differences(MADE, WITHOUT_TEXT, reads_text=False) == []
    assert programme_differences(MADE, replace(WITHOUT_TEXT, mcn=""), reads_text=False) != []
