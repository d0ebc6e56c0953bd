"""The commands we send to drives, as bytes (MMC-6 chapter 6, SPC-4 chapter 6). Blocks are logical addresses."""

from enum import IntEnum

from workers.recorders.scsi import Command

#: Bytes that an answer may have where it tells its own length.
_ROOM = 0xFFF8
#: Seconds: for what moves a tray, spins a disc up or retries a bad block.
_MOVING, _READING = 90.0, 120.0


class TocFormat(IntEnum):
    """What READ TOC/PMA/ATIP is asked for (MMC-6 6.25)."""

    TRACKS = 0
    SESSIONS = 1
    FULL = 2
    ATIP = 4
    CD_TEXT = 5


class Section(IntEnum):
    """What READ SUB-CHANNEL is asked for (MMC-6 6.22)."""

    POSITION = 1
    MCN = 2
    ISRC = 3


def unit_ready() -> Command:
    """Ask whether the medium can be used (SPC-4 6.37)."""
    return Command("say whether it is ready", bytes(6))


def request_sense() -> Command:
    """Ask what is going on: the progress of a format or a blanking among others (SPC-4 6.29)."""
    return Command("say what it is doing", bytes([0x03, 0, 0, 0, 0xFC, 0]), receive=0xFC)


def inquiry() -> Command:
    """Ask who the drive is (SPC-4 6.4)."""
    return Command("say who it is", bytes([0x12, 0, 0, 0, 0xFF, 0]), receive=0xFF)


def serial_page() -> Command:
    """Ask for the unit serial number (SPC-4 7.8.15, VPD page 80h)."""
    return Command("tell its serial number", bytes([0x12, 1, 0x80, 0, 0xFF, 0]), receive=0xFF)


def get_configuration(first: int = 0) -> Command:
    """Ask for the features from `first` on, and the current profile (MMC-6 6.5)."""
    cdb = bytes([0x46, 0, *first.to_bytes(2, "big"), 0, 0, 0, *_ROOM.to_bytes(2, "big"), 0])
    return Command("tell its features", cdb, receive=_ROOM)


def read_disc_information() -> Command:
    """Ask for the state of the disc (MMC-6 6.21)."""
    return Command("tell of the disc", bytes([0x51, 0, 0, 0, 0, 0, 0, 0, 0x22, 0]), receive=0x22)


def read_track_information(track: int) -> Command:
    """Ask for a track, FFh for the one that can be written next (MMC-6 6.26)."""
    cdb = bytes([0x52, 1, *track.to_bytes(4, "big"), 0, 0, 0x24, 0])
    return Command(f"tell of track {track}", cdb, receive=0x24)


def read_toc(toc: TocFormat, first: int = 0) -> Command:
    """Ask for a table of contents, the ATIP or CD-TEXT; `first` is a track or a session."""
    cdb = bytes([0x43, 0, toc, 0, 0, 0, first, *_ROOM.to_bytes(2, "big"), 0])
    return Command("read the table of contents", cdb, receive=_ROOM, timeout=_READING)


def read_disc_structure(layer: int, what: int, *, blu_ray: bool) -> Command:
    """Ask for what a DVD or BD tells of itself in its lead-in (MMC-6 6.20)."""
    cdb = bytes([0xAD, int(blu_ray), 0, 0, 0, 0, layer, what, 0x10, 0x04, 0, 0])
    return Command("read the disc's description", cdb, receive=0x1004, timeout=_READING)


def mode_sense(page: int) -> Command:
    """Ask for a page of settings; 2Ah tells capabilities and speeds (MMC-6 6.9, 7.11)."""
    cdb = bytes([0x5A, 8, page, 0, 0, 0, 0, *_ROOM.to_bytes(2, "big"), 0])
    return Command("tell its settings", cdb, receive=_ROOM)


def get_performance(kind: int = 3, descriptors: int = 64) -> Command:
    """Ask for speeds; type 3 is of writing (MMC-6 6.7)."""
    cdb = bytes([0xAC, 0, 0, 0, 0, 0, 0, 0, *descriptors.to_bytes(2, "big"), kind, 0])
    return Command("tell its speeds", cdb, receive=8 + 16 * descriptors)


def read_capacity() -> Command:
    """Ask for the last block that can be read (MMC-6 6.17)."""
    return Command("tell how much can be read", bytes([0x25, *bytes(9)]), receive=8)


def read_format_capacities() -> Command:
    """Ask how large the medium is or can be formatted (MMC-6 6.23)."""
    return Command("tell its formats", bytes([0x23, 0, 0, 0, 0, 0, 0, 0, 0xFC, 0]), receive=0xFC)


def read_blocks(first: int, count: int) -> Command:
    """Read data blocks of 2048 bytes (READ(12), SBC-3 5.12)."""
    cdb = bytes([0xA8, 0, *first.to_bytes(4, "big"), *count.to_bytes(4, "big"), 0, 0])
    return Command(f"read {count} blocks at {first}", cdb, receive=count * 2048, timeout=_READING)


def read_audio(first: int, count: int) -> Command:
    """Read audio blocks of 2352 bytes (READ CD of sector type CD-DA, user data alone; MMC-6 6.15)."""
    address = first.to_bytes(4, "big", signed=True)
    cdb = bytes([0xBE, 0b001 << 2, *address, *count.to_bytes(3, "big"), 0x10, 0, 0])
    return Command(f"read {count} audio blocks at {first}", cdb, receive=count * 2352, timeout=_READING)


def read_subchannel(section: Section, track: int = 0) -> Command:
    """Ask for the MCN, or for a track's ISRC."""
    cdb = bytes([0x42, 0, 0x40, section, 0, 0, track, 0, 24, 0])
    return Command("read the Q channel", cdb, receive=24, timeout=_READING)


def start_stop(*, start: bool, load_or_eject: bool, wait: bool = True) -> Command:
    """Close the tray (both), open it (`load_or_eject` alone), spin down (neither) (MMC-6 6.43)."""
    cdb = bytes([0x1B, int(not wait), 0, 0, (load_or_eject << 1) | start, 0])
    what = ("load the disc" if start else "open the tray") if load_or_eject else ("start" if start else "stop")
    return Command(what, cdb, timeout=_MOVING)


def prevent_removal(*, prevent: bool) -> Command:
    """Lock the tray, or unlock it (MMC-6 6.13)."""
    return Command("lock the tray" if prevent else "unlock the tray", bytes([0x1E, 0, 0, 0, int(prevent), 0]))


def get_media_event() -> Command:
    """Ask, polled, for media events and whether the tray is open (MMC-6 6.6)."""
    return Command("tell of media events", bytes([0x4A, 1, 0, 0, 0x10, 0, 0, 0, 8, 0]), receive=8)
