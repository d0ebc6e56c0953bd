"""What IMAPI calls the kinds and states of media, of both its versions (Windows SDK, imapi.h and imapi2.idl)."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from jobs.mastering.medium import Family, MediumInfo, MediumKind, MediumStatus


class MediaType(IntEnum):
    """What a disc holds, or will (IMAPI v1 MEDIA_TYPES): CD formats of data, which is what blanks become."""

    NONE = 0
    CDDA_CDROM = 1
    CD_ROM_XA = 2
    CD_I = 3
    CD_EXTRA = 4
    CD_OTHER = 5
    SPECIAL = 6


class MediaFlag(IntFlag):
    """What can be done with a disc (IMAPI v1 MEDIA_FLAGS)."""

    BLANK = 1
    REWRITABLE = 2
    WRITABLE = 4
    FORMAT_UNUSABLE = 8  #: there is no way to write it in the state it is in


class PhysicalType(IntEnum):
    """What a disc is made as (IMAPI v2 IMAPI_MEDIA_PHYSICAL_TYPE), as far as recorders write it."""

    UNKNOWN = 0
    CDR = 2
    CDRW = 3
    DVD_PLUS_R = 6
    DVD_PLUS_RW = 7
    DVD_PLUS_R_DL = 8
    DVD_R = 9
    DVD_RW = 10
    DVD_R_DL = 11
    BDR = 18
    BDRE = 19


class MediaState(IntFlag):
    """Where a disc stands (IMAPI v2 IMAPI_FORMAT2_DATA_MEDIA_STATE)."""

    OVERWRITE_ONLY = 0x1
    BLANK = 0x2
    APPENDABLE = 0x4
    FINAL_SESSION = 0x8
    ERASE_REQUIRED = 0x800
    NON_EMPTY_SESSION = 0x1000
    FINALIZED = 0x4000


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What both versions of IMAPI say of the medium in a tray; all of it is zero if nothing is in."""

    type: MediaType
    flags: MediaFlag
    physical_type: PhysicalType
    state: MediaState


_PHYSICAL = {
    MediumKind.CD_R: PhysicalType.CDR,
    MediumKind.CD_RW: PhysicalType.CDRW,
    MediumKind.DVD_R: PhysicalType.DVD_R,
    MediumKind.DVD_R_DL: PhysicalType.DVD_R_DL,
    MediumKind.DVD_RW: PhysicalType.DVD_RW,
    MediumKind.DVD_PLUS_R: PhysicalType.DVD_PLUS_R,
    MediumKind.DVD_PLUS_R_DL: PhysicalType.DVD_PLUS_R_DL,
    MediumKind.DVD_PLUS_RW: PhysicalType.DVD_PLUS_RW,
    MediumKind.BD_R: PhysicalType.BDR,
    MediumKind.BD_R_DL: PhysicalType.BDR,
    MediumKind.BD_RE: PhysicalType.BDRE,
}


def media_facts(medium: MediumInfo | None) -> MediaFacts:
    """Say in IMAPI's words what a drive says of its medium."""
    if medium is None:
        return MediaFacts(MediaType.NONE, MediaFlag(0), PhysicalType.UNKNOWN, MediaState(0))
    kind = MediaType.CDDA_CDROM if medium.kind.family is Family.CD else MediaType.SPECIAL
    return MediaFacts(kind, _flags(medium), _PHYSICAL[medium.kind], _state(medium))


def _flags(medium: MediumInfo) -> MediaFlag:
    flags = MediaFlag(0)
    if not medium.used:
        flags |= MediaFlag.BLANK
    if medium.kind.is_rewritable:
        flags |= MediaFlag.REWRITABLE
    if medium.status is not MediumStatus.COMPLETE:
        flags |= MediaFlag.WRITABLE
    elif not medium.kind.is_rewritable:
        flags |= MediaFlag.FORMAT_UNUSABLE
    return flags


def _state(medium: MediumInfo) -> MediaState:
    if medium.status is MediumStatus.OVERWRITABLE:
        return MediaState.OVERWRITE_ONLY | (MediaState.NON_EMPTY_SESSION if medium.used else MediaState.BLANK)
    if medium.status is MediumStatus.BLANK:
        return MediaState.BLANK
    if medium.status is MediumStatus.APPENDABLE:
        return MediaState.APPENDABLE | MediaState.NON_EMPTY_SESSION
    erasable = MediaState.ERASE_REQUIRED if medium.kind.is_rewritable else MediaState(0)
    return MediaState.FINALIZED | MediaState.NON_EMPTY_SESSION | erasable
