"""Finds files that are cut off or damaged though their decoder would not say so.

libsndfile shortens a WAV to what is there, fills a broken MP3 with silence and skips broken pages of an OGG: on a
disc each of these would be a fault that nobody was told of. So the structure of a file is walked first, without
decoding: chunks by their lengths (RIFF, RF64, Wave64, AIFF), MP3 frames one behind the other, OGG pages by their CRC.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.decoder.mpeg import check_frames
from jobs.decoder.words import Undecodable

#: A length that says "not known": the file was written into a pipe (RF64: "see ds64").
_UNKNOWN = 0xFFFF_FFFF
#: Wave64's name of a chunk: 16 bytes, of which the first four are RIFF's.
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
#: Chunks and pages of one file; more are no audio.
_MOST_PIECES = 1_000_000
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
#: Flags of an OGG page (RFC 3533, 6).
_FIRST, _LAST = 2, 4


@dataclass(frozen=True, slots=True)
class Container:
    """What was learnt.

    `flac_md5` and `flac_bits` are the MD5 of a FLAC's samples and their width, where it carries one. `mpeg` is true
    if it is a row of MP3 frames, and `mpeg_length` if the first of them tells how many there are.
    """

    flac_md5: bytes = b""
    flac_bits: int = 0
    mpeg: bool = False
    mpeg_length: bool = False


class Bytes:
    """A file read by position."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self.size = os.fstat(handle).st_size

    def at(self, place: int, count: int) -> bytes:
        """Return bytes, fewer at the file's end."""
        return os.pread(self._handle, count, place) if place < self.size else b""

    def after_id3(self) -> int:
        """Return the place behind ID3v2 tags, which may stand before anything (id3.org, ID3v2.4 structure, 3.1)."""
        place = 0
        while (head := self.at(place, 10))[:3] == b"ID3" and len(head) == 10:  # noqa: PLR2004  (the header's length)
            size = 0
            for byte in head[6:]:
                size = size << 7 | byte & 0x7F
            place += 10 + size + (10 if head[5] & 0x10 else 0)
        return place


def examine(handle: int) -> Container:
    """Walk through the structure of an open file; one of another format passes.

    Raises:
        Undecodable: it is cut off or damaged.
    """
    content = Bytes(handle)
    head = content.at(0, 12)
    if head[:4] in {b"RIFF", b"RF64"} and head[8:] == b"WAVE":
        _check_riff(content)
    elif head[:4] == b"riff":
        _check_wave64(content)
    elif head[:4] == b"FORM" and head[8:] in {b"AIFF", b"AIFC"}:
        _check_aiff(content)
    elif head[:4] == b"OggS":
        _check_ogg(content)
    else:
        start = content.after_id3()
        if content.at(start, 4) == b"fLaC":
            return _flac(content.at(start + 8, 34))
        told = check_frames(content, start)
        return Container(mpeg=told is not None, mpeg_length=bool(told))
    return Container()


def _check_riff(content: Bytes) -> None:
    place, long_length = 12, 0
    for _ in range(_MOST_PIECES):
        head = content.at(place, 8)
        if len(head) < 8:  # noqa: PLR2004  (id and length)
            return
        name, length = head[:4], int.from_bytes(head[4:], "little")
        if name == b"ds64":
            long_length = int.from_bytes(content.at(place + 16, 8), "little")
        if name == b"data":
            if length != _UNKNOWN or long_length:
                _check_end(content, place + 8 + (long_length if length == _UNKNOWN else length))
            return
        place += 8 + length + length % 2


def _check_wave64(content: Bytes) -> None:
    place = 40
    for _ in range(_MOST_PIECES):
        head = content.at(place, 24)
        if len(head) < 24:  # noqa: PLR2004  (name and length)
            return
        length = int.from_bytes(head[16:], "little")  # its own head included
        if head[:16] == _W64_DATA:
            _check_end(content, place + length)
            return
        place += max(24, length + -length % 8)


def _check_aiff(content: Bytes) -> None:
    place = 12
    for _ in range(_MOST_PIECES):
        head = content.at(place, 8)
        if len(head) < 8:  # noqa: PLR2004  (id and length)
            return
        length = int.from_bytes(head[4:], "big")
        if head[:4] == b"SSND":
            _check_end(content, place + 8 + length)
            return
        place += 8 + length + length % 2


def _check_end(content: Bytes, end: int) -> None:
    if end > content.size:
        raise Undecodable(f"is cut off: its samples should reach to byte {end:,}, and it has {content.size:,} bytes")


def _flac(info: bytes) -> Container:
    """Read a STREAMINFO block (RFC 9639, 8.2): the width of samples, and their MD5, zeros where nobody took it."""
    if len(info) < 34 or not any(info[18:]):  # noqa: PLR2004  (its length)
        return Container()
    return Container(info[18:], (int.from_bytes(info[12:14], "big") >> 4 & 0x1F) + 1)


def _check_ogg(content: Bytes) -> None:
    """Check that every page is whole, and every stream that begins also ends; one recording a file."""
    begun, ended = set[int](), set[int]()
    for place, page in _ogg_pages(content):
        flags, serial = page[5], int.from_bytes(page[14:18], "little")
        if flags & _FIRST:
            if ended:
                raise Undecodable(f"holds several recordings, the second from byte {place:,} on; make a file of each")
            begun.add(serial)
        if flags & _LAST:
            ended.add(serial)
    if begun != ended:
        raise Undecodable("is cut off: its last page is missing")


def _ogg_pages(content: Bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < content.size:
        head = content.at(place, 27 + 255)
        lengths = head[27 : 27 + head[26]] if head[:4] == b"OggS" and len(head) > 27 else b""  # noqa: PLR2004
        page = content.at(place, 27 + len(lengths) + sum(lengths))
        if not lengths or _ogg_crc(page) != page[22:26]:
            raise Undecodable(f"is damaged or cut off at byte {place:,}: there is no whole OGG page")
        yield place, page
        place += len(page)


def _ogg_crc(page: bytes) -> bytes:
    """Take the CRC-32 of a page as OGG does: zlib's polynomial, bits the other way round, and no inversion."""
    mirrored = (page[:22] + bytes(4) + page[26:]).translate(_REVERSED)
    crc = zlib.crc32(mirrored, 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return struct.pack(">I", crc).translate(_REVERSED)
