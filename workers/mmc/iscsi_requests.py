"""What initiators ask over iSCSI, read from bytes (RFC 7143 chapter 11).

Reading a message is a pure function of its header and its data; what breaks a rule is a `ProtocolError`, no surprise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

#: Bytes of a basic header segment; data segments are padded to whole words of so many bytes.
HEADER, WORD = 48, 4
#: A tag that stands for none.
NO_TAG = 0xFFFFFFFF
#: Flags of a header's second byte: the last of its kind; more text follows; a command that reads, that writes.
FINAL = 0x80
_CONTINUE, _READS, _WRITES = 0x40, 0x40, 0x20
_IMMEDIATE, _OPCODE = 0x40, 0x3F


class Opcode(IntEnum):
    """What a request is."""

    NOP_OUT = 0x00
    SCSI_COMMAND = 0x01
    TASK_MANAGEMENT = 0x02
    LOGIN = 0x03
    TEXT = 0x04
    DATA_OUT = 0x05
    LOGOUT = 0x06


class Reason(IntEnum):
    """Why a message is rejected."""

    PROTOCOL_ERROR = 0x04
    NOT_SUPPORTED = 0x05
    INVALID_FIELD = 0x09


class ProtocolError(Exception):
    """A message that breaks the rules; the connection can't go on after it."""

    def __init__(self, message: str, reason: Reason = Reason.PROTOCOL_ERROR) -> None:
        self.reason = reason
        super().__init__(message)


def parse_length(header: bytes, longest: int) -> int:
    """Say how much data follows a header; there is padding to a whole word after it.

    Raises:
        ProtocolError: more than the `longest` that was agreed on, or additional headers, which nobody needs here.
    """
    length = int.from_bytes(header[5:8], "big")
    if length > longest:
        raise ProtocolError(f"{length} bytes of data in one message")
    if header[4]:
        raise ProtocolError("additional headers", Reason.INVALID_FIELD)
    return length


@dataclass(frozen=True, slots=True)
class Request:
    """What all requests have. `number` is the command's in its session; an immediate one only borrows it."""

    tag: int
    number: int
    immediate: bool = False
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class NopOut(Request):
    """A ping, or (`tag` none) the answer to one of ours."""

    lun: bytes = bytes(8)


@dataclass(frozen=True, slots=True)
class ScsiCommand(Request):
    """A command for a drive. `expected` is how many bytes it moves."""

    lun: bytes = bytes(8)
    reads: bool = False
    writes: bool = False
    expected: int = 0
    cdb: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class TaskManagement(Request):
    """Ends tasks. `about` is the tag of the one that is meant, where it is one."""

    function: int = 1
    about: int = NO_TAG


@dataclass(frozen=True, slots=True)
class Login(Request):
    """A step of a login. `stage` is where it is and `next_stage` where it wants to go, None to stay."""

    stage: int = 0
    next_stage: int | None = None
    goes_on: bool = False
    lowest_version: int = 0
    session: bytes = bytes(6)
    handle: int = 0
    connection: int = 0


@dataclass(frozen=True, slots=True)
class Text(Request):
    """A question or a negotiation after the login."""

    goes_on: bool = False
    target_tag: int = NO_TAG


@dataclass(frozen=True, slots=True)
class DataOut(Request):
    """A piece of what a command writes, the `piece`th of what one R2T asked for; `final` ends that."""

    final: bool = False
    target_tag: int = NO_TAG
    piece: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Logout(Request):
    """The end of a session or a connection. Reasons: 0 the session, 1 a connection, 2 recovery."""

    reason: int = 0


def parse_request(header: bytes, data: bytes = b"") -> Request:
    """Read a request.

    Raises:
        ProtocolError: it is none that an initiator may send, or has what we do not know.
    """
    if len(header) != HEADER:
        raise ProtocolError(f"a header of {len(header)} bytes")
    code = header[0] & _OPCODE
    parse = _PARSERS.get(code)
    if parse is None:
        raise ProtocolError(f"opcode {code:#04x} is none of an initiator", Reason.NOT_SUPPORTED)
    return parse(header, data)


def _word(header: bytes, at: int) -> int:
    return int.from_bytes(header[at : at + 4], "big")


def _tag(header: bytes) -> int:
    return _word(header, 16)


def _number(header: bytes) -> int:
    return _word(header, 24)


def _is_immediate(header: bytes) -> bool:
    return bool(header[0] & _IMMEDIATE)


def _nop_out(header: bytes, data: bytes) -> NopOut:
    return NopOut(_tag(header), _number(header), _is_immediate(header), data, lun=header[8:16])


def _scsi_command(header: bytes, data: bytes) -> ScsiCommand:
    if not header[1] & FINAL:
        raise ProtocolError("unsolicited data was not agreed on")
    return ScsiCommand(
        _tag(header),
        _number(header),
        _is_immediate(header),
        data,
        lun=header[8:16],
        reads=bool(header[1] & _READS),
        writes=bool(header[1] & _WRITES),
        expected=_word(header, 20),
        cdb=header[32:48],
    )


def _task_management(header: bytes, data: bytes) -> TaskManagement:
    function, about = header[1] & 0x7F, _word(header, 20)
    return TaskManagement(_tag(header), _number(header), _is_immediate(header), data, function, about)


def _login(header: bytes, data: bytes) -> Login:
    return Login(
        _tag(header),
        _number(header),
        immediate=True,
        data=data,
        stage=header[1] >> 2 & 3,
        next_stage=header[1] & 3 if header[1] & FINAL else None,
        goes_on=bool(header[1] & _CONTINUE),
        lowest_version=header[3],
        session=header[8:14],
        handle=int.from_bytes(header[14:16], "big"),
        connection=int.from_bytes(header[20:22], "big"),
    )


def _text(header: bytes, data: bytes) -> Text:
    goes_on = bool(header[1] & _CONTINUE)
    return Text(_tag(header), _number(header), _is_immediate(header), data, goes_on, _word(header, 20))


def _data_out(header: bytes, data: bytes) -> DataOut:
    return DataOut(
        tag=_tag(header),
        number=0,
        immediate=True,
        data=data,
        final=bool(header[1] & FINAL),
        target_tag=_word(header, 20),
        piece=_word(header, 36),
        offset=_word(header, 40),
    )


def _logout(header: bytes, data: bytes) -> Logout:
    return Logout(_tag(header), _number(header), _is_immediate(header), data, reason=header[1] & 0x7F)


_PARSERS: dict[int, Callable[[bytes, bytes], Request]] = {
    Opcode.NOP_OUT: _nop_out,
    Opcode.SCSI_COMMAND: _scsi_command,
    Opcode.TASK_MANAGEMENT: _task_management,
    Opcode.LOGIN: _login,
    Opcode.TEXT: _text,
    Opcode.DATA_OUT: _data_out,
    Opcode.LOGOUT: _logout,
}
