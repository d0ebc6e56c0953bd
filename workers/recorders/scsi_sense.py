"""What a drive says when it refuses a command, and which of our errors that is (SPC-4 4.5; MMC-6 annex F)."""

from dataclasses import dataclass

from jobs.errors import (
    DiscError,
    DiscUnreadable,
    MediumDiffers,
    MediumMissing,
    MediumNotWritable,
    MediumTooSmall,
    MediumUnsuitable,
    RecorderBusy,
    RecorderError,
    RecorderUnsuitable,
    SessionNotClosed,
    WriteFailed,
    WriteNotBegun,
)

#: Sense keys (SPC-4 table 45).
NO_SENSE, RECOVERED, NOT_READY, MEDIUM, HARDWARE, ILLEGAL_REQUEST, UNIT_ATTENTION, PROTECTED, BLANK = range(9)
ABORTED = 0xB
#: Response codes: fixed and descriptor format, of this command or of an earlier one.
_FIXED, _DESCRIPTOR = (0x70, 0x71), (0x72, 0x73)
_KEY, _ASC, _ASCQ = 2, 12, 13
_DESCRIPTOR_LENGTH = 4


@dataclass(frozen=True, slots=True)
class Sense:
    """Key, additional sense code and its qualifier: what went wrong, from coarse to fine."""

    key: int
    asc: int = 0
    ascq: int = 0

    def __str__(self) -> str:
        """Write it as data sheets do: `2/3A/01 (no medium, tray closed)`."""
        numbers = f"{self.key:X}/{self.asc:02X}/{self.ascq:02X}"
        words = _WORDS.get((self.asc, self.ascq)) or _WORDS.get((self.asc, 0))
        return f"{numbers} ({words})" if words else numbers

    @property
    def is_medium_change(self) -> bool:
        """True if the medium may be another one than before: a change, a reset, or power on."""
        return self.key == UNIT_ATTENTION and self.asc in {0x28, 0x29}

    @property
    def is_becoming_ready(self) -> bool:
        """True if the same command will do later by itself: spinning up, formatting, writing on."""
        return self.key == NOT_READY and self.asc == _NOT_READY_YET and self.ascq != _NEEDS_START

    def error(self, doing: str) -> DiscError:
        """Return the error this is; `doing` completes "the drive refuses to …"."""
        return self._kind()(f"the drive refuses to {doing}: {self}")

    def _kind(self) -> type[DiscError]:
        return _BY_CODE.get((self.key, self.asc)) or _BY_KEY.get(self.key, RecorderError)


def parse_sense(data: bytes) -> Sense:
    """Read sense data of either format; what is missing or unknown reads as nothing.

    >>> print(parse_sense(bytes.fromhex("70 00 02 00 00 00 00 0A 00 00 00 00 3A 02")))
    2/3A/02 (no medium, tray open)
    """
    padded = bytes(data).ljust(_ASCQ + 1, b"\0")
    code = padded[0] & 0x7F
    if code in _FIXED:
        return Sense(padded[_KEY] & 0xF, padded[_ASC], padded[_ASCQ])
    if code in _DESCRIPTOR:
        return Sense(padded[1] & 0xF, padded[2], padded[3])
    return Sense(NO_SENSE)


_NOT_READY_YET, _NEEDS_START = 0x04, 0x02

#: What fits a key whatever follows.
_BY_KEY: dict[int, type[DiscError]] = {
    NOT_READY: DiscUnreadable,
    MEDIUM: DiscUnreadable,
    HARDWARE: RecorderError,
    ILLEGAL_REQUEST: RecorderUnsuitable,
    UNIT_ATTENTION: RecorderBusy,
    PROTECTED: MediumNotWritable,
    BLANK: MediumDiffers,
    ABORTED: RecorderError,
}

#: What fits a key and an additional sense code.
_BY_CODE: dict[tuple[int, int], type[DiscError]] = {
    (NOT_READY, 0x04): RecorderBusy,
    (NOT_READY, 0x30): MediumUnsuitable,
    (NOT_READY, 0x3A): MediumMissing,
    (NOT_READY, 0x3E): RecorderError,
    (MEDIUM, 0x0C): WriteFailed,
    (MEDIUM, 0x11): MediumDiffers,
    (MEDIUM, 0x30): MediumUnsuitable,
    (MEDIUM, 0x31): MediumNotWritable,
    (MEDIUM, 0x72): SessionNotClosed,
    (MEDIUM, 0x73): WriteNotBegun,
    (HARDWARE, 0x08): RecorderError,
    (ILLEGAL_REQUEST, 0x21): MediumDiffers,
    (ILLEGAL_REQUEST, 0x30): MediumUnsuitable,
    (ILLEGAL_REQUEST, 0x53): RecorderBusy,
    (ILLEGAL_REQUEST, 0x63): MediumTooSmall,
    (ILLEGAL_REQUEST, 0x64): MediumDiffers,
    (ILLEGAL_REQUEST, 0x72): SessionNotClosed,
    (ILLEGAL_REQUEST, 0x73): WriteNotBegun,
}

#: Words for people, by (ASC, ASCQ) (MMC-6 table F.1; SPC-4 annex D).
_WORDS: dict[tuple[int, int], str] = {
    (0x02, 0): "no seek complete",
    (0x04, 0): "not ready",
    (0x04, 1): "becoming ready",
    (0x04, 2): "needs to be started",
    (0x04, 4): "formatting",
    (0x04, 7): "an operation is in progress",
    (0x04, 8): "a long write is in progress",
    (0x08, 0): "no connection to the mechanism",
    (0x09, 0): "tracking lost",
    (0x0C, 0): "write error",
    (0x0C, 7): "write error, recovery needed",
    (0x0C, 9): "write error, the buffer ran empty",
    (0x11, 0): "unreadable",
    (0x11, 5): "unreadable, error correction failed",
    (0x1A, 0): "parameter list of a wrong length",
    (0x20, 0): "unknown command",
    (0x21, 0): "no such block",
    (0x21, 2): "not the next block to be written",
    (0x24, 0): "invalid field in the command",
    (0x26, 0): "invalid field in the parameters",
    (0x27, 0): "write-protected",
    (0x28, 0): "the medium may have changed",
    (0x29, 0): "power on or reset",
    (0x2C, 0): "commands out of order",
    (0x30, 0): "medium of a wrong kind",
    (0x30, 2): "medium of a wrong format",
    (0x30, 5): "medium can't be written",
    (0x30, 6): "medium can't be formatted",
    (0x31, 0): "the medium's format is damaged",
    (0x3A, 0): "no medium",
    (0x3A, 1): "no medium, tray closed",
    (0x3A, 2): "no medium, tray open",
    (0x3E, 0): "not configured yet",
    (0x3E, 2): "did not pass its self-test",
    (0x51, 0): "blanking failed",
    (0x53, 0): "loading or ejecting failed",
    (0x53, 2): "the tray is locked",
    (0x57, 0): "the table of contents can't be read",
    (0x63, 0): "end of the user area",
    (0x64, 0): "illegal for this track",
    (0x6F, 0): "copy protection",
    (0x72, 0): "the session can't be closed",
    (0x72, 3): "the session is incomplete",
    (0x72, 4): "the last session is not closed",
    (0x73, 0): "CD control error",
    (0x73, 3): "power calibration failed",
}
