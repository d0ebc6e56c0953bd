"""Sheets beside an audio image say what the programme says, and nothing said can break out of its line."""

import re
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.redbook_sheets import ENCODING, cue_sheet, toc_file
from tests.programmes import programmes

LIVE = Programme(
    (
        Track(600, 75, (150,), isrc="GBAYE0000351", pre_emphasis=True, text=DiscText("Opening", "The Lab")),
        Track(400, text=DiscText('The "\\" Song', composer="Émile")),
        Track(425, 150, copy_permitted=True),
    ),
    "0724354526824",
    DiscText("Live", "The Lab"),
)

CUE = """\
CATALOG 0724354526824
TITLE "Live"
PERFORMER "The Lab"
FILE "live.bin" BINARY
  TRACK 01 AUDIO
    TITLE "Opening"
    PERFORMER "The Lab"
    FLAGS PRE
    ISRC GBAYE0000351
    INDEX 00 00:00:00
    INDEX 01 00:01:00
    INDEX 02 00:03:00
  TRACK 02 AUDIO
    TITLE "The '/' Song"
    REM COMPOSER "Émile"
    INDEX 01 00:09:00
  TRACK 03 AUDIO
    FLAGS DCP
    INDEX 00 00:14:25
    INDEX 01 00:16:25
"""

TOC = """\
CD_DA
CATALOG "0724354526824"
CD_TEXT {
  LANGUAGE_MAP { 0 : EN }
  LANGUAGE 0 {
    TITLE "Live"
    PERFORMER "The Lab"
    COMPOSER ""
  }
}

TRACK AUDIO
NO COPY
PRE_EMPHASIS
TWO_CHANNEL_AUDIO
ISRC "GBAYE0000351"
CD_TEXT {
  LANGUAGE 0 {
    TITLE "Opening"
    PERFORMER "The Lab"
    COMPOSER ""
  }
}
FILE "live.bin" SWAP 00:00:00 00:09:00
START 00:01:00
INDEX 00:02:00

TRACK AUDIO
NO COPY
NO PRE_EMPHASIS
TWO_CHANNEL_AUDIO
CD_TEXT {
  LANGUAGE 0 {
    TITLE "The \\042\\134\\042 Song"
    PERFORMER ""
    COMPOSER "\\311mile"
  }
}
FILE "live.bin" SWAP 00:09:00 00:05:25

TRACK AUDIO
COPY
NO PRE_EMPHASIS
TWO_CHANNEL_AUDIO
CD_TEXT {
  LANGUAGE 0 {
    TITLE ""
    PERFORMER ""
    COMPOSER ""
  }
}
FILE "live.bin" SWAP 00:14:25 00:07:50
START 00:02:00
"""


def test_a_cue_sheet_says_where_tracks_are_and_what_is_told_of_them() -> None:
    assert cue_sheet(LIVE, "live.bin") == CUE


def test_a_toc_file_says_where_tracks_are_and_what_is_told_of_them() -> None:
    assert toc_file(LIVE, "live.bin") == TOC


def test_where_nothing_is_told_nothing_is_written_of_it() -> None:
    bare = Programme((Track(300),))

    assert cue_sheet(bare, "a.bin") == 'FILE "a.bin" BINARY\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n'
    assert "CD_TEXT" not in toc_file(bare, "a.bin")
    assert "CATALOG" not in toc_file(bare, "a.bin")


#: Everything, whether CD-TEXT can say it or not.
ANYTHING = st.builds(DiscText, *[st.text(max_size=100)] * 6)


@settings(deadline=None)
@given(programmes(ANYTHING))
def test_whatever_is_said_stays_within_its_quotation_marks(programme: Programme) -> None:
    plain = replace(programme, text=_plain(programme.text), tracks=tuple(_plainly(t) for t in programme.tracks))

    for sheet in (cue_sheet, toc_file):
        said, wanted = (sheet(one, "a.bin").encode(ENCODING).splitlines() for one in (programme, plain))
        assert len(said) == len(wanted)
        for line, model in zip(said, wanted, strict=True):
            assert re.sub(rb'"(?:[^"\\]|\\[0-3][0-7]{2})*"', b'""', line) == re.sub(rb'"[^"]*"', b'""', model)


def _plain(text: DiscText) -> DiscText:
    return DiscText(**{name: "x" if said else "" for name, said in asdict(text).items()})


def _plainly(track: Track) -> Track:
    return replace(track, text=_plain(track.text))


@settings(deadline=None)
@given(programmes())
def test_a_toc_file_says_every_text_to_the_letter(programme: Programme) -> None:
    sheet = toc_file(programme, "a.bin")

    found = re.findall(r'^    ([A-Z]+) "(.*)"$', sheet, re.MULTILINE)

    read = [(name.lower(), re.sub(r"\\(...)", lambda code: chr(int(code[1], 8)), said)) for name, said in found if said]
    texts = (programme.text, *(track.text for track in programme.tracks))
    assert read == [(name, said) for text in texts for name, said in asdict(text).items() if said]


def test_a_text_of_a_cue_sheet_ends_after_eighty_characters() -> None:
    assert 'TITLE "' + "x" * 80 + '"\n' in cue_sheet(Programme((Track(300),), text=DiscText("x" * 81)), "a.bin")


@pytest.mark.parametrize("name", ["", 'a".bin', "a\n.bin", "a\\.bin", "../a.bin", "a\x00.bin", "a\u2028.bin"])
@pytest.mark.parametrize("sheet", [cue_sheet, toc_file])
def test_a_file_that_a_sheet_can_not_name_is_refused(sheet: object, name: str) -> None:
    assert callable(sheet)

    with pytest.raises(ValueError, match="a sheet can't name the file"):
        sheet(LIVE, name)


def test_a_file_is_named_by_the_bytes_of_its_name() -> None:
    assert 'FILE "Müller 日本.bin" BINARY'.encode() in cue_sheet(LIVE, "Müller 日本.bin").encode(ENCODING)
