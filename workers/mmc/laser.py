"""The writing side of a modelled drive: how it is set up, what it writes, and the faults that stop it."""

import copy

from jobs.mastering.medium import MediumKind
from workers.mmc.cue_sheet import CueSheet, parse_cue_sheet
from workers.mmc.faults import Fault, Trouble
from workers.mmc.mechanism import Mechanism, Unplugged
from workers.mmc.medium import Medium
from workers.mmc.refusals import (
    BAD_FIELD,
    BAD_PARAMETER,
    NO_MEDIUM,
    NOT_CLOSED,
    WRITE_ERROR,
    WRONG_FORMAT,
    Refused,
)
from workers.mmc.sectors import NoSectors
from workers.mmc.writing import WriteParameters, Writer, parse_write_parameters, writer_for

#: Format types (MMC-6 table 473): of a BD-R that stays sequential.
_BD_R_SEQUENTIAL = 0x32
_FORMATTABLE = {MediumKind.DVD_PLUS_RW, MediumKind.DVD_RW, MediumKind.BD_RE}
_BLANKABLE = {MediumKind.CD_RW, MediumKind.DVD_RW}
#: Blanking types (MMC-6 table 232): all, and what makes it blank.
_BLANK_TYPES = {0, 1}


class Laser:
    """Writes the medium that a mechanism holds."""

    def __init__(self, mechanism: Mechanism) -> None:
        self._mechanism = mechanism
        self._load = mechanism.loads
        self._parameters = WriteParameters()
        self._cue: CueSheet | None = None
        self._writer: Writer | None = None
        self._rehearsal: Medium | None = None

    def set_up(self, page: bytes) -> None:
        """Take mode page 05h."""
        parameters = parse_write_parameters(page)
        if parameters != self._parameters:
            self._writer = self._rehearsal = None
        self._parameters = parameters

    def take_cue_sheet(self, data: bytes) -> None:
        """Take the cue sheet of the session that is written next.

        Raises:
            Refused: it is none, or the medium has no room for it.
        """
        try:
            cue = parse_cue_sheet(data)
        except ValueError as error:
            raise Refused(BAD_PARAMETER) from error
        if cue.lead_out > self._mechanism.medium.capacity:
            raise Refused(BAD_PARAMETER)
        self._forget_other_media()
        self._cue, self._writer = cue, None

    @property
    def _writes(self) -> Writer:
        self._forget_other_media()
        medium = self._mechanism.medium
        if self._writer is None:
            if self._parameters.simulate:
                medium = self._rehearsal = _copy(medium)
            self._writer = writer_for(medium, self._parameters, self._cue)
        return self._writer

    def _forget_other_media(self) -> None:
        if self._load != self._mechanism.loads:
            self._load = self._mechanism.loads
            self._cue = self._writer = self._rehearsal = None

    def write(self, first: int, count: int, data: bytes) -> None:
        """Write blocks, as far as no fault waits among them.

        Raises:
            Refused, Unplugged: what happened.
        """
        if count == 0:
            return
        while waiting := self._faults(first, first + count):
            fault = waiting[0]
            self._meet(fault, first, data[: len(data) // count * (fault.block - first)])
        self._writes.write(first, count, data)

    def _faults(self, first: int, end: int) -> list[Fault]:
        return [fault for fault in self._mechanism.faults_in(first, end) if fault.trouble is not Trouble.READ_ERROR]

    def _meet(self, fault: Fault, first: int, before: bytes) -> None:
        """Suffer a fault, once what comes before it is written; return if it passed by."""
        mechanism = self._mechanism
        if fault.trouble is Trouble.HANG:
            mechanism.hang_while(lambda: fault in mechanism.faults and mechanism.is_plugged)
            if mechanism.is_plugged:
                return
        if before and mechanism.is_plugged:
            self._writes.write(first, fault.block - first, before)
        if fault.trouble is Trouble.WRITE_ERROR:
            raise Refused(WRITE_ERROR)
        if fault.trouble is Trouble.REMOVE:
            mechanism.lose_medium()
            raise Refused(NO_MEDIUM)
        mechanism.is_plugged = False
        raise Unplugged

    def synchronize(self) -> None:
        """Bring what is in the buffer onto the medium."""
        if self._writer is None and self._mechanism.medium.is_blank:
            return
        if self._mechanism.bites(Trouble.SYNC_ERROR):
            raise Refused(WRITE_ERROR)
        self._writes.synchronize()

    def reserve(self, blocks: int) -> None:
        """Promise the next track so many blocks."""
        self._writes.reserve(blocks)

    def close(self, function: int) -> None:
        """Close a track, a session or the disc."""
        if self._mechanism.bites(Trouble.CLOSE_ERROR):
            raise Refused(NOT_CLOSED)
        self._writes.close(function)

    def blank(self, kind: int) -> None:
        """Make the medium as it was bought."""
        medium = self._mechanism.medium
        if medium.kind not in _BLANKABLE or kind not in _BLANK_TYPES:
            raise Refused(BAD_FIELD)
        medium.blank()
        self._writer = None

    def format(self, kind: int) -> None:
        """Make the medium one that is written over."""
        medium = self._mechanism.medium
        if medium.kind is MediumKind.BD_R and kind == _BD_R_SEQUENTIAL:
            return
        if medium.kind not in _FORMATTABLE:
            raise Refused(WRONG_FORMAT)
        medium.format()
        self._writer = None


def _copy(medium: Medium) -> Medium:
    """Copy what is known of a medium, for a burn that writes nothing."""
    rehearsal = copy.copy(medium)
    rehearsal.tracks, rehearsal.index = copy.deepcopy(medium.tracks), dict(medium.index)
    rehearsal.store = NoSectors()
    return rehearsal
