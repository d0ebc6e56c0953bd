"""What a modelled drive answers about itself and its medium, as bytes (MMC-6 chapters 5 to 7, SPC-4 chapter 6)."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.mastering.medium import Family, MediumKind
from workers.mmc.medium import AUDIO_CONTROL, Medium, Track
from workers.mmc.sectors import PREGAP

VENDOR, PRODUCT, REVISION = "DISCMILL", "MMC RECORDER", "1.0"
#: Profiles a drive of all kinds has, the newest first as drives list them.
_PROFILES = (0x43, 0x41, 0x40, 0x2B, 0x1B, 0x1A, 0x15, 0x14, 0x13, 0x11, 0x10, 0x0A, 0x09, 0x08)
#: Speeds in kB/s (1000 bytes) that the drive offers, by family.
_SPEEDS = {Family.CD: (8468, 2822, 1411), Family.BD: (35_968, 17_984, 8992)}
_DVD_SPEEDS = (22_160, 11_080, 5540)
_BUFFER = 2 << 20
#: Ways to format, by profile: the type, and its parameter: ECC blocks, or spare areas (MMC-6 tables 474 and 475).
_FORMATS = {
    0x0A: ((0x10, 32),),
    0x13: ((0x00, 16), (0x15, 16)),
    0x14: ((0x00, 16), (0x15, 16)),
    0x1A: ((0x26, 0),),
    0x41: ((0x32, 0x3000),),
    0x43: ((0x00, 0x3000), (0x30, 0x3000)),
}
#: No lead-out can be told in minutes beyond this (byte fields of MSF).
_LAST_MSF = (255, 59, 74)
_CD_LEAD_IN = 4500 + PREGAP  #: blocks of the lead-in of a further session, and its pregap
_LEAD_IN_OF_ATIP = (97, 26, 66)  #: MSF; which maker that is, programs have in tables


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a drive says of itself that two drives do not share."""

    serial: str


def msf(block: int) -> tuple[int, int, int]:
    """Return the time of a block on the disc; what no time can tell is the last one."""
    minutes, rest = divmod(block + PREGAP, 75 * 60)
    return _LAST_MSF if minutes > _LAST_MSF[0] else (minutes, *divmod(rest, 75))


def inquiry() -> bytes:
    """Say who the drive is."""
    return struct.pack(">BBBBBxxx8s16s4s", 5, 0x80, 5, 2, 31, *_padded((VENDOR, 8), (PRODUCT, 16), (REVISION, 4)))


def serial_page(serial: str) -> bytes:
    """Say the serial number, as a page of vital product data."""
    return bytes([5, 0x80, 0, len(serial)]) + serial.encode()


def page_list() -> bytes:
    """Say which pages of vital product data there are."""
    return bytes([5, 0, 0, 2, 0x00, 0x80])


def _padded(*words: tuple[str, int]) -> Iterator[bytes]:
    for word, size in words:
        yield word.encode().ljust(size)


def configuration(medium: Medium | None, serial: str, kind_of_request: int, first: int) -> bytes:
    """Say what the drive can do: all features, the current ones, or one alone (request types 0, 1, 2)."""
    chosen = b"".join(
        feature
        for code, current, feature in _features(medium, serial)
        if (code == first if kind_of_request == 2 else code >= first and (current or kind_of_request != 1))
    )
    profile = 0 if medium is None else medium.profile
    return struct.pack(">IxxH", len(chosen) + 4, profile) + chosen


def _features(medium: Medium | None, serial: str) -> Iterator[tuple[int, bool, bytes]]:
    """Yield code, whether it is current, and bytes (MMC-6 table 86)."""
    profile = 0 if medium is None else medium.profile
    profiles = b"".join(struct.pack(">HBx", code, code == profile) for code in _PROFILES)
    is_cd, is_bd = profile in {8, 9, 0xA}, profile in {0x40, 0x41, 0x43}
    is_dvd = bool(profile) and not is_cd and not is_bd
    rest = (
        (0x0000, True, profiles),
        (0x0001, True, struct.pack(">IBxxx", 7, 1)),
        (0x0002, True, bytes([2, 0, 0, 0])),
        (0x0003, True, bytes([0x29, 0, 0, 0])),
        (0x0010, bool(profile), struct.pack(">IHBx", 2048, 16 if is_dvd else 1, 1)),
        (0x001D, True, b""),
        (0x001E, is_cd, bytes([3, 0, 0, 0])),
        (0x001F, is_dvd, bytes([1, 0, 1, 0])),
        (0x0020, profile in {0x13, 0x1A, 0x43}, struct.pack(">IIHBx", 2295103, 2048, 16, 1)),
        (0x0021, profile in {9, 0xA, 0x11, 0x14, 0x15}, bytes([0x0F, 0xFF, 1, 1, 16, 0, 0, 0])),
        (0x0023, profile in {0x13, 0x1A, 0x41, 0x43}, bytes(8)),
        (0x0026, profile == 0x13, b""),
        (0x002A, profile == 0x1A, bytes([1, 0, 0, 0])),
        (0x002B, profile == 0x1B, bytes([1, 0, 0, 0])),
        (0x002D, is_cd, bytes([0x46, 0, 0x07, 0xFF])),
        (0x002E, is_cd, bytes([0x6F, 0, 0x0F, 0xA8])),
        (0x002F, profile in {0x11, 0x14, 0x15}, bytes([0x46, 0, 0, 0])),
        (0x003B, profile == 0x2B, bytes([1, 0, 0, 0])),
        (0x0040, is_bd, bytes(28)),
        (0x0041, is_bd, bytes(20)),
        (0x0100, True, b""),
        (0x0105, True, bytes(4)),
        (0x0107, bool(profile), bytes([0x1F, 0, 0, 0])),
        (0x0108, True, serial.encode().ljust(-(-len(serial) // 4) * 4)),
    )
    persistent = {0x0000, 0x0001, 0x0002, 0x0003, 0x0100, 0x0105, 0x0108}
    for code, current, data in rest:
        flags = (code in persistent) << 1 | current
        yield code, current, struct.pack(">HBB", code, flags, len(data)) + data


def disc_information(medium: Medium) -> bytes:
    """Say how far the disc is written. An incomplete disc counts the session and the track that come next."""
    more = not medium.finalized and not medium.is_overwritable and bool(medium.tracks)
    status = 2 if medium.finalized or medium.is_overwritable else int(more)
    session = (1 if medium.session_is_open else 0) if more else 3 * bool(medium.tracks)
    sessions = max(1, medium.sessions + more)
    first = next((track.number for track in medium.tracks if track.session >= sessions), len(medium.tracks) + 1)
    last = max(1, len(medium.tracks) + (more and medium.open_track is None))
    background = 3 * medium.formatted if medium.is_overwritable else 0
    flags = 0x20 | background
    lead_out = b"\0" + bytes(msf(medium.capacity)) if medium.is_cd else struct.pack(">I", medium.capacity)
    head = bytes([0, 32, status | session << 2 | medium.kind.is_rewritable << 4, 1, sessions & 0xFF])
    tracks = bytes([min(first, last), last, flags, 0xFF if not medium.is_cd else 0, 0, 0, 0])
    return head + tracks + bytes(4) + _lead_in(medium) + lead_out + bytes(10)


def _lead_in(medium: Medium) -> bytes:
    """Return the time at which the lead-in of the session that comes next starts; all ones if none can."""
    if not medium.is_cd or medium.finalized:
        return b"\xff" * 4
    return bytes((0, *(msf(medium.next_writable - _CD_LEAD_IN) if medium.sessions else _LEAD_IN_OF_ATIP)))


def track_information(medium: Medium, number: int) -> bytes | None:
    """Say where a track is; the one after the last is what can be written next. None if there is none."""
    tracks = {track.number: track for track in medium.tracks}
    invisible = len(medium.tracks) + 1
    if number == 0xFF:
        number = medium.open_track.number if medium.open_track else invisible
    if number in tracks:
        return _track_row(medium, tracks[number])
    if number != invisible or medium.finalized or (medium.is_overwritable and medium.formatted):
        return None
    session = medium.sessions + 1
    start = medium.next_writable
    size = medium.free_blocks
    return _row(number, session, (4, 0x4F, 1), (start, start, size, size))


def track_of_block(medium: Medium, block: int) -> bytes | None:
    """Say of which track a block is."""
    track = medium.track_at(block)
    return track_information(medium, track.number if track else len(medium.tracks) + 1)


def _track_row(medium: Medium, track: Track) -> bytes:
    due = track.start + track.blocks
    size = track.end - track.start
    mode = 0x0F if track.is_audio else 1
    if medium.is_overwritable:
        return _row(track.number, track.session, (track.control, mode, 0), (track.start, 0, medium.capacity, size))
    if track.closed:
        return _row(track.number, track.session, (track.control, mode, 0), (track.start, 0, 0, size))
    free = track.reserved - track.blocks if track.reserved else medium.capacity - due
    return _row(track.number, track.session, (track.control, mode, 1), (track.start, due, free, size or free))


def _row(number: int, session: int, modes: tuple[int, int, int], places: tuple[int, int, int, int]) -> bytes:
    control, mode, writable = modes
    start, due, free, size = places
    head = struct.pack(">HBBxBBB", 34, number & 0xFF, session & 0xFF, control, mode, writable)
    return head + struct.pack(">IIIIII", start, due, free, 0, size, 0) + bytes(4)


def toc(medium: Medium, form: int, *, as_time: bool, first: int) -> bytes | None:
    """Say where tracks and sessions are: formats 0, 1, 2, 4 and 5; None where there is nothing to tell."""
    if form == 4:
        return _atip(medium)
    if form == 5:
        return struct.pack(">Hxx", len(medium.cd_text) + 2) + medium.cd_text if medium.cd_text else None
    closed = [track for track in medium.tracks if track.session <= medium.sessions]
    if not closed:
        return None
    if form == 0:
        return _tracks(medium, [track for track in closed if track.number >= first], as_time=as_time)
    if form == 1:
        return _last_session(closed, as_time=as_time)
    return _full(medium, closed) if form == 2 else None


def _address(block: int, *, as_time: bool) -> bytes:
    return bytes((0, *msf(block))) if as_time else struct.pack(">i", block)


def _tracks(medium: Medium, tracks: Sequence[Track], *, as_time: bool) -> bytes:
    rows = b"".join(
        bytes([0, 0x10 | track.control, track.number, 0]) + _address(track.start, as_time=as_time) for track in tracks
    )
    control = tracks[-1].control if tracks else 4
    rows += bytes([0, 0x10 | control, 0xAA, 0]) + _address(medium.lead_out, as_time=as_time)
    last = max((track.number for track in tracks), default=1)
    return struct.pack(">HBB", len(rows) + 2, 1, last) + rows


def _last_session(closed: Sequence[Track], *, as_time: bool) -> bytes:
    last = next(track for track in closed if track.session == closed[-1].session)
    row = bytes([0, 0x10 | last.control, last.number, 0]) + _address(last.start, as_time=as_time)
    return struct.pack(">HBB", 10, 1, last.session) + row


def _full(medium: Medium, closed: Sequence[Track]) -> bytes:
    rows: list[bytes] = []
    for session in range(1, medium.sessions + 1):
        own = [track for track in closed if track.session == session]
        end = medium.lead_out if session == medium.sessions else own[-1].end
        rows += _session_rows(session, own, end)
    data = b"".join(rows)
    return struct.pack(">HBB", len(data) + 2, 1, medium.sessions) + data


def _session_rows(session: int, tracks: Sequence[Track], lead_out: int) -> Iterator[bytes]:
    first, last = tracks[0], tracks[-1]
    yield bytes([session, 0x10 | first.control, 0, 0xA0, 0, 0, 0, 0, first.number, 0, 0])
    yield bytes([session, 0x10 | last.control, 0, 0xA1, 0, 0, 0, 0, last.number, 0, 0])
    yield bytes([session, 0x10 | last.control, 0, 0xA2, 0, 0, 0, 0, *msf(lead_out)])
    for track in tracks:
        yield bytes([session, 0x10 | track.control, 0, track.number, 0, 0, 0, 0, *msf(track.start)])


def _atip(medium: Medium) -> bytes | None:
    if not medium.is_cd:
        return None
    rewritable = medium.kind is MediumKind.CD_RW
    head = bytes([0x80, 0, 0x80 | rewritable << 6, 0])
    return struct.pack(">Hxx", 26) + head + bytes((*_LEAD_IN_OF_ATIP, 0, *msf(medium.capacity), 0)) + bytes(12)


def speeds(medium: Medium | None) -> tuple[int, ...]:
    """Return the speeds the drive offers for its medium, in kB/s, fastest first."""
    family = Family.CD if medium is None else medium.kind.family
    return _SPEEDS.get(family, _DVD_SPEEDS)


def performance(medium: Medium | None, kind: int) -> bytes | None:
    """Say how fast the drive reads (type 0) and writes (type 3)."""
    last = 0 if medium is None else medium.capacity - 1
    if kind == 3:
        rows = b"".join(struct.pack(">IIII", 0, last, speed, speed) for speed in speeds(medium))
    elif kind == 0:
        rows = struct.pack(">IIII", 0, speeds(medium)[0], last, speeds(medium)[0])
    else:
        return None
    return struct.pack(">IBxxx", len(rows) + 4, 0) + rows


def capabilities(medium: Medium | None) -> bytes:
    """Say what mode page 2Ah says: what is read and written, how fast, the tray."""
    offered = speeds(medium)
    fastest = offered[0]
    page = bytearray(28)
    page[0:8] = bytes([0x2A, 0, 0x3F, 0x37, 0x71, 0x03, 0x29, 0])
    struct.pack_into(">HHHH", page, 8, fastest, 256, _BUFFER >> 10, fastest)
    struct.pack_into(">HH", page, 18, fastest, fastest)
    struct.pack_into(">HH", page, 22, 1, 0)
    rows = b"".join(struct.pack(">xBH", 0, speed) for speed in offered)
    page += struct.pack(">HH", fastest, len(offered)) + rows
    page[1] = len(page) - 2
    return bytes(page)


def formats(medium: Medium) -> bytes:
    """Say how large the medium is, or can be formatted to."""
    state = 2 if medium.formatted or medium.tracks else 1
    rows = [struct.pack(">IB", medium.capacity, state) + (2048).to_bytes(3, "big")]
    rows += [
        struct.pack(">IB", medium.capacity, kind << 2) + parameter.to_bytes(3, "big")
        for kind, parameter in _FORMATS.get(medium.profile, ())
    ]
    data = b"".join(rows)
    return bytes([0, 0, 0, len(data)]) + data


def capacity(medium: Medium) -> bytes:
    """Say the last block that can be read: run-out included, though it can't."""
    return struct.pack(">II", max(0, medium.lead_out - 1), 2048)


def structure(medium: Medium, what: int, *, blu_ray: bool) -> bytes | None:
    """Say what the lead-in of a DVD or BD says of its maker."""
    body = bytearray(2048)
    if blu_ray and medium.kind.family is Family.BD and what == 0:
        body[0:2] = b"DI"
        body[100:109] = b"DMILL1BD1"
        return struct.pack(">Hxx", 4098) + bytes(body).ljust(4096, b"\0")
    if medium.is_cd or blu_ray or medium.kind.family is Family.BD:
        return None
    last = 0x30000 + medium.capacity - 1
    if what == 0:
        layers = medium.kind in {MediumKind.DVD_PLUS_R_DL, MediumKind.DVD_R_DL}
        body[0:4] = bytes([0xA1 if medium.profile in {0x1B, 0x2B} else 0x25, 2, layers << 5 | 2, 0])
        struct.pack_into(">II", body, 4, 0x30000, last)
    elif what == 0x11 and medium.profile in {0x1A, 0x1B, 0x2B}:
        body[19:30] = b"DISCMILL001"
    elif what == 0x0E and medium.profile in {0x11, 0x13, 0x14}:
        body[16:32] = b"\x03DISCMI\x00\x04LL0001\x00\x00"
    else:
        return None
    return struct.pack(">Hxx", 2050) + bytes(body)


def mcn(medium: Medium) -> bytes:
    """Say the media catalogue number."""
    told = medium.mcn.encode()
    body = bytes([2, 0, 0, 0, 0x80 if told else 0]) + told.ljust(13, b"\0") + bytes(2)
    return struct.pack(">BBH", 0, 0x15, len(body)) + body


def isrc(medium: Medium, number: int) -> bytes:
    """Say a track's ISRC."""
    told = next((track.isrc for track in medium.tracks if track.number == number), "").encode()
    body = bytes([3, 0x10, number, 0, 0x80 if told else 0]) + told.ljust(12, b"\0") + bytes(3)
    return struct.pack(">BBH", 0, 0x15, len(body)) + body


def position(medium: Medium) -> bytes:
    """Say where the pick-up stands: at the first track."""
    first = medium.tracks[0] if medium.tracks else Track(1, 1, 0, control=AUDIO_CONTROL)
    body = bytes([1, 0x10 | first.control, first.number, 1]) + struct.pack(">ii", first.start, 0)
    return struct.pack(">BBH", 0, 0x15, len(body)) + body


def buffer_capacity() -> bytes:
    """Say how much room the drive's buffer has: half of it."""
    return struct.pack(">HxxII", 10, _BUFFER, _BUFFER // 2)
