"""How a modelled drive writes: by tracks or a whole session on CD, in sequence on DVD and BD, or anywhere.

A writer keeps the rules of MMC for its kind of medium and refuses what breaks them; the bytes go to the medium's store.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from jobs.mastering.medium import MediumKind
from workers.mmc.cue_sheet import CueSheet
from workers.mmc.medium import AUDIO, DATA, Medium, Track
from workers.mmc.refusals import (
    BAD_FIELD,
    BAD_PARAMETER,
    END_OF_MEDIUM,
    NO_SUCH_BLOCK,
    NOT_FORMATTED,
    OUT_OF_SEQUENCE,
    WRITE_PROTECTED,
    WRONG_ADDRESS,
    Refused,
)
from workers.mmc.sectors import PREGAP

#: Write types of mode page 05h (MMC-6 table 641).
INCREMENTAL, TRACK_AT_ONCE, SESSION_AT_ONCE = 0, 1, 2
#: Bytes of a block by data block type (table 642); a block may carry sub-channels beside them.
_BLOCK_TYPES = {0: AUDIO, 8: DATA}
#: What CLOSE TRACK SESSION closes (table 270): a track, a session; the rest close the disc too.
_CLOSE_TRACK, _CLOSE_SESSION = 1, 2
#: CD-TEXT in the lead-in: 96 bytes a block are 4 packs of 18, six bits a byte.
_SYMBOLS, _PACK = 96, 18
_MINUS = {MediumKind.DVD_R, MediumKind.DVD_RW, MediumKind.DVD_R_DL}


@dataclass(frozen=True, slots=True)
class WriteParameters:
    """Mode page 05h, as far as it matters. `multi` leaves room for another session after this one."""

    write_type: int = SESSION_AT_ONCE
    simulate: bool = False
    multi: bool = False
    control: int = 4
    block_type: int = 8


def parse_write_parameters(page: bytes) -> WriteParameters:
    """Read mode page 05h (MMC-6 7.4)."""
    padded = bytes(page).ljust(5, b"\0")
    return WriteParameters(
        write_type=padded[2] & 0xF,
        simulate=bool(padded[2] & 0x10),
        multi=padded[3] >> 6 == 3,
        control=padded[3] & 0xF,
        block_type=padded[4] & 0xF,
    )


class Writer(Protocol):
    """Writes one medium."""

    def write(self, first: int, count: int, data: bytes) -> None:
        """Write blocks.

        Raises:
            Refused: not there, not now, or not at all.
        """

    def synchronize(self) -> None:
        """Bring what is in the buffer onto the medium; ends what ends by itself then."""

    def reserve(self, blocks: int) -> None:
        """Promise a track so many blocks."""

    def close(self, function: int) -> None:
        """Close a track, a session or the disc."""


def writer_for(medium: Medium, parameters: WriteParameters, cue: CueSheet | None) -> Writer:
    """Return the writer of a medium, as the program has set it up."""
    if medium.is_overwritable:
        return AnywhereWriter(medium)
    if not medium.is_cd:
        return SequentialWriter(medium, parameters)
    if parameters.write_type == SESSION_AT_ONCE and cue is not None:
        return SessionWriter(medium, parameters, cue)
    return TrackWriter(medium, parameters)


class TrackWriter:
    """Track at once, on CD: a track ends when the buffer is emptied."""

    def __init__(self, medium: Medium, parameters: WriteParameters) -> None:
        self._medium = medium
        self._parameters = parameters

    def write(self, first: int, count: int, data: bytes) -> None:
        """Write blocks of the open track, or begin one."""
        medium = self._medium
        _check_room(medium, first, count)
        if first != medium.next_writable:
            raise Refused(WRONG_ADDRESS)
        track = medium.open_track or self._begin(first)
        medium.store.write(first, _user_data(data, count, track.block_size), track.block_size)
        track.blocks += count
        medium.next_writable += count

    def _begin(self, first: int) -> Track:
        size = _BLOCK_TYPES.get(self._parameters.block_type)
        if size is None:
            raise Refused(BAD_PARAMETER)
        return self._medium.begin_track(first, control=self._parameters.control, block_size=size)

    def synchronize(self) -> None:
        """End the track that is open."""
        if self._medium.open_track is not None:
            self._medium.end_track(self._medium.open_track)

    def reserve(self, blocks: int) -> None:  # noqa: ARG002  (the protocol's)
        """Refuse: this drive reserves no tracks on CD."""
        raise Refused(BAD_FIELD)

    def close(self, function: int) -> None:
        """Close the track or the session; the disc with it unless another session was asked for."""
        if function == _CLOSE_TRACK:
            self.synchronize()
        else:
            self._medium.end_session(finalize=not self._parameters.multi)


class SessionWriter:
    """Session at once, on CD: all of it as the cue sheet says; it closes by itself."""

    def __init__(self, medium: Medium, parameters: WriteParameters, cue: CueSheet) -> None:
        self._medium = medium
        self._parameters = parameters
        self._cue = cue
        self._start = cue.stretches[0].start
        self._next = self._start
        self._text = bytearray()
        self._track: Track | None = None

    def write(self, first: int, count: int, data: bytes) -> None:
        """Write blocks: CD-TEXT before the first pregap, then everything in order."""
        if self._medium.finalized:
            raise Refused(WRITE_PROTECTED)
        if first < self._start:
            self._write_text(data, count)
            return
        if first != self._skip_what_the_drive_makes(first):
            raise Refused(WRONG_ADDRESS)
        if first + count > self._cue.lead_out:
            raise Refused(END_OF_MEDIUM)
        self._put(first, count, data)
        if self._next == self._cue.lead_out:
            self._complete()

    def _skip_what_the_drive_makes(self, first: int) -> int:
        """Return where writing goes on: a program may leave out the blocks that it need not send."""
        while self._next < first:
            stretch = self._cue.at(self._next)
            if stretch is None or stretch.size:
                break
            self._next += 1
        return self._next

    def _put(self, first: int, count: int, data: bytes) -> None:
        if self._track is None:
            self._track = self._medium.begin_track(max(first, self._start + PREGAP))
        given = len(data) // count
        for number in range(count):
            stretch = self._cue.at(first + number)
            if stretch is None or given < min(stretch.size or given, stretch.user_size):
                raise Refused(BAD_FIELD)
            block = data[number * given : number * given + stretch.user_size]
            self._medium.store.write(first + number, block, stretch.user_size)
        self._next = first + count
        self._track.blocks = max(0, self._next - self._track.start)
        self._medium.next_writable = self._next

    def _write_text(self, data: bytes, count: int) -> None:
        if not self._cue.has_text or len(data) != count * _SYMBOLS:
            raise Refused(WRONG_ADDRESS)
        bits = "".join(f"{symbol & 0x3F:06b}" for symbol in data)
        self._text += int(bits, 2).to_bytes(len(bits) // 8, "big")

    def _complete(self) -> None:
        """Replace the stretch that was written by the tracks that the cue sheet names, and close the session."""
        medium, cue = self._medium, self._cue
        if self._track is not None:
            medium.tracks.remove(self._track)
        starts = [item for item in cue.stretches if item.index == 1]
        for item, following in pairwise(starts):
            track = medium.begin_track(item.start, control=item.control, block_size=item.user_size)
            track.blocks, track.closed = following.start - item.start, True
            track.isrc = cue.isrc.get(item.track, "")
        medium.index.update({item.track: item.start for item in cue.stretches if item.index == 0})
        medium.mcn, medium.cd_text = cue.mcn or medium.mcn, _once(bytes(self._text)) or medium.cd_text
        medium.end_session(finalize=not self._parameters.multi)

    def synchronize(self) -> None:
        """Nothing ends that is not complete."""

    def reserve(self, blocks: int) -> None:  # noqa: ARG002  (the protocol's)
        """Refuse: a cue sheet has said it all."""
        raise Refused(OUT_OF_SEQUENCE)

    def close(self, function: int) -> None:  # noqa: ARG002  (the protocol's)
        """Close a session that was broken off; a complete one is closed already."""
        self._medium.end_session(finalize=not self._parameters.multi)


class SequentialWriter:
    """DVD-R, DVD-RW as bought, DVD+R, BD-R: one block after the other, in tracks that may be reserved."""

    def __init__(self, medium: Medium, parameters: WriteParameters) -> None:
        self._medium = medium
        self._parameters = parameters

    def write(self, first: int, count: int, data: bytes) -> None:
        """Write blocks at the end of the open track, or begin one."""
        medium = self._medium
        track = medium.open_track
        if track is not None and track.reserved:
            if first + count > track.start + track.reserved:
                raise Refused(END_OF_MEDIUM)
        else:
            _check_room(medium, first, count)
        due = medium.next_writable if track is None else track.start + track.blocks
        if first != due:
            raise Refused(WRONG_ADDRESS)
        track = track or medium.begin_track(first)
        medium.store.write(first, _user_data(data, count, DATA), DATA)
        track.blocks += count
        medium.next_writable = max(medium.next_writable, track.start + track.blocks)

    def synchronize(self) -> None:
        """Close the disc if all of it was promised to one track, which is full now (disc at once)."""
        medium, track = self._medium, self._medium.open_track
        at_once = medium.kind in _MINUS and self._parameters.write_type == SESSION_AT_ONCE
        if at_once and track is not None and track.reserved and medium.round_up(track.blocks) >= track.reserved:
            medium.end_session(finalize=True)

    def reserve(self, blocks: int) -> None:
        """Promise a track so many blocks, rounded up to whole ECC blocks."""
        medium = self._medium
        if medium.open_track is not None:
            raise Refused(OUT_OF_SEQUENCE)
        _check_room(medium, medium.next_writable, blocks)
        track = medium.begin_track(medium.next_writable, reserved=medium.round_up(blocks))
        medium.next_writable = track.end

    def close(self, function: int) -> None:
        """Close the track, the session, or the disc."""
        medium = self._medium
        if function == _CLOSE_TRACK:
            if medium.open_track is not None:
                medium.end_track(medium.open_track)
            return
        finalize = not self._parameters.multi if medium.kind in _MINUS else function != _CLOSE_SESSION
        medium.end_session(finalize=finalize)


class AnywhereWriter:
    """DVD+RW, BD-RE, formatted DVD-RW: any block, any time."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    def write(self, first: int, count: int, data: bytes) -> None:
        """Write blocks anywhere on a formatted medium."""
        if not self._medium.formatted:
            raise Refused(NOT_FORMATTED)
        if first + count > self._medium.capacity:
            raise Refused(NO_SUCH_BLOCK)
        self._medium.store.write(first, _user_data(data, count, DATA), DATA)

    def synchronize(self) -> None:
        """Everything is where it belongs already."""

    def reserve(self, blocks: int) -> None:  # noqa: ARG002  (the protocol's)
        """Refuse: there is one track, of all blocks."""
        raise Refused(BAD_FIELD)

    def close(self, function: int) -> None:
        """End the formatting in the background; nothing else is open."""


def _check_room(medium: Medium, first: int, count: int) -> None:
    if medium.finalized:
        raise Refused(WRITE_PROTECTED)
    if first + count > medium.capacity:
        raise Refused(END_OF_MEDIUM)


def _user_data(data: bytes, count: int, size: int) -> bytes:
    """Return what a reader gets of blocks that may carry sub-channels beside it."""
    given = len(data) // count
    if given < size or len(data) % count:
        raise Refused(BAD_FIELD)
    if given == size:
        return data
    return b"".join(data[at : at + size] for at in range(0, len(data), given))


def _once(packs: bytes) -> bytes:
    """Return the packs up to where they begin again: a lead-in repeats them until it is full."""
    first = packs[:_PACK]
    again = next((at for at in range(_PACK, len(packs), _PACK) if packs[at : at + _PACK] == first), len(packs))
    return packs[:again]
