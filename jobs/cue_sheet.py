"""Reads CUE sheets: which samples of which files become which tracks, and what the disc tells of them; docs/audio.md.

All faults are found at once, each with its line. Times are in blocks, 75 a second, from the start of their file.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import NoReturn

from jobs.errors import Faults
from jobs.mastering.programme import MOST_TRACKS, DiscText

#: Bytes of a sheet; 99 tracks with 99 indexes each take a quarter of it.
MAX_SIZE = 1 << 20
#: Faults that are told of one sheet.
_MOST_FAULTS = 50

_TIME = re.compile(r"(\d{1,3}):(\d{1,2}):(\d{1,2})", re.ASCII)
_FILE = re.compile(r'(?:"(?P<quoted>.*)"|(?P<bare>[^\s"]\S*))\s+(?P<kind>\S+)')
#: A media catalogue number (EAN); an ISRC (ISO 3901) without hyphens.
MCN = re.compile(r"\d{13}", re.ASCII)
ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", re.ASCII)
_BINARY = ("BINARY", "MOTOROLA")
_KINDS = (*_BINARY, "WAVE", "AIFF", "MP3", "FLAC")
#: Commands that hold text, of the disc before the first track and of a track after it.
_TEXTS = ("TITLE", "PERFORMER", "SONGWRITER", "COMPOSER", "ARRANGER", "MESSAGE")


@dataclass(frozen=True, slots=True)
class CueFile:
    """A FILE. `kind` is BINARY (little-endian), MOTOROLA (big-endian), or anything else: a file with a header."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class CueIndex:
    """An INDEX: its number, its file by place in the sheet, its time in blocks."""

    number: int
    file: int
    time: int


@dataclass(frozen=True, slots=True)
class CueTrack:
    """A TRACK. `pregap` and `postgap` are blocks of silence that no file holds."""

    indexes: tuple[CueIndex, ...] = ()
    pregap: int = 0
    postgap: int = 0
    isrc: str = ""
    copy_permitted: bool = False
    pre_emphasis: bool = False
    text: DiscText = field(default_factory=DiscText)


@dataclass(frozen=True, slots=True)
class CueSheet:
    """A sheet without faults. `encoding` is how its text was read, `text_file` a CDTEXTFILE it names."""

    files: tuple[CueFile, ...]
    tracks: tuple[CueTrack, ...]
    mcn: str = ""
    text: DiscText = field(default_factory=DiscText)
    encoding: str = ""
    text_file: str = ""


def read_cue(content: str | bytes) -> CueSheet:
    """Read a sheet: text, or bytes in UTF-8, else in Windows-1252, else in Latin-1.

    Raises:
        Faults: all that is wrong with it.
    """
    text, encoding = (content, "") if isinstance(content, str) else _decoded(content)
    sheet = _Reading().read(text)
    return replace(sheet, encoding=encoding)


def _decoded(content: bytes) -> tuple[str, str]:
    if len(content) > MAX_SIZE:
        _refuse([f"it is larger than {MAX_SIZE:,} bytes"])
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        _refuse(["it is UTF-16; save it as UTF-8"])
    for encoding, name in (("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252")):
        try:
            return content.decode(encoding), name
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "Latin-1"


def _refuse(faults: list[str]) -> NoReturn:
    more = len(faults) - _MOST_FAULTS
    told = faults if more <= 0 else [*faults[:_MOST_FAULTS], f"and {more:,} more"]
    raise Faults("the CUE sheet has faults", told)


class _Fault(Exception):
    """One line can't be taken as it is."""


class _Reading:
    """Goes through the lines of one sheet."""

    def __init__(self) -> None:
        self._faults: list[tuple[int, str]] = []
        self._files: list[CueFile] = []
        self._file_lines: list[int] = []
        self._tracks: list[_OpenTrack] = []
        self._disc: dict[str, str] = {}  # by command
        self._line = 0
        self._commands: dict[str, Callable[[str], None]] = {
            "REM": lambda _: None,
            "FILE": self._file,
            "TRACK": self._track,
            "INDEX": self._index,
            "FLAGS": self._flags,
            "PREGAP": lambda rest: self._gap("PREGAP", rest),
            "POSTGAP": lambda rest: self._gap("POSTGAP", rest),
            "CATALOG": self._catalog,
            "ISRC": self._isrc,
            "CDTEXTFILE": lambda rest: self._once(self._disc, "CDTEXTFILE", _text("CDTEXTFILE", rest)),
        }

    def read(self, text: str) -> CueSheet:
        """Read all lines, then look at the whole."""
        if "\0" in text:
            _refuse(["it holds NULs: it is no text"])
        for self._line, line in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), 1):
            try:
                self._take(line.strip())
            except _Fault as fault:
                self._faults.append((self._line, str(fault)))
        self._faults += self._faults_of_the_whole()
        if self._faults:
            _refuse([f"line {line}: {fault}" for line, fault in sorted(self._faults, key=itemgetter(0))])
        return CueSheet(
            files=tuple(self._files),
            tracks=tuple(track.closed() for track in self._tracks),
            mcn=self._disc.get("CATALOG", ""),
            text=_disc_text(self._disc),
            text_file=self._disc.get("CDTEXTFILE", ""),
        )

    def _take(self, line: str) -> None:
        if not line:
            return
        word, rest = _parted(line)
        command = word.upper()
        if command in _TEXTS:
            self._once(self._tracks[-1].told if self._tracks else self._disc, command, _text(command, rest))
        elif command in self._commands:
            self._commands[command](rest)
        else:
            raise _Fault(f"{_quoted(word)} is no command of a CUE sheet")

    @staticmethod
    def _once(told: dict[str, str], command: str, value: str) -> None:
        if command in told:
            raise _Fault(f"{command} is there more than once")
        told[command] = value

    def _file(self, rest: str) -> None:
        found = _FILE.fullmatch(rest)
        self._file_lines.append(self._line)
        name = (found["quoted"] or found["bare"] or "") if found else ""
        if found is None or not name:
            self._files.append(CueFile("", ""))  # what follows belongs to it, and is not wrong
            raise _Fault('FILE takes a name in quotes and a kind, such as FILE "disc.wav" WAVE')
        self._files.append(CueFile(name, found["kind"].upper()))
        if self._files[-1].kind not in _KINDS:
            raise _Fault(f"{_quoted(found['kind'])} is no kind of file; there are {', '.join(_KINDS)}")

    def _track(self, rest: str) -> None:
        number, kind = _parted(rest)
        track = _OpenTrack(self._line, _number(number, "a track's number"))
        expected = self._tracks[-1].number + 1 if self._tracks else 1
        self._tracks.append(track)
        if kind.upper() != "AUDIO":
            what = _quoted(kind) if kind else "of no kind"
            raise _Fault(f"track {track.number} is {what}; an audio disc has AUDIO tracks only")
        if not 1 <= track.number <= MOST_TRACKS:
            raise _Fault(f"track {track.number}; an audio disc has tracks 1 to {MOST_TRACKS}")
        if track.number != expected:
            raise _Fault(f"track {track.number} where track {expected} should be; they are numbered from 1 on")

    def _open(self, command: str) -> "_OpenTrack":
        if not self._tracks:
            raise _Fault(f"{command} before the first TRACK")
        return self._tracks[-1]

    def _index(self, rest: str) -> None:
        track = self._open("INDEX")
        if not self._files:
            raise _Fault("INDEX before the first FILE")
        number, time = _parted(rest)
        expected = {track.numbers[-1] + 1} if track.numbers else {0, 1}
        track.numbers.append(_number(number, "an index's number"))
        index = CueIndex(track.numbers[-1], len(self._files) - 1, _time(time))
        before = self._last_index()
        track.indexes.append(index)
        if index.number not in expected:
            wanted = " or ".join(f"{each:02}" for each in sorted(expected))
            raise _Fault(f"INDEX {index.number:02} where INDEX {wanted} should be")
        if index.number > MOST_TRACKS:
            raise _Fault("a track has no more than 99 indexes")
        if before and (before.file, before.time) >= (index.file, index.time):
            whose = "the one before" if len(track.indexes) > 1 else "the last one of the track before"
            raise _Fault(f"INDEX {index.number:02} is not later than {whose}")

    def _last_index(self) -> CueIndex | None:
        return next((track.indexes[-1] for track in reversed(self._tracks) if track.indexes), None)

    def _flags(self, rest: str) -> None:
        told = self._open("FLAGS").told
        self._once(told, "FLAGS", rest.upper())
        for flag in told["FLAGS"].split():
            if flag in {"4CH", "SCMS"}:
                raise _Fault(f"the flag {flag} can't be written; leave it out")
            if flag not in {"DCP", "PRE"}:
                raise _Fault(f"{_quoted(flag)} is no flag; there are DCP and PRE")

    def _gap(self, command: str, rest: str) -> None:
        told = self._open(command).told
        self._once(told, command, str(_time(rest)))

    def _catalog(self, rest: str) -> None:
        value = rest.strip('"')
        self._once(self._disc, "CATALOG", value)
        if not MCN.fullmatch(value):
            raise _Fault(f"CATALOG {_quoted(value)} is not 13 digits")

    def _isrc(self, rest: str) -> None:
        value = rest.strip('"').upper().replace("-", "")
        self._once(self._open("ISRC").told, "ISRC", value)
        if not ISRC.fullmatch(value):
            raise _Fault(f"ISRC {_quoted(value)} is not two letters, three letters or digits, and seven digits")

    def _faults_of_the_whole(self) -> Iterator[tuple[int, str]]:
        if not self._tracks:
            yield self._line, "there is no TRACK"
        for track in self._tracks:
            if 1 not in track.numbers:
                yield track.line, f"track {track.number} has no INDEX 01"
            if 0 in track.numbers and "PREGAP" in track.told:
                yield track.line, f"track {track.number} has both a PREGAP and an INDEX 00; leave out one"
        used = {index.file for track in self._tracks for index in track.indexes}
        for number, file in enumerate(self._files):
            if number not in used and file.name:
                yield self._file_lines[number], f"no INDEX leads to the file {_quoted(file.name)}"


class _OpenTrack:
    """A track that is being read."""

    def __init__(self, line: int, number: int) -> None:
        self.line = line
        self.number = number
        self.numbers: list[int] = []  # of all its indexes, those with faults as well
        self.indexes: list[CueIndex] = []
        self.told: dict[str, str] = {}  # by command

    def closed(self) -> CueTrack:
        """Return the track, once it is known to have no faults."""
        flags = self.told.get("FLAGS", "").split()
        return CueTrack(
            indexes=tuple(self.indexes),
            pregap=int(self.told.get("PREGAP", 0)),
            postgap=int(self.told.get("POSTGAP", 0)),
            isrc=self.told.get("ISRC", ""),
            copy_permitted="DCP" in flags,
            pre_emphasis="PRE" in flags,
            text=_disc_text(self.told),
        )


def _disc_text(told: dict[str, str]) -> DiscText:
    return DiscText(*(told.get(command, "") for command in _TEXTS))


def _parted(text: str) -> tuple[str, str]:
    """Take the first word off."""
    word, *rest = text.split(maxsplit=1)[:2] or [""]
    return word, "".join(rest)


def _text(command: str, rest: str) -> str:
    """Return a text, out of its quotes if it has any."""
    text = rest.strip()
    if not text.startswith('"'):
        return text
    if len(text) == 1 or not text.endswith('"'):
        raise _Fault(f"the quote after {command} is not closed")
    return text[1:-1]


def _number(text: str, what: str) -> int:
    if not re.fullmatch(r"\d{1,3}", text, re.ASCII):
        raise _Fault(f"{_quoted(text)} is not {what}")
    return int(text)


def blocks_of(text: str) -> int | None:
    """Read a time, MM:SS:FF, in blocks; nothing if it is none."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    minutes, seconds, frames = map(int, found.groups())
    if minutes > 99 or seconds > 59 or frames > 74:  # noqa: PLR2004  (a disc's clock)
        return None
    return (minutes * 60 + seconds) * 75 + frames


def _time(text: str) -> int:
    blocks = blocks_of(text)
    if blocks is None:
        raise _Fault(f"{_quoted(text)} is no time; minutes to 99, seconds to 59, blocks to 74, as in 03:59:74")
    return blocks


def _quoted(text: str) -> str:
    """Show what stands there: escaped, and cut where it is endless."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")  # noqa: PLR2004  (for people)
