"""What a target answers over iSCSI, as bytes (RFC 7143 chapter 11)."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from workers.mmc.iscsi_requests import FINAL, NO_TAG, WORD, Login, NopOut

#: Flags of what carries a status: more data than was expected, or less; in a Data-In, that it carries one.
_OVERFLOW, _UNDERFLOW, _HAS_STATUS = 0x04, 0x02, 0x01


class Opcode(IntEnum):
    """What an answer is."""

    NOP_IN = 0x20
    SCSI_RESPONSE = 0x21
    TASK_MANAGEMENT_RESPONSE = 0x22
    LOGIN_RESPONSE = 0x23
    TEXT_RESPONSE = 0x24
    DATA_IN = 0x25
    LOGOUT_RESPONSE = 0x26
    R2T = 0x31
    REJECT = 0x3F


@dataclass(frozen=True, slots=True)
class Numbers:
    """Where a session stands: the status's number, the command that is expected, the last one that would be taken."""

    status: int
    expected: int
    last: int

    def packed(self) -> bytes:
        """Write bytes 24 to 35 of a header."""
        return struct.pack(">III", self.status, self.expected, self.last)


#: Writes an answer, given the numbers of the moment at which it goes out.
Maker = Callable[[Numbers], bytes]


def _message(opcode: Opcode, numbers: Numbers, head: bytes, tail: bytes = b"", data: bytes = b"") -> bytes:
    """Put a message together: `head` are bytes 1 to 3 and from 8 on, `tail` is from byte 36 on."""
    lengths = bytes([0]) + len(data).to_bytes(3, "big")
    header = bytes([opcode]) + head[:3] + lengths + head[3:].ljust(16, b"\0") + numbers.packed() + tail.ljust(12, b"\0")
    return header + data + bytes(-len(data) % WORD)


def _head(flags: int, tag: int, target_tag: int = 0, codes: tuple[int, int] = (0, 0), lun: bytes = bytes(8)) -> bytes:
    """Write bytes 1 to 3 of a header and those from 8 to 23."""
    return struct.pack(">BBB8sII", flags, *codes, lun, tag, target_tag)


def nop_in(numbers: Numbers, request: NopOut) -> bytes:
    """Answer a ping with what it brought."""
    head = _head(FINAL, request.tag, NO_TAG, lun=request.lun)
    return _message(Opcode.NOP_IN, numbers, head, data=request.data)


@dataclass(frozen=True, slots=True)
class Amiss:
    """What did not move as expected: bytes that were expected and did not come, or that were there and not expected."""

    missing: int = 0
    too_much: int = 0

    @property
    def flags(self) -> int:
        """Say it as flags of a header."""
        return _UNDERFLOW if self.missing else _OVERFLOW if self.too_much else 0

    @property
    def count(self) -> int:
        """Say it as a residual count."""
        return self.missing or self.too_much


def scsi_response(numbers: Numbers, tag: int, status: int, sense: bytes, amiss: Amiss) -> bytes:
    """Tell how a command ended that has no data to tell it with."""
    head = _head(FINAL | amiss.flags, tag, codes=(0, status))
    data = struct.pack(">H", len(sense)) + sense if sense else b""
    return _message(Opcode.SCSI_RESPONSE, numbers, head, struct.pack(">III", 0, 0, amiss.count), data)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of what a command reads. The last one tells what was `amiss`, and with it that all went well."""

    tag: int
    number: int
    offset: int
    data: bytes
    ends_burst: bool = False
    amiss: Amiss | None = None


def data_in(numbers: Numbers, piece: Piece) -> bytes:
    """Send a piece of what a command read."""
    amiss = piece.amiss or Amiss()
    flags = FINAL * piece.ends_burst | _HAS_STATUS * (piece.amiss is not None) | amiss.flags
    tail = struct.pack(">III", piece.number, piece.offset, amiss.count)
    return _message(Opcode.DATA_IN, numbers, _head(flags, piece.tag, NO_TAG), tail, piece.data)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is asked for of a command's data. `number` counts the asking, and is the tag by which it is answered."""

    tag: int
    number: int
    offset: int
    length: int


def ready_to_transfer(numbers: Numbers, stretch: Stretch) -> bytes:
    """Ask for a stretch of what a command writes."""
    tail = struct.pack(">III", stretch.number, stretch.offset, stretch.length)
    return _message(Opcode.R2T, numbers, _head(FINAL, stretch.tag, stretch.number), tail)


def task_management_response(numbers: Numbers, tag: int, response: int) -> bytes:
    """Tell what became of a task management function."""
    return _message(Opcode.TASK_MANAGEMENT_RESPONSE, numbers, _head(FINAL, tag, codes=(response, 0)))


def text_response(numbers: Numbers, tag: int, data: bytes) -> bytes:
    """Answer a question."""
    return _message(Opcode.TEXT_RESPONSE, numbers, _head(FINAL, tag, NO_TAG), data=data)


def logout_response(numbers: Numbers, tag: int) -> bytes:
    """Let an initiator go; it may come back at once."""
    return _message(Opcode.LOGOUT_RESPONSE, numbers, _head(FINAL, tag))


def reject(numbers: Numbers, reason: int, header: bytes) -> bytes:
    """Refuse a message, whose header is sent back."""
    return _message(Opcode.REJECT, numbers, _head(FINAL, NO_TAG, codes=(reason, 0)), data=header)


def login_response(numbers: Numbers, request: Login, handle: int, status: int, data: bytes = b"") -> bytes:
    """Answer a step of a login; `status` is its class and detail, 0 for good."""
    moves = request.next_stage is not None and not status
    flags = request.stage << 2 | (FINAL | (request.next_stage or 0) if moves else 0)
    place = request.session + handle.to_bytes(2, "big")
    head = _head(flags, request.tag, lun=place)
    return _message(Opcode.LOGIN_RESPONSE, numbers, head, struct.pack(">H", status), data)
