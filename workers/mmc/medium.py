"""The state of a modelled medium: tracks, sessions, what is written and what can be.

Addresses are logical blocks. `MediumKind` tells the rules: CD, sequential (DVD-R, DVD+R, BD-R and DVD-RW as bought),
overwritable (DVD+RW, BD-RE, and DVD-RW once it is formatted so).
"""

from dataclasses import dataclass, field

from jobs.mastering.medium import Family, MediumKind
from workers.mmc.sectors import Store

#: Bytes of a block of data, and of audio.
DATA, AUDIO = 2048, 2352
#: Control fields of the Q channel (MMC-6 table 18): data, audio.
DATA_CONTROL, AUDIO_CONTROL = 4, 0
#: Blocks between the lead-out of a CD's session and its next one: lead-out (90 s for the first, 30 s for others),
#: lead-in (60 s), pregap (MMC-6 4.2.3.6).
_FIRST_CD_GAP, _CD_GAP = 11400, 6900
#: Blocks between a DVD's sessions (a border, an intro), smallest usual.
_DVD_GAP = 4096
#: Blocks of a CD's run-out after a track that was written at once, which no drive can read, and of its pregap.
RUN_OUT, GAP = 2, 150

#: Profiles of MMC-6 table 95.
PROFILES = {
    MediumKind.CD_R: 0x09,
    MediumKind.CD_RW: 0x0A,
    MediumKind.DVD_R: 0x11,
    MediumKind.DVD_RW: 0x14,
    MediumKind.DVD_R_DL: 0x15,
    MediumKind.DVD_PLUS_RW: 0x1A,
    MediumKind.DVD_PLUS_R: 0x1B,
    MediumKind.DVD_PLUS_R_DL: 0x2B,
    MediumKind.BD_R: 0x41,
    MediumKind.BD_R_DL: 0x41,
    MediumKind.BD_RE: 0x43,
}
_DVD_ROM = 0x10
_READ_ONLY = {Family.CD: 0x08, Family.BD: 0x40}
#: DVD-RW formatted for restricted overwriting.
DVD_RW_OVERWRITE = 0x13


@dataclass(slots=True)
class Track:
    """A track. `blocks` are written ones, `reserved` those it was promised (0: it grows); the run-out is neither."""

    number: int
    session: int
    start: int
    blocks: int = 0
    reserved: int = 0
    control: int = DATA_CONTROL
    block_size: int = DATA
    closed: bool = False
    run_out: int = 0
    isrc: str = ""

    @property
    def end(self) -> int:
        """The block after its last one, run-out included."""
        return self.start + max(self.blocks, self.reserved) + self.run_out

    @property
    def is_audio(self) -> bool:
        """True for a track of audio."""
        return not self.control & DATA_CONTROL


@dataclass(slots=True)
class Medium:
    """A medium. `sessions` counts closed ones; `lead_out` is where the last of them ends."""

    kind: MediumKind
    capacity: int
    store: Store
    tracks: list[Track] = field(default_factory=list)
    sessions: int = 0
    finalized: bool = False
    formatted: bool = False
    next_writable: int = 0
    lead_out: int = 0
    mcn: str = ""
    cd_text: bytes = b""
    index: dict[int, int] = field(default_factory=dict)
    erases: int = 0
    file: str = ""  #: where its blocks are
    becomes_read_only: bool = False  #: once it is finalized, by the drive's choice or by its book type

    @property
    def is_cd(self) -> bool:
        """True for CD-R and CD-RW."""
        return self.kind.family is Family.CD

    @property
    def is_overwritable(self) -> bool:
        """True if it can be written over anywhere, once it is formatted."""
        return self.kind in {MediumKind.DVD_PLUS_RW, MediumKind.BD_RE} or (
            self.kind is MediumKind.DVD_RW and self.formatted
        )

    @property
    def profile(self) -> int:
        """Its profile."""
        if self.becomes_read_only and self.finalized:
            return _READ_ONLY.get(self.kind.family, _DVD_ROM)
        if self.kind is MediumKind.DVD_RW and self.formatted:
            return DVD_RW_OVERWRITE
        return PROFILES[self.kind]

    @property
    def is_blank(self) -> bool:
        """True if nothing was ever written or reserved."""
        return not self.formatted if self.is_overwritable else not self.tracks

    @property
    def rounding(self) -> int:
        """Blocks that a written stretch is rounded up to: an ECC block."""
        return {Family.CD: 1, Family.BD: 32}.get(self.kind.family, 16)

    @property
    def free_blocks(self) -> int:
        """Blocks that can still be written at `next_writable`."""
        return 0 if self.finalized else max(0, self.capacity - self.next_writable)

    @property
    def open_track(self) -> Track | None:
        """The track that is being written, or reserved and not full."""
        return next((track for track in self.tracks if not track.closed), None)

    @property
    def session_is_open(self) -> bool:
        """True if the last track's session is not closed."""
        return bool(self.tracks) and self.tracks[-1].session > self.sessions

    def track_at(self, block: int) -> Track | None:
        """Return the track that a block belongs to."""
        return next((track for track in reversed(self.tracks) if track.start <= block < track.end), None)

    def begin_track(
        self, start: int, *, reserved: int = 0, control: int = DATA_CONTROL, block_size: int = DATA
    ) -> Track:
        """Add a track."""
        number, session = len(self.tracks) + 1, self.sessions + 1
        track = Track(number, session, start, reserved=reserved, control=control, block_size=block_size)
        self.tracks.append(track)
        return track

    def end_track(self, track: Track) -> None:
        """Close a track; what may follow starts after its run-out and pregap, or at the next ECC block."""
        if track.closed:
            return
        track.closed = True
        if self.is_cd:
            track.run_out = RUN_OUT
            self.next_writable = track.end + GAP
        else:
            track.blocks = self.round_up(track.blocks)
            self.next_writable = max(self.next_writable, self.round_up(track.end))

    def end_session(self, *, finalize: bool) -> None:
        """Close the session that is open, and the disc with it if asked."""
        track = self.open_track
        if track is not None:
            self.end_track(track)
        if self.session_is_open:
            self.lead_out = self.tracks[-1].end
            self.sessions = self.tracks[-1].session
            self.next_writable = self.round_up(self.lead_out) + self._gap
        self.finalized = self.finalized or finalize

    @property
    def _gap(self) -> int:
        if self.is_cd:
            return _FIRST_CD_GAP if self.sessions == 1 else _CD_GAP
        return _DVD_GAP if self.kind.family in {Family.DVD, Family.DVD_DL} else 0

    def blank(self) -> None:
        """Make a rewritable medium as it was bought."""
        self.store.erase()
        self.tracks.clear()
        self.index.clear()
        self.sessions = self.next_writable = self.lead_out = 0
        self.finalized = self.formatted = False
        self.mcn, self.cd_text = "", b""
        self.erases += 1

    def format(self) -> None:
        """Make it one that can be written over: a single track, all of it readable."""
        if self.kind is MediumKind.DVD_RW:
            self.blank()
        self.formatted = True
        self.tracks[:] = [Track(1, 1, 0, self.capacity, closed=True)]
        self.sessions, self.lead_out = 1, self.capacity

    def round_up(self, blocks: int) -> int:
        """Round up to whole ECC blocks."""
        return -(-blocks // self.rounding) * self.rounding
