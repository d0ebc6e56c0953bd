"""Walks through the frames of an MP3: decoders skip what is broken, and play silence for what is missing.

The header of a frame: ISO 11172-3, 2.4.1.3 and 2.4.2.3; lower rates: ISO 13818-3, 2.4.2.3.
"""

from dataclasses import dataclass
from typing import Protocol

from jobs.decoder.words import Undecodable

#: Kilobits a second by index, of layer III: MPEG 1, and MPEG 2 and 2.5.
_BITRATES = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
#: MPEG 1 and its rates divided by 1, MPEG 2 by 2, MPEG 2.5 by 4.
_DIVISORS = {3: 1, 2: 2, 0: 4}
_LAYER_3 = 1
#: What may follow the last frame: ID3v1, APE, Lyrics3, and the padding of some writers.
_TRAILERS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"ID3")
#: Bytes after which the frame that tells their number has it, and bytes that are looked at.
_LOOK = 200


class Readable(Protocol):
    """A file read by position."""

    size: int

    def at(self, place: int, count: int) -> bytes:
        """Return bytes, fewer at the file's end."""


@dataclass(frozen=True, slots=True)
class _Frame:
    length: int  #: in bytes
    kind: tuple[int, int]  #: version and rate: the same all through a file


def check_frames(content: Readable, start: int) -> int | None:
    """Walk from frame to frame; return how many the first one tells (0: it does not), nothing if this is no MP3.

    Raises:
        Undecodable: there is something else between frames, or fewer of them than the first one tells.
    """
    first = _frame(content.at(start, 4))
    if first is None or not first.length or _frame(content.at(start + first.length, 4)) is None:
        return None  # also of free bit rate: its frames tell no length
    told = _told(content.at(start, _LOOK))
    place, found = start, 0
    while place < content.size and not _is_trailer(content, place):
        frame = _frame(content.at(place, 4))
        if frame is None or frame.kind != first.kind or not frame.length:
            raise Undecodable(f"is damaged at byte {place:,}: an MP3 frame should begin there")
        if place + frame.length > content.size:
            raise Undecodable(f"is cut off: its last MP3 frame, from byte {place:,} on, is not whole")
        place += frame.length
        found += 1
    if told > found:  # some writers count the frame that tells, too
        raise Undecodable(f"is cut off: {told:,} MP3 frames are announced, and {found:,} are there")
    return told


def _frame(head: bytes) -> _Frame | None:
    word = int.from_bytes(head, "big")
    version, layer = word >> 19 & 3, word >> 17 & 3
    bitrate, rate = word >> 12 & 15, word >> 10 & 3
    if len(head) < 4 or word >> 21 != 0x7FF or version == 1 or layer != _LAYER_3 or bitrate == 15 or rate == 3:  # noqa: PLR2004
        return None
    divisor = _DIVISORS[version]
    bits = _BITRATES[divisor == 1][bitrate] * 1000
    samples = 144 if divisor == 1 else 72  # an eighth of a frame's
    length = samples * bits * divisor // _RATES[rate] + (word >> 9 & 1) if bits else 0
    return _Frame(length, (version, rate))


def _told(head: bytes) -> int:
    """Return how many frames the first one announces, if it does: Xing's and LAME's header."""
    for name in (b"Xing", b"Info"):
        place = head.find(name)
        if place > 0 and head[place + 7] & 1:
            return int.from_bytes(head[place + 8 : place + 12], "big")
    return 0


def _is_trailer(content: Readable, place: int) -> bool:
    rest = content.at(place, 4096)
    return rest.startswith(_TRAILERS) or not any(rest)
