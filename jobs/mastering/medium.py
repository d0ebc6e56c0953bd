"""Media: kinds, families, capacities, and what a drive says of the one in its tray."""

from dataclasses import dataclass
from enum import StrEnum

from jobs.errors import OrderError

#: Bytes of a data block; sizes of media are counted in these (ECMA-119, ECMA-267).
BLOCK = 2048
#: Bytes of an audio block: 588 samples of 16 bits, left and right; 75 a second (Red Book, IEC 60908).
AUDIO_BLOCK = 2352


class MediumKind(StrEnum):
    """What a medium is made as (MMC's profiles, as people write them)."""

    CD_R = "cd-r"
    CD_RW = "cd-rw"
    DVD_R = "dvd-r"
    DVD_R_DL = "dvd-r-dl"
    DVD_RW = "dvd-rw"
    DVD_PLUS_R = "dvd+r"
    DVD_PLUS_R_DL = "dvd+r-dl"
    DVD_PLUS_RW = "dvd+rw"
    BD_R = "bd-r"
    BD_R_DL = "bd-r-dl"
    BD_RE = "bd-re"

    @property
    def family(self) -> "Family":
        """The family of media this kind belongs to."""
        return _FAMILIES[self]

    @property
    def label(self) -> str:
        """The kind as it is printed on discs.

        >>> MediumKind.DVD_PLUS_R_DL.label
        'DVD+R DL'
        """
        return self.upper().replace("-DL", " DL")

    @property
    def is_rewritable(self) -> bool:
        """True if it can be blanked or written over."""
        return self in {MediumKind.CD_RW, MediumKind.DVD_RW, MediumKind.DVD_PLUS_RW, MediumKind.BD_RE}

    @property
    def is_sequential(self) -> bool:
        """True if a further session can follow the last one; the others are written over from the start."""
        return self not in {MediumKind.DVD_PLUS_RW, MediumKind.BD_RE}

    @property
    def capacity(self) -> int:
        """Blocks of an ordinary blank of this kind."""
        return _CAPACITIES[self]


class Family(StrEnum):
    """Media with the same layout rules; the smallest that fits is the default of an order."""

    CD = "cd"
    DVD = "dvd"
    DVD_DL = "dvd-dl"
    BD = "bd"

    @property
    def padding(self) -> int:
        """Blocks of zeros that end an image: run-out on CD, one ECC block on DVD (16) and BD (32)."""
        return {Family.CD: 150, Family.BD: 32}.get(self, 16)

    @property
    def rounding(self) -> int:
        """Blocks an image is rounded up to: the ECC block of DVD and BD."""
        return {Family.CD: 1, Family.BD: 32}.get(self, 16)

    @property
    def speed_1x(self) -> int:
        """Bytes a second of data at 1x: 75 blocks CD, 676.27 DVD (1,385,000 bytes), 2195 BD."""
        return {Family.CD: 75 * BLOCK, Family.BD: 4_495_625}.get(self, 1_385_000)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Capacities that blanks of this family come in, in blocks, smallest first."""
        return _SIZES[self]


_FAMILIES = {
    MediumKind.CD_R: Family.CD,
    MediumKind.CD_RW: Family.CD,
    MediumKind.DVD_R: Family.DVD,
    MediumKind.DVD_RW: Family.DVD,
    MediumKind.DVD_PLUS_R: Family.DVD,
    MediumKind.DVD_PLUS_RW: Family.DVD,
    MediumKind.DVD_R_DL: Family.DVD_DL,
    MediumKind.DVD_PLUS_R_DL: Family.DVD_DL,
    MediumKind.BD_R: Family.BD,
    MediumKind.BD_R_DL: Family.BD,
    MediumKind.BD_RE: Family.BD,
}

_CAPACITIES = {
    MediumKind.CD_R: 359_847,  # 80 minutes, lead-out at 79:59:72 less the pregap
    MediumKind.CD_RW: 359_847,
    MediumKind.DVD_R: 2_298_496,
    MediumKind.DVD_RW: 2_298_496,
    MediumKind.DVD_PLUS_R: 2_295_104,
    MediumKind.DVD_PLUS_RW: 2_295_104,
    MediumKind.DVD_R_DL: 4_171_712,
    MediumKind.DVD_PLUS_R_DL: 4_173_824,
    MediumKind.BD_R: 12_219_392,
    MediumKind.BD_R_DL: 24_438_784,
    MediumKind.BD_RE: 11_826_176,  # with the spare area that formatting sets aside
}

_SIZES = {
    Family.CD: (333_000, 359_847),
    Family.DVD: (2_295_104, 2_298_496),
    Family.DVD_DL: (4_171_712, 4_173_824),
    Family.BD: (11_826_176, 12_219_392, 24_438_784),
}


class MediumStatus(StrEnum):
    """What can be done with the medium in the tray."""

    BLANK = "blank"
    APPENDABLE = "appendable"
    COMPLETE = "complete"
    OVERWRITABLE = "overwritable"


@dataclass(frozen=True, slots=True)
class MediumInfo:
    """What a drive says of its medium. Sizes in blocks of 2048 bytes.

    `used` is true if it holds user data. `next_writable` is the address the next session starts at, `last_session`
    the one at which the last session on it starts, `tracks` the number of the last track on it.
    `load` changes with every medium change the drive noticed. `disc_id` is the medium's own identity, where
    it has one.
    """

    kind: MediumKind
    status: MediumStatus
    capacity: int
    free_blocks: int
    used: bool = False
    sessions: int = 0
    next_writable: int = 0
    last_session: int = 0
    tracks: int = 0
    load: str = ""
    disc_id: str = ""


def largest(medium: MediumKind | Family) -> int:
    """Return the blocks of the largest usual blank of a kind or family."""
    return medium.sizes[-1] if isinstance(medium, Family) else medium.capacity


def requested_medium(word: str) -> MediumKind | Family:
    """Read `--medium`: a kind ("dvd-r") or a family ("dvd").

    Raises:
        OrderError: the word is neither.
    """
    for words in (Family, MediumKind):
        if word in {str(member) for member in words}:
            return words(word)
    known = ", ".join([*Family, *MediumKind])
    message = f"unknown medium {word!r}; choose one of {known}"
    raise OrderError(message)
