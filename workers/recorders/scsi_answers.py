"""What drives answer, read from bytes: who they are, what they can do, what state the disc is in.

Every reader takes whatever comes: what a short answer lacks reads as zero or as nothing, never as a traceback.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from jobs.mastering.medium import MediumKind

#: Feature numbers (MMC-6 table 86): the list of profiles, reading CDs, and the drive's serial number.
PROFILE_LIST, CD_READ, SERIAL_NUMBER = 0x0000, 0x001E, 0x0108
#: Bytes before the first feature, before the first speed, of a speed.
_CONFIGURATION_HEAD, _PERFORMANCE_HEAD, _PERFORMANCE_SIZE = 8, 8, 16
_MODE_HEAD = 8
#: Bytes in the kB of a speed (MMC-6 7.11.3).
_KILO = 1000

#: Kinds by profile (MMC-6 table 95).
KINDS = {
    0x09: MediumKind.CD_R,
    0x0A: MediumKind.CD_RW,
    0x11: MediumKind.DVD_R,
    0x13: MediumKind.DVD_RW,
    0x14: MediumKind.DVD_RW,
    0x15: MediumKind.DVD_R_DL,
    0x16: MediumKind.DVD_R_DL,
    0x1A: MediumKind.DVD_PLUS_RW,
    0x1B: MediumKind.DVD_PLUS_R,
    0x2B: MediumKind.DVD_PLUS_R_DL,
    0x41: MediumKind.BD_R,
    0x42: MediumKind.BD_R,
    0x43: MediumKind.BD_RE,
}

#: Profiles of media that are read only: what a closed disc may become, by a drive's choice or by its book type, and
#: what pressed discs are. Which kind it was nobody can tell; the usual one of its family stands for it.
READ_ONLY = {0x08: MediumKind.CD_R, 0x10: MediumKind.DVD_R, 0x40: MediumKind.BD_R}

#: Profiles whose media are written over wherever one likes.
OVERWRITABLE = frozenset({0x12, 0x13, 0x1A, 0x2A, 0x43})


def number(data: bytes, at: int, size: int) -> int:
    """Read an unsigned number, high byte first; what is missing is zero."""
    return int.from_bytes(bytes(data[at : at + size]).ljust(size, b"\0"), "big")


def text(data: bytes, at: int, size: int) -> str:
    """Read text that is padded with spaces; what is not printable ASCII becomes a question mark."""
    said = bytes(data[at : at + size]).strip(b" \0")
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in said)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Who a device is. `device_type` 5 is an optical drive."""

    device_type: int
    vendor: str
    product: str
    revision: str


def parse_inquiry(data: bytes) -> Inquiry:
    """Read the standard answer to INQUIRY (SPC-4 6.4.2)."""
    return Inquiry(number(data, 0, 1) & 0x1F, text(data, 8, 8), text(data, 16, 16), text(data, 32, 4))


def parse_serial_page(data: bytes) -> str:
    """Read the unit serial number page; empty if the drive has none (SPC-4 7.8.15)."""
    return text(data, 4, number(data, 3, 1)) if number(data, 1, 1) == 0x80 else ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a drive can do. `current` is the profile of the medium in the tray, 0 if there is none.

    `reads_text` says that it returns the CD-TEXT of a lead-in (bit 0 of the CD read feature, MMC-6 5.3.11).
    """

    current: int
    profiles: tuple[int, ...]
    serial: str
    features: frozenset[int]
    reads_text: bool = False

    @property
    def kind(self) -> MediumKind | None:
        """The kind of the medium in the tray; None for none and for one that nobody writes."""
        return KINDS.get(self.current)

    @property
    def kinds(self) -> frozenset[MediumKind]:
        """The kinds of media that the drive writes."""
        found = {KINDS[profile] for profile in self.profiles if profile in KINDS}
        if MediumKind.BD_R in found:
            found.add(MediumKind.BD_R_DL)  # one profile for both
        return frozenset(found)


def parse_configuration(data: bytes) -> Configuration:
    """Read the answer to GET CONFIGURATION (MMC-6 6.5, 5.2)."""
    end = min(len(data), number(data, 0, 4) + 4)
    features: dict[int, bytes] = {}
    at = _CONFIGURATION_HEAD
    while at + 4 <= end:
        length = data[at + 3]
        features[number(data, at, 2)] = data[at + 4 : min(end, at + 4 + length)]
        at += 4 + length
    listed = features.get(PROFILE_LIST, b"")
    profiles = tuple(number(listed, place, 2) for place in range(0, len(listed) - 3, 4))
    serial = features.get(SERIAL_NUMBER, b"")
    reads_text = bool(number(features.get(CD_READ, b""), 0, 1) & 1)
    return Configuration(number(data, 6, 2), profiles, text(serial, 0, len(serial)), frozenset(features), reads_text)


class DiscStatus(IntEnum):
    """How far a disc is written (MMC-6 table 378)."""

    EMPTY = 0
    INCOMPLETE = 1
    FINALIZED = 2
    OTHER = 3


class SessionStatus(IntEnum):
    """How far its last session is (MMC-6 table 379)."""

    EMPTY = 0
    INCOMPLETE = 1
    DAMAGED = 2
    COMPLETE = 3


@dataclass(frozen=True, slots=True)
class DiscInformation:
    """The state of a disc. `background_format` is 0 if none is needed, 1 begun, 2 running, 3 done."""

    status: DiscStatus
    last_session: SessionStatus
    erasable: bool
    sessions: int
    last_track: int
    background_format: int
    disc_id: str


def parse_disc_information(data: bytes) -> DiscInformation:
    """Read the answer to READ DISC INFORMATION of data type 0 (MMC-6 6.21.3)."""
    flags = number(data, 7, 1)
    return DiscInformation(
        status=DiscStatus(number(data, 2, 1) & 3),
        last_session=SessionStatus(number(data, 2, 1) >> 2 & 3),
        erasable=bool(number(data, 2, 1) & 0x10),
        sessions=number(data, 9, 1) << 8 | number(data, 4, 1),
        last_track=number(data, 11, 1) << 8 | number(data, 6, 1),
        background_format=flags & 3,
        disc_id=f"{number(data, 12, 4):08X}" if flags & 0x80 else "",
    )


@dataclass(frozen=True, slots=True)
class TrackInformation:
    """A track, in blocks. `next_writable` is None where nothing can be written."""

    track: int
    session: int
    control: int
    blank: bool
    damaged: bool
    start: int
    next_writable: int | None
    free_blocks: int
    size: int

    @property
    def is_audio(self) -> bool:
        """True for a track of audio: bit 2 of the control field is clear (MMC-6 4.2.3.4.2)."""
        return not self.control & 4


def parse_track_information(data: bytes) -> TrackInformation:
    """Read the answer to READ TRACK INFORMATION (MMC-6 6.26.3)."""
    return TrackInformation(
        track=number(data, 32, 1) << 8 | number(data, 2, 1),
        session=number(data, 33, 1) << 8 | number(data, 3, 1),
        control=number(data, 5, 1) & 0xF,
        blank=bool(number(data, 6, 1) & 0x40),
        damaged=bool(number(data, 5, 1) & 0x20),
        start=number(data, 8, 4),
        next_writable=number(data, 12, 4) if number(data, 7, 1) & 1 else None,
        free_blocks=number(data, 16, 4),
        size=number(data, 24, 4),
    )


def parse_performance(data: bytes) -> tuple[int, ...]:
    """Read the write speeds that GET PERFORMANCE tells, in bytes a second, fastest first (MMC-6 6.7.3.4)."""
    end = min(len(data), number(data, 0, 4) + 4)
    places = range(_PERFORMANCE_HEAD, end - _PERFORMANCE_SIZE + 1, _PERFORMANCE_SIZE)
    return _fastest_first(number(data, at + 12, 4) for at in places)


def parse_capabilities(data: bytes) -> tuple[int, ...]:
    """Read the write speeds of mode page 2Ah, in bytes a second, fastest first (MMC-6 7.11)."""
    at = _MODE_HEAD + number(data, 6, 2)
    page = data[at:]
    if number(page, 0, 1) & 0x3F != 0x2A:
        return ()
    end = min(len(page), 2 + number(page, 1, 1))
    count = number(page, 30, 2) if end >= 32 else 0
    told = [number(page, 32 + 4 * place + 2, 2) for place in range(count) if 36 + 4 * place <= end]
    return _fastest_first(told or ([number(page, 28, 2)] if end >= 30 else []))


def _fastest_first(kilobytes: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted({speed * _KILO for speed in kilobytes if speed}, reverse=True))


def parse_capacity(data: bytes) -> int:
    """Read how many blocks READ CAPACITY says can be read; 0 if the answer is no answer (MMC-6 6.17.3)."""
    return number(data, 0, 4) + 1 if len(data) >= 8 else 0


@dataclass(frozen=True, slots=True)
class Format:
    """A size that a medium has (`kind` is None) or can be formatted to, in blocks."""

    kind: int | None
    blocks: int


def parse_formats(data: bytes) -> tuple[bool, tuple[Format, ...]]:
    """Read READ FORMAT CAPACITIES: whether the medium is formatted, and its sizes (MMC-6 6.23.2)."""
    end = min(len(data), 4 + number(data, 3, 1))
    if end < 12:
        return False, ()
    current = Format(None, number(data, 4, 4))
    others = tuple(Format(data[at + 4] >> 2, number(data, at, 4)) for at in range(12, end - 7, 8))
    return data[8] & 3 == 2, (current, *others)


#: The media event of a medium that came in (MMC-6 table 320).
NEW_MEDIUM = 2


@dataclass(frozen=True, slots=True)
class MediaEvent:
    """What GET EVENT STATUS NOTIFICATION told: `event` 2 is a new medium, 3 one that left (MMC-6 table 320)."""

    event: int
    tray_open: bool
    medium_present: bool


def parse_media_event(data: bytes) -> MediaEvent:
    """Read a media event; none if the drive told of something else (MMC-6 6.6.3)."""
    if number(data, 2, 1) & 0x87 != 4:
        return MediaEvent(0, tray_open=False, medium_present=False)
    state = number(data, 5, 1)
    return MediaEvent(number(data, 4, 1) & 0xF, tray_open=bool(state & 1), medium_present=bool(state & 2))


def parse_media_id(data: bytes, kind: MediumKind) -> str:
    """Read who made a DVD or BD, as its lead-in says; empty if it says nothing.

    DVD-R/RW: fields 3 and 4 of the pre-recorded information (format 0Eh). DVD+: the ADIP (11h). BD: the disc
    information (00h). (MMC-6 6.20.3; ECMA-359, ECMA-349, BD white paper.)
    """
    body = data[4 : 2 + number(data, 0, 2)]
    if kind in {MediumKind.DVD_R, MediumKind.DVD_R_DL, MediumKind.DVD_RW}:
        return (text(body, 17, 6) + text(body, 25, 6)) if number(body, 16, 1) == 3 else ""
    if kind in {MediumKind.DVD_PLUS_R, MediumKind.DVD_PLUS_R_DL, MediumKind.DVD_PLUS_RW}:
        return "/".join(filter(None, (text(body, 19, 8), text(body, 27, 3))))
    if body[:2] == b"DI":
        return "/".join(filter(None, (text(body, 100, 6), text(body, 106, 3))))
    return ""
