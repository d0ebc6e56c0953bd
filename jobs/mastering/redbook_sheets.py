"""Sheets that tell other programs of an audio image beside them: CUE (CDRWIN) and TOC (cdrdao).

Both are of a `.bin` file of little-endian samples, as they lie on the disc's image. A sheet is one file of lines, and
nothing that is said of a disc gets out of the line, or of the quotation marks, that it is put into.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict

from jobs.mastering.programme import UNSAYABLE, DiscText, Programme, Track, msf

#: Sheets are written in this encoding.
ENCODING = "latin-1"
#: Characters of a text in a cue sheet, at most (CDRWIN).
_LONGEST = 80
#: What CDRWIN has words for; the rest goes into remarks, since cdrdao refuses a sheet with a word it doesn't know.
_CUE_WORDS = frozenset({"title", "performer", "songwriter"})
_CUE_STANDINS = str.maketrans({'"': "'", "\\": "/"})


def cue_sheet(programme: Programme, file_name: str) -> str:
    """Return the cue sheet of a `.bin` file, to be encoded in `ENCODING`.

    A cue sheet can't say a quotation mark, and cdrdao takes a backslash for the start of one: an apostrophe and a
    slash stand for them. Texts end after 80 characters. The packs of `cd_text` say all. Of cdrdao 1.2.4 it is known
    that it swaps the bytes of such a file's samples, and misplaces index 2 and up: `toc_file` is for cdrdao.

    Raises:
        ValueError: a sheet can't name such a file.
    """
    return "".join(f"{line}\n" for line in _cue_lines(programme, _checked(file_name)))


def toc_file(programme: Programme, file_name: str) -> str:
    """Return the TOC file with which cdrdao reads a `.bin` file, to be encoded in `ENCODING`.

    Raises:
        ValueError: a sheet can't name such a file.
    """
    return "".join(f"{line}\n" for line in _toc_lines(programme, _checked(file_name)))


def _checked(file_name: str) -> str:
    """Return a file's name so that the sheet's encoding gives back the very bytes of it."""
    if not file_name or {'"', "\\", "/"} & set(file_name) or not file_name.isprintable():
        message = (
            f"a sheet can't name the file {file_name!r}: it may have no slashes, quotation marks, control characters"
        )
        raise ValueError(message)
    return os.fsencode(file_name).decode(ENCODING)


def _cue_lines(programme: Programme, file_name: str) -> Iterator[str]:
    if programme.mcn:
        yield f"CATALOG {programme.mcn}"
    yield from _cue_text(programme.text)
    yield f'FILE "{file_name}" BINARY'
    for number, (start, track) in enumerate(zip(programme.starts, programme.tracks, strict=True), 1):
        yield f"  TRACK {number:02} AUDIO"
        yield from (f"    {line}" for line in _cue_track(start, track))


def _cue_track(start: int, track: Track) -> Iterator[str]:
    yield from _cue_text(track.text)
    if track.copy_permitted or track.pre_emphasis:
        yield "FLAGS" + " DCP" * track.copy_permitted + " PRE" * track.pre_emphasis
    if track.isrc:
        yield f"ISRC {track.isrc}"
    if track.pregap:
        yield f"INDEX 00 {msf(start - track.pregap)}"
    for number, place in enumerate((0, *track.indexes), 1):
        yield f"INDEX {number:02} {msf(start + place)}"


def _cue_text(text: DiscText) -> Iterator[str]:
    for name, said in asdict(text).items():
        if said:
            remark = "" if name in _CUE_WORDS else "REM "
            sayable = UNSAYABLE.sub("?", said).translate(_CUE_STANDINS)[:_LONGEST]
            yield f'{remark}{name.upper()} "{sayable}"'


def _toc_lines(programme: Programme, file_name: str) -> Iterator[str]:
    yield "CD_DA"
    if programme.mcn:
        yield f'CATALOG "{programme.mcn}"'
    fields = _fields_said(programme)
    if fields:
        yield from _toc_text(programme.text, fields, ["  LANGUAGE_MAP { 0 : EN }"])
    end = 0
    for track in programme.tracks:
        yield ""
        yield from _toc_track(track, fields)
        length = track.pregap + track.blocks
        yield f'FILE "{file_name}" SWAP {msf(end)} {msf(length)}'
        end += length
        if track.pregap:
            yield f"START {msf(track.pregap)}"
        yield from (f"INDEX {msf(place)}" for place in track.indexes)


def _toc_track(track: Track, fields: list[str]) -> Iterator[str]:
    yield "TRACK AUDIO"
    yield "COPY" if track.copy_permitted else "NO COPY"
    yield "PRE_EMPHASIS" if track.pre_emphasis else "NO PRE_EMPHASIS"
    yield "TWO_CHANNEL_AUDIO"  # the default; but cdrdao 1.2.4 stumbles over a FILE right after NO PRE_EMPHASIS
    if track.isrc:
        yield f'ISRC "{track.isrc}"'
    if fields:
        yield from _toc_text(track.text, fields, [])


def _fields_said(programme: Programme) -> list[str]:
    """Name what is said of the disc or any track: cdrdao asks that it be said of all of them."""
    rows = [asdict(text) for text in (programme.text, *(track.text for track in programme.tracks))]
    return [name for name in rows[0] if any(row[name] for row in rows)]


def _toc_text(text: DiscText, fields: list[str], head: list[str]) -> Iterator[str]:
    said = asdict(text)
    yield "CD_TEXT {"
    yield from head
    yield "  LANGUAGE 0 {"
    yield from (f'    {name.upper()} "{_quoted(said[name])}"' for name in fields)
    yield "  }"
    yield "}"


def _quoted(text: str) -> str:
    r"""Write what is not plain ASCII, quotation marks and backslashes as three octal digits.

    >>> _quoted('a "b" \xe9')
    'a \\042b\\042 \\351'
    """
    return "".join(
        character if character.isascii() and character not in '"\\' else f"\\{ord(character):03o}"
        for character in UNSAYABLE.sub("?", text)
    )
