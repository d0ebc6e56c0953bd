"""A CUE sheet is read as it is written, or refused with everything that is wrong with it, line by line."""

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.cue_sheet import MAX_SIZE, CueFile, CueIndex, CueSheet, CueTrack, read_cue
from jobs.errors import Faults
from jobs.mastering.programme import DiscText
from tests.programmes import isrcs, mcns

#: Anything that may stand in quotes on one line.
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20).map(str.strip)
TEXTS = st.builds(DiscText, *[LINES] * 6)
COMMANDS = ("TITLE", "PERFORMER", "SONGWRITER", "COMPOSER", "ARRANGER", "MESSAGE")


#: Digits that int() takes and a CUE sheet does not have.
ARABIC = "\N{ARABIC-INDIC DIGIT ZERO}\N{ARABIC-INDIC DIGIT ONE}"


@st.composite
def sheets(draw: st.DrawFn) -> CueSheet:
    """Sheets with one or more files, some tracks over the end of one."""
    files, tracks, time = list[CueFile](), list[CueTrack](), -1
    for number in range(draw(st.integers(1, 5))):
        indexes = list[CueIndex]()
        for index in range(draw(st.integers(0, 1)), draw(st.integers(1, 4)) + 1):
            if not files or draw(st.booleans()):
                name = draw(LINES.filter(bool))
                files.append(
                    CueFile(name, draw(st.sampled_from(["BINARY", "MOTOROLA", "WAVE", "AIFF", "MP3", "FLAC"])))
                )
                time = -1
            time = draw(st.integers(time + 1, time + 40_000 // (number + 1)))
            indexes.append(CueIndex(index, len(files) - 1, time))
        told = (draw(isrcs()), draw(st.booleans()), draw(st.booleans()), draw(TEXTS))
        pregap = 0 if indexes[0].number == 0 else draw(st.integers(0, 449_999))
        tracks.append(CueTrack(tuple(indexes), pregap, draw(st.integers(0, 449_999)), *told))
    return CueSheet(tuple(files), tuple(tracks), draw(mcns()), draw(TEXTS), text_file=draw(LINES))


def written(sheet: CueSheet) -> str:
    return "\n".join(_lines(sheet))


def _lines(sheet: CueSheet) -> Iterator[str]:
    if sheet.mcn:
        yield f"CATALOG {sheet.mcn}"
    if sheet.text_file:
        yield f'CDTEXTFILE "{sheet.text_file}"'
    yield from _texts(sheet.text)
    reached = -1
    for number, track in enumerate(sheet.tracks, 1):
        if track.indexes[0].file != reached and number % 2:  # a FILE stands before its TRACK or before its INDEX
            reached = track.indexes[0].file
            yield _file(sheet, reached)
        yield f"  TRACK {number:02} AUDIO"
        yield from _told(track)
        for index in track.indexes:
            if index.file != reached:
                reached = index.file
                yield _file(sheet, reached)
            yield f"    INDEX {index.number:02} {clock(index.time)}"
        if track.postgap:
            yield f"    POSTGAP {clock(track.postgap)}"


def _told(track: CueTrack) -> Iterator[str]:
    yield from (f"  {line}" for line in _texts(track.text))
    if track.isrc:
        yield f"    ISRC {track.isrc}"
    if track.copy_permitted or track.pre_emphasis:
        yield f"    FLAGS{' DCP' * track.copy_permitted}{' PRE' * track.pre_emphasis}"
    if track.pregap:
        yield f"    PREGAP {clock(track.pregap)}"


def _file(sheet: CueSheet, number: int) -> str:
    return f'FILE "{sheet.files[number].name}" {sheet.files[number].kind}'


def _texts(text: DiscText) -> Iterator[str]:
    for command in COMMANDS:
        if said := getattr(text, command.lower()):
            yield f'  {command} "{said}"'


def clock(blocks: int) -> str:
    return f"{blocks // 4500:02}:{blocks // 75 % 60:02}:{blocks % 75:02}"


def faults_of(content: str | bytes) -> list[str]:
    with pytest.raises(Faults) as refused:
        read_cue(content)
    return list(refused.value.faults)


GOOD = """\
FILE "a.wav" WAVE
  TRACK 01 AUDIO
    INDEX 01 00:00:00
"""


@given(sheets())
@settings(deadline=None, max_examples=60)
def test_every_sheet_is_read_as_it_was_written(sheet: CueSheet) -> None:
    assert read_cue(written(sheet)) == sheet


@given(sheets())
@settings(deadline=None, max_examples=30)
def test_case_line_ends_blanks_and_remarks_do_not_matter(sheet: CueSheet) -> None:
    lines = [re.sub(r"^( *)([A-Z]+)", lambda found: f"\t{found[2].lower()} ", line) for line in _lines(sheet)]
    text = "REM GENRE Polka\r\n\r\n" + " \r\n".join(lines) + "\r\n\r\n"

    assert read_cue(text) == sheet


@given(st.text())
def test_any_text_is_read_or_refused_with_faults(text: str) -> None:
    with suppress(Faults):
        assert read_cue(text).tracks


@given(st.binary())
def test_any_bytes_are_read_or_refused_with_faults(content: bytes) -> None:
    with suppress(Faults):
        assert read_cue(content).tracks


WORDS = ["FILE", "TRACK", "INDEX", "PREGAP", "POSTGAP", "FLAGS", "ISRC", "CATALOG", "TITLE", "REM", "CDTEXTFILE"]
VALUES = [
    '"',
    '"a.wav" WAVE',
    "a.wav",
    "01 AUDIO",
    "1",
    "00",
    "-1",
    "01 00:00:00",
    "02 00:00:-1",
    "99:59:74",
    "²",
    "\x85",
]


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.lists(st.sampled_from(VALUES), max_size=3)), max_size=12))
def test_any_row_of_commands_is_read_or_refused_with_the_lines(rows: list[tuple[str, list[str]]]) -> None:
    text = "\n".join(" ".join([word, *values]) for word, values in rows)

    try:
        sheet = read_cue(text)
    except Faults as refused:
        numbers = [int(re.match(r"line (\d+): ", fault)[1]) for fault in refused.faults]  # type: ignore[index]
        assert numbers == sorted(numbers)
        assert numbers[-1] <= len(rows) + 1
    else:
        assert all(1 in [index.number for index in track.indexes] for track in sheet.tracks)


def test_a_pregap_that_lies_in_the_file_before_is_read_as_rippers_write_it() -> None:
    sheet = read_cue(
        'FILE "1.wav" WAVE\n TRACK 01 AUDIO\n  INDEX 01 00:00:00\n TRACK 02 AUDIO\n  INDEX 00 03:58:00\n'
        'FILE "2.wav" WAVE\n  INDEX 01 00:00:00\n'
    )

    assert sheet.tracks[1].indexes == (CueIndex(0, 0, 17_850), CueIndex(1, 1, 0))


@pytest.mark.parametrize(
    ("encoding", "named"), [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252")]
)
def test_the_encoding_is_found_and_named(encoding: str, named: str) -> None:
    sheet = read_cue(f'TITLE "Für “Elise”"\n{GOOD}'.encode(encoding))

    assert (sheet.text.title, sheet.encoding) == ("Für “Elise”", named)


def test_what_windows_can_not_say_is_latin_1() -> None:
    sheet = read_cue(b'TITLE "\x81"\n' + GOOD.encode())

    assert (sheet.text.title, sheet.encoding) == ("\x81", "Latin-1")


def test_quotes_in_a_text_and_texts_without_quotes_are_taken() -> None:
    sheet = read_cue(f'TITLE "The "best" of"\nPERFORMER Some One\nSONGWRITER ""\n{GOOD}')

    assert sheet.text == DiscText('The "best" of', "Some One")


def test_a_file_needs_no_quotes_if_it_has_no_blanks() -> None:
    assert read_cue(GOOD.replace('"', "")).files == (CueFile("a.wav", "WAVE"),)


def test_hyphens_and_small_letters_of_an_isrc_are_taken_off() -> None:
    assert read_cue(f"{GOOD}ISRC gb-aye-00-00351").tracks[0].isrc == "GBAYE0000351"


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        ("", ["line 1: there is no TRACK"]),
        ("hello", ["line 1: 'hello' is no command of a CUE sheet", "line 1: there is no TRACK"]),
        (f"{GOOD}INDEX 02 99:99:99", ["line 4: '99:99:99' is no time; minutes to 99, seconds to 59, blocks to 74"]),
        (f"{GOOD}INDEX 02 00:00:75", ["line 4: '00:00:75' is no time"]),
        (f"{GOOD}INDEX 02 -1:00:00", ["line 4: '-1:00:00' is no time"]),
        (f"{GOOD}INDEX 02 100:00:00", ["line 4: '100:00:00' is no time"]),
        (f"{GOOD}INDEX 02 {ARABIC}:00:00", [f"line 4: '{ARABIC}:00:00' is no time"]),
        (f"{GOOD}INDEX 02", ["line 4: '' is no time"]),
        (f"{GOOD}INDEX 02 00:00:00", ["line 4: INDEX 02 is not later than the one before"]),
        (f"{GOOD}INDEX 03 00:00:01", ["line 4: INDEX 03 where INDEX 02 should be"]),
        (f"{GOOD}INDEX x 00:00:01", ["line 4: 'x' is not an index's number"]),
        (f"{GOOD}TRACK 02 AUDIO\nINDEX 01 00:00:00", ["line 5: INDEX 01 is not later than the last one of the track"]),
        (f"{GOOD}TRACK 02 AUDIO\nINDEX 02 00:09:00", ["line 4: track 2 has no INDEX 01", "line 5: INDEX 02 where"]),
        (f"{GOOD}TRACK 02 AUDIO", ["line 4: track 2 has no INDEX 01"]),
        (f"{GOOD}TRACK 02 AUDIO\nINDEX 00 00:09:00", ["line 4: track 2 has no INDEX 01"]),
        (f"{GOOD}TRACK 03 AUDIO\nINDEX 01 00:09:00", ["line 4: track 3 where track 2 should be"]),
        (f"{GOOD}TRACK 01 AUDIO\nINDEX 01 00:09:00", ["line 4: track 1 where track 2 should be"]),
        (f"{GOOD}TRACK one AUDIO", ["line 4: 'one' is not a track's number"]),
        (f"{GOOD}TRACK 02 MODE1/2352\nINDEX 01 00:09:00", ["line 4: track 2 is 'MODE1/2352'; an audio disc has AUDIO"]),
        (f"{GOOD}TRACK 02\nINDEX 01 00:09:00", ["line 4: track 2 is of no kind; an audio disc has AUDIO"]),
        ("TRACK 01 AUDIO\nINDEX 01 00:00:00", ["line 1: track 1 has no INDEX 01", "line 2: INDEX before the first"]),
        ("INDEX 01 00:00:00\n" + GOOD, ["line 1: INDEX before the first TRACK"]),
        ("FLAGS DCP\nISRC ABCDE1234567\nPREGAP 00:02:00\n" + GOOD, ["line 1: FLAGS", "line 2: ISRC", "line 3: PREG"]),
        (f"CATALOG 1234567890123\nCATALOG 1234567890123\n{GOOD}", ["line 2: CATALOG is there more than once"]),
        (f"CATALOG 123\n{GOOD}", ["line 1: CATALOG '123' is not 13 digits"]),
        (f"{GOOD}ISRC ABC", ["line 4: ISRC 'ABC' is not two letters"]),
        (f"{GOOD}TITLE a\nTITLE b", ["line 5: TITLE is there more than once"]),
        (f'{GOOD}TITLE "a', ["line 4: the quote after TITLE is not closed"]),
        (f'{GOOD}TITLE "', ["line 4: the quote after TITLE is not closed"]),
        (f"{GOOD}FLAGS DCP 4CH", ["line 4: the flag 4CH can't be written; leave it out"]),
        (f"{GOOD}FLAGS SCMS", ["line 4: the flag SCMS can't be written; leave it out"]),
        (f"{GOOD}FLAGS XYZ", ["line 4: 'XYZ' is no flag; there are DCP and PRE"]),
        (f"{GOOD}FLAGS DCP\nFLAGS PRE", ["line 5: FLAGS is there more than once"]),
        (f"{GOOD}PREGAP 2", ["line 4: '2' is no time"]),
        (f"{GOOD}TRACK 02 AUDIO\nPREGAP 00:02:00\nINDEX 00 00:05:00\nINDEX 01 00:06:00", ["line 4: track 2 has both"]),
        ('FILE "b.wav" WAVE\n' + GOOD, ["line 1: no INDEX leads to the file 'b.wav'"]),
        (GOOD.replace("WAVE", "VIDEO"), ["line 1: 'VIDEO' is no kind of file; there are BINARY, MOTOROLA, WAVE"]),
        (GOOD.replace(" WAVE", ""), ["line 1: FILE takes a name in quotes and a kind"]),
        (GOOD.replace("a.wav", ""), ["line 1: FILE takes a name in quotes and a kind"]),
        (GOOD.replace('.wav"', ""), ["line 1: FILE takes a name in quotes and a kind"]),
        (f"{GOOD}\0", ["it holds NULs: it is no text"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(lines: str, faults: list[str]) -> None:
    said = faults_of(lines)

    assert len(said) == len(faults)
    for fault, expected in zip(said, faults, strict=True):
        assert (fault if fault.startswith("line") else re.sub(r"^line \d+: ", "", fault)).startswith(expected)


def test_a_hundredth_track_is_refused() -> None:
    tracks = "".join(f"TRACK {number} AUDIO\nINDEX 01 {clock((number - 1) * 300)}\n" for number in range(1, 101))

    assert faults_of(f"FILE a.wav WAVE\n{tracks}") == ["line 200: track 100; an audio disc has tracks 1 to 99"]


def test_all_faults_come_at_once_up_to_a_number_a_person_reads() -> None:
    faults = faults_of("nonsense\n" * 1000)

    assert len(faults) == 51
    assert faults[-1] == "and 951 more"


def test_a_sheet_without_end_is_refused_unread() -> None:
    assert faults_of(b" " * (MAX_SIZE + 1)) == ["it is larger than 1,048,576 bytes"]


def test_utf_16_is_refused_with_the_remedy() -> None:
    assert faults_of(GOOD.encode("utf-16")) == ["it is UTF-16; save it as UTF-8"]
