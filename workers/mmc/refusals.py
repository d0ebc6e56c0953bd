"""How a modelled device refuses a command (MMC-6 annex F, SPC-4 annex D)."""

from workers.recorders.scsi_sense import HARDWARE, ILLEGAL_REQUEST, MEDIUM, NOT_READY, PROTECTED, UNIT_ATTENTION, Sense

UNKNOWN = Sense(ILLEGAL_REQUEST, 0x20)
NO_SUCH_BLOCK = Sense(ILLEGAL_REQUEST, 0x21)
NO_SUCH_ELEMENT, WRONG_ADDRESS = Sense(ILLEGAL_REQUEST, 0x21, 1), Sense(ILLEGAL_REQUEST, 0x21, 2)
BAD_FIELD = Sense(ILLEGAL_REQUEST, 0x24)
BAD_PARAMETER = Sense(ILLEGAL_REQUEST, 0x26)
NO_SUCH_UNIT = Sense(ILLEGAL_REQUEST, 0x25)
OUT_OF_SEQUENCE = Sense(ILLEGAL_REQUEST, 0x2C)
DESTINATION_FULL, SOURCE_EMPTY = Sense(ILLEGAL_REQUEST, 0x3B, 0x0D), Sense(ILLEGAL_REQUEST, 0x3B, 0x0E)
LOCKED = Sense(ILLEGAL_REQUEST, 0x53, 2)
END_OF_MEDIUM = Sense(ILLEGAL_REQUEST, 0x63)
ILLEGAL_FOR_TRACK = Sense(ILLEGAL_REQUEST, 0x64)
NOT_CLOSED = Sense(ILLEGAL_REQUEST, 0x72)
BECOMING_READY = Sense(NOT_READY, 0x04, 1)
WRONG_FORMAT = Sense(NOT_READY, 0x30, 6)
NOT_FORMATTED = Sense(NOT_READY, 0x30, 0x10)
NO_MEDIUM, TRAY_OPEN = Sense(NOT_READY, 0x3A, 1), Sense(NOT_READY, 0x3A, 2)
WRITE_ERROR = Sense(MEDIUM, 0x0C)
READ_ERROR, RUN_OUT = Sense(MEDIUM, 0x11), Sense(MEDIUM, 0x11, 5)
WRITE_PROTECTED = Sense(PROTECTED, 0x27)
ARM_ERROR, EJECT_FAILED = Sense(HARDWARE, 0x15, 1), Sense(HARDWARE, 0x53)
MEDIUM_CHANGED, RESET = Sense(UNIT_ATTENTION, 0x28), Sense(UNIT_ATTENTION, 0x29)


class Refused(Exception):
    """The drive does not do it; `sense` says why."""

    def __init__(self, sense: Sense) -> None:
        self.sense = sense
        super().__init__(str(sense))


def some(answer: bytes | None) -> bytes:
    """Return an answer.

    Raises:
        Refused: there is none, so the question was wrong.
    """
    if answer is None:
        raise Refused(BAD_FIELD)
    return answer


def fixed_sense(sense: Sense) -> bytes:
    """Write sense data of the fixed format (SPC-4 4.5.3)."""
    return bytes([0x70, 0, sense.key, 0, 0, 0, 0, 10, 0, 0, 0, 0, sense.asc, sense.ascq, 0, 0, 0, 0])
