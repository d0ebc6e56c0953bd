"""What a CD tells of itself: its table of contents, the ATIP in its groove, MCN and ISRC, CD-TEXT (MMC-6 6.22, 6.25).

Every reader takes whatever comes: what a short answer lacks is not there.
"""

import re
from dataclasses import dataclass

from workers.recorders.scsi_answers import number

#: Blocks between MSF 00:00:00 and block 0 (Red Book; MMC-6 4.2.3).
PAUSE = 150
#: The number that stands for the lead-out in a table of contents.
LEAD_OUT = 0xAA
_HEAD, _TRACK, _POINT, _PACK = 4, 8, 11, 18
#: Points of the full table that are no tracks: first and last track, lead-out.
_FIRST_POINT, _LEAD_OUT_POINT = 0xA0, 0xA2
_MCN = re.compile(rb"[0-9]{13}")
_ISRC = re.compile(rb"[A-Z]{2}[A-Z0-9]{3}[0-9]{7}")


def block_of(minutes: int, seconds: int, frames: int) -> int:
    """Return the block at a time of the disc; before 00:02:00 it is negative (MMC-6 table 24).

    >>> block_of(0, 2, 0)
    0
    """
    return (minutes * 60 + seconds) * 75 + frames - PAUSE


@dataclass(frozen=True, slots=True)
class TocTrack:
    """Where a track's index 1 is, and its control field."""

    number: int
    session: int
    control: int
    start: int

    @property
    def is_audio(self) -> bool:
        """True for a track of audio."""
        return not self.control & 4

    @property
    def copy_permitted(self) -> bool:
        """True if the disc says so."""
        return bool(self.control & 2)

    @property
    def pre_emphasis(self) -> bool:
        """True for audio with pre-emphasis."""
        return self.is_audio and bool(self.control & 1)


@dataclass(frozen=True, slots=True)
class Toc:
    """The tracks of a disc in order, and the block at which its last session's lead-out starts."""

    tracks: tuple[TocTrack, ...]
    lead_out: int

    def end_of(self, track: int) -> int:
        """Return the block after a track: where the next one of its session starts, or the lead-out."""
        own = next(item for item in self.tracks if item.number == track)
        later = [item.start for item in self.tracks if item.start > own.start]
        return min(later, default=self.lead_out)


def parse_toc(data: bytes) -> Toc:
    """Read the table of contents of format 0, whose addresses are blocks."""
    end = min(len(data), 2 + number(data, 0, 2))
    rows = [data[at : at + _TRACK] for at in range(_HEAD, end - _TRACK + 1, _TRACK)]
    tracks = tuple(
        TocTrack(row[2], 0, row[1] & 0xF, int.from_bytes(row[4:8], "big", signed=True))
        for row in rows
        if row[2] != LEAD_OUT
    )
    lead_out = next((number(row, 4, 4) for row in rows if row[2] == LEAD_OUT), 0)
    return Toc(tracks, lead_out)


def parse_full_toc(data: bytes) -> Toc:
    """Read the table of contents of format 2, the lead-ins' own, which alone tells the sessions."""
    end = min(len(data), 2 + number(data, 0, 2))
    tracks, lead_out = [], 0
    for at in range(_HEAD, end - _POINT + 1, _POINT):
        session, adr_control, _, point, *_, minutes, seconds, frames = data[at : at + _POINT]
        if adr_control >> 4 != 1:
            continue
        if 0 < point < _FIRST_POINT:
            tracks.append(TocTrack(point, session, adr_control & 0xF, block_of(minutes, seconds, frames)))
        elif point == _LEAD_OUT_POINT:
            lead_out = max(lead_out, block_of(minutes, seconds, frames))
    return Toc(tuple(sorted(tracks, key=lambda track: track.number)), lead_out)


@dataclass(frozen=True, slots=True)
class Atip:
    """What the groove of a blank CD says: `capacity` is the block of its last possible lead-out.

    `lead_in` is the time at which its lead-in starts, which tells its maker.
    """

    capacity: int
    rewritable: bool
    lead_in: str


def parse_atip(data: bytes) -> Atip | None:
    """Read the ATIP; None if the disc has none (MMC-6 6.25.3.6)."""
    if len(data) < 15 or number(data, 0, 2) < 13:
        return None
    lead_in = "{:02}m{:02}s{:02}f".format(*data[8:11])
    return Atip(block_of(*data[12:15]), bool(data[6] & 0x40), lead_in)


def parse_cd_text(data: bytes) -> bytes:
    """Return the packs of CD-TEXT that a disc has in its lead-in; empty if it has none."""
    packs = data[_HEAD : 2 + number(data, 0, 2)]
    return packs[: len(packs) - len(packs) % _PACK]


def parse_mcn(data: bytes) -> str:
    """Return the media catalogue number, 13 digits; empty if the disc has none."""
    found = _MCN.fullmatch(bytes(data[9:22])) if number(data, 8, 1) & 0x80 else None
    return found[0].decode() if found else ""


def parse_isrc(data: bytes) -> str:
    """Return a track's ISRC; empty if it has none."""
    found = _ISRC.fullmatch(bytes(data[9:21])) if number(data, 8, 1) & 0x80 else None
    return found[0].decode() if found else ""


def parse_last_session(data: bytes) -> int:
    """Return the block at which the last complete session starts, from a table of contents of format 1; 0 if none."""
    return int.from_bytes(data[8:12], "big", signed=True) if len(data) >= 12 else 0
