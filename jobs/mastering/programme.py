"""The programme of an audio disc: its tracks, and what the disc tells of them (Red Book, IEC 60908; CD-TEXT, MMC-3).

Lengths are in audio blocks of 2352 bytes, 75 a second. Block 0 of an image is the disc's block 0, MSF 00:02:00: the
pause of 150 blocks before it belongs to every disc and to no image.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from operator import index
from pathlib import Path
from typing import Any, TypeVar, get_origin

#: Tracks of a disc, at most; blocks of a track, at least: four seconds.
MOST_TRACKS, SHORTEST_TRACK = 99, 300
#: Index numbers of a track beyond 1, at most.
_MOST_INDEXES = 98
_ISRC = re.compile(r"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}", re.ASCII)
_MCN = re.compile(r"[0-9]{13}", re.ASCII)
#: What CD-TEXT can't say: anything but the printable characters of ISO 8859-1.
UNSAYABLE = re.compile(r"[^\x20-\x7e\xa0-\xff]")
#: Blocks of an image, at most: an address has two digits of minutes, and the lead-out needs one (99:59:74).
_MOST_BLOCKS = 100 * 60 * 75 - 1 - 150


def msf(blocks: int) -> str:
    """Write a number of blocks as minutes, seconds and blocks of 1/75 second.

    >>> msf(4 * 60 * 75 + 74)
    '04:00:74'
    """
    return f"{blocks // 4500:02}:{blocks // 75 % 60:02}:{blocks % 75:02}"


@dataclass(frozen=True, slots=True)
class DiscText:
    """What CD-TEXT says of a disc or a track; empty where it says nothing."""

    title: str = ""
    performer: str = ""
    songwriter: str = ""
    composer: str = ""
    arranger: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """One track. `blocks` counts from index 1 to its end, `pregap` the blocks of its index 0 before that.

    `indexes` are the places of index 2 and up, in blocks from index 1. A pregap of track 1 comes on top of the
    disc's pause of two seconds.
    """

    blocks: int
    pregap: int = 0
    indexes: tuple[int, ...] = ()
    isrc: str = ""
    copy_permitted: bool = False
    pre_emphasis: bool = False
    text: DiscText = field(default_factory=DiscText)


@dataclass(frozen=True, slots=True)
class Programme:
    """All tracks of a disc in order, its MCN (13 digits, EAN), and its CD-TEXT."""

    tracks: tuple[Track, ...]
    mcn: str = ""
    text: DiscText = field(default_factory=DiscText)

    @property
    def blocks(self) -> int:
        """Blocks of the whole programme, pregaps included: those of the image."""
        return sum(track.pregap + track.blocks for track in self.tracks)

    @property
    def starts(self) -> tuple[int, ...]:
        """The block of each track's index 1."""
        starts, end = [], 0
        for track in self.tracks:
            starts.append(end + track.pregap)
            end += track.pregap + track.blocks
        return tuple(starts)

    def places(self, first_block: int, blocks: int) -> list[str]:
        """Name the tracks in a range of blocks, and where in each of them the range begins."""
        named, begin = [], 0
        for number, track in enumerate(self.tracks, 1):
            end = begin + track.pregap + track.blocks
            if begin < first_block + blocks and first_block < end:
                within = max(first_block, begin) - begin - track.pregap
                at = f"at {msf(within)}" if within >= 0 else f"{msf(-within)} before its start"
                named.append(f"track {number} {at}")
            begin = end
        return named

    @property
    def has_text(self) -> bool:
        """True if there is anything for CD-TEXT to say."""
        return any(text != DiscText() for text in (self.text, *(track.text for track in self.tracks)))

    def faults(self) -> list[str]:
        """Name everything that the Red Book forbids."""
        return list(self._faults())

    def _faults(self) -> Iterator[str]:
        if self.blocks > _MOST_BLOCKS:
            yield f"{self.blocks / 4500:.1f} minutes; the addresses of a disc end at 100"
        if not 1 <= len(self.tracks) <= MOST_TRACKS:
            yield f"{len(self.tracks)} tracks; an audio disc has 1 to {MOST_TRACKS}"
        if self.mcn and not _MCN.fullmatch(self.mcn):
            yield f"the MCN {self.mcn!r} is not 13 digits"
        yield from (f"the disc: {fault}" for fault in _faults_of_text(self.text))
        for number, track in enumerate(self.tracks, 1):
            yield from (f"track {number}: {fault}" for fault in _faults_of(track))

    @property
    def canonical(self) -> str:
        """The programme as canonical JSON: keys sorted, no spaces, UTF-8 kept."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def save(self, path: Path) -> None:
        """Write the canonical form to a file, safe from a power cut."""
        with path.open("w", encoding="utf-8") as out:
            out.write(self.canonical)
            out.flush()
            os.fsync(out.fileno())

    @classmethod
    def read(cls, text: str) -> "Programme":
        """Read what `canonical` gave.

        Raises:
            ValueError: it is none.
        """
        try:
            return _programme(json.loads(text))
        except (KeyError, TypeError, AttributeError) as error:
            message = f"not a programme: {error}"
            raise ValueError(message) from error


def _faults_of(track: Track) -> Iterator[str]:
    if track.blocks < SHORTEST_TRACK:
        yield f"{track.blocks / 75:.2f} seconds; the Red Book asks for 4"
    if track.pregap < 0:
        yield f"a pregap of {track.pregap} blocks"
    if track.isrc and not _ISRC.fullmatch(track.isrc):
        yield f"the ISRC {track.isrc!r} is not two letters, three letters or digits, and seven digits"
    if len(track.indexes) > _MOST_INDEXES:
        yield f"{len(track.indexes) + 1} indexes; a track has up to 99"
    places = (0, *track.indexes, track.blocks)
    if any(one >= following for one, following in pairwise(places)):
        yield f"its indexes at {', '.join(map(str, track.indexes))} are not in order within {track.blocks} blocks"
    yield from _faults_of_text(track.text)


def _faults_of_text(text: DiscText) -> Iterator[str]:
    for name, said in asdict(text).items():
        if found := UNSAYABLE.search(said):
            yield f"its {name} has the character {found[0]!a}, which CD-TEXT can't say"


_Value = TypeVar("_Value", DiscText, Track, Programme)


def _programme(facts: Mapping[str, Any]) -> Programme:
    tracks = tuple(
        _typed(Track(**{**track, "indexes": _whole(track["indexes"]), "text": _typed(DiscText(**track["text"]))}))
        for track in facts["tracks"]
    )
    return _typed(Programme(tracks, facts["mcn"], _typed(DiscText(**facts["text"]))))


def _whole(indexes: list[Any]) -> tuple[int, ...]:
    return tuple(index(place) for place in indexes)


def _typed(value: _Value) -> _Value:
    """Return a value whose fields are what they are declared as."""
    for item in fields(value):
        wanted = get_origin(item.type) or item.type
        if type(getattr(value, item.name)) is not wanted:
            message = f"{item.name} is {getattr(value, item.name)!r}"
            raise TypeError(message)
    return value
