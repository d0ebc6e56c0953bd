"""Commands to a drive through Linux's SG_IO: one way in for all questions, and every failure an error of ours.

Whoever calls holds the drive's lock: a command in the midst of somebody else's burn can spoil the disc.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jobs.errors import DiscError, RecorderBusy, RecorderError, RecorderMissing, RecorderNotAccessible, RecorderStalled
from workers.recorders.scsi_sense import UNIT_ATTENTION, Sense, parse_sense

#: Seconds that a drive has for a command that moves nothing for long.
USUAL_TIMEOUT = 30.0
#: Unit attentions in a row that are taken for news; a drive has one a cause, and few causes.
_MOST_ATTENTIONS = 8
_LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its bytes, what goes to the drive or how much may come from it, seconds it may take.

    `doing` completes "the drive refuses to …".
    """

    doing: str
    cdb: bytes
    receive: int = 0
    send: bytes = b""
    timeout: float = USUAL_TIMEOUT


@dataclass(frozen=True, slots=True)
class Answer:
    """What a drive answered: data, and the sense if it refused."""

    data: bytes
    sense: Sense | None = None


class Transport(Protocol):
    """What carries commands to a drive."""

    def execute(self, command: Command) -> Answer:
        """Carry one command there and its answer back.

        Raises:
            RecorderMissing, RecorderStalled, RecorderError: it could not be carried.
        """

    def close(self) -> None:
        """Let go of the drive."""


class ScsiDevice:
    """A drive that answers commands. `changes` counts the media changes and resets that it told of."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.changes = 0

    def issue(self, command: Command) -> Answer:
        """Issue a command, again after each unit attention: that is news, not a refusal.

        Raises:
            RecorderMissing, RecorderStalled, RecorderError: it did not reach the drive.
        """
        for _ in range(_MOST_ATTENTIONS):
            answer = self._transport.execute(command)
            if answer.sense is None or answer.sense.key != UNIT_ATTENTION:
                break
            self.changes += answer.sense.is_medium_change
        return answer

    def call(self, command: Command) -> bytes:
        """Issue a command that has to succeed; return what came.

        Raises:
            DiscError: the drive refused it, for a reason that the error names.
        """
        answer = self.issue(command)
        if answer.sense is not None:
            raise answer.sense.error(command.doing)
        return answer.data

    def ask(self, command: Command) -> bytes | None:
        """Issue a command that a drive need not know or a medium not allow; None if it refused.

        Raises:
            RecorderMissing, RecorderStalled, RecorderError: it did not reach the drive.
        """
        answer = self.issue(command)
        return None if answer.sense is not None else answer.data

    def wait_until(self, command: Command, patience: float, clock: Callable[[], float] = time.monotonic) -> Answer:
        """Issue a command until the drive is not busy with itself any more, at most for `patience` seconds."""
        end = clock() + patience
        while True:
            answer = self.issue(command)
            if answer.sense is None or not answer.sense.is_becoming_ready or clock() >= end:
                return answer
            time.sleep(_LOOK)

    def close(self) -> None:
        """Let go of the drive."""
        self._transport.close()


class _Header(ctypes.Structure):
    """`struct sg_io_hdr` of Linux, <scsi/sg.h>."""

    _fields_ = (
        ("interface_id", ctypes.c_int),
        ("dxfer_direction", ctypes.c_int),
        ("cmd_len", ctypes.c_ubyte),
        ("mx_sb_len", ctypes.c_ubyte),
        ("iovec_count", ctypes.c_ushort),
        ("dxfer_len", ctypes.c_uint),
        ("dxferp", ctypes.c_void_p),
        ("cmdp", ctypes.c_void_p),
        ("sbp", ctypes.c_void_p),
        ("timeout", ctypes.c_uint),
        ("flags", ctypes.c_uint),
        ("pack_id", ctypes.c_int),
        ("usr_ptr", ctypes.c_void_p),
        ("status", ctypes.c_ubyte),
        ("masked_status", ctypes.c_ubyte),
        ("msg_status", ctypes.c_ubyte),
        ("sb_len_wr", ctypes.c_ubyte),
        ("host_status", ctypes.c_ushort),
        ("driver_status", ctypes.c_ushort),
        ("resid", ctypes.c_int),
        ("duration", ctypes.c_uint),
        ("info", ctypes.c_uint),
    )


_SG_IO = 0x2285
_NONE, _TO_DRIVE, _FROM_DRIVE = -1, -2, -3
_SENSE_SIZE = 64
_CHECK_CONDITION, _BUSY = 0x02, 0x08
#: Host statuses of Linux: what the kernel says where the drive said nothing.
_NO_CONNECT, _BUS_BUSY, _TIME_OUT = 1, 2, 3
_GONE = {errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.ESTALE, errno.EPIPE, errno.ECONNRESET, errno.EIO}


class SgIo:
    """A drive's device file.

    With `exclusive` nobody else who asks for the same gets it, burn programs and mounts included; opening it for
    reading alone still succeeds, which is why our own lock comes first.

    Raises:
        RecorderMissing: there is no such device.
        RecorderBusy: somebody else has it exclusively.
        RecorderNotAccessible: this user may not open it.
    """

    def __init__(self, path: Path, *, exclusive: bool = False) -> None:
        self._path = path
        flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_EXCL if exclusive else 0)
        try:
            self._handle = os.open(path, flags)
        except OSError as error:
            raise _open_error(path, error) from error

    def execute(self, command: Command) -> Answer:
        """Carry one command to the drive and its answer back."""
        cdb = ctypes.create_string_buffer(command.cdb, len(command.cdb))
        sense = ctypes.create_string_buffer(_SENSE_SIZE)
        size = command.receive or len(command.send)
        data = ctypes.create_string_buffer(command.send.ljust(size, b"\0"), size) if size else None
        header = _Header(
            interface_id=ord("S"),
            dxfer_direction=_FROM_DRIVE if command.receive else _TO_DRIVE if command.send else _NONE,
            cmd_len=len(command.cdb),
            mx_sb_len=_SENSE_SIZE,
            dxfer_len=size,
            dxferp=None if data is None else ctypes.addressof(data),
            cmdp=ctypes.addressof(cdb),
            sbp=ctypes.addressof(sense),
            timeout=int(command.timeout * 1000),
        )
        try:
            fcntl.ioctl(self._handle, _SG_IO, header)
        except OSError as error:
            raise self._failure(command, error) from error
        self._check(command, header)
        if header.status == _CHECK_CONDITION:
            return Answer(b"", parse_sense(sense.raw[: header.sb_len_wr]))
        received = b"" if data is None or not command.receive else data.raw[: max(0, size - header.resid)]
        return Answer(received)

    def close(self) -> None:
        """Let go of the device file."""
        if self._handle >= 0:
            with contextlib.suppress(OSError):  # a device that is gone can't be closed better
                os.close(self._handle)
            self._handle = -1

    def _failure(self, command: Command, error: OSError) -> DiscError:
        if error.errno in _GONE:
            return RecorderMissing(f"{self._path} is gone; see to the cable and the drive's power")
        if error.errno == errno.ENOTTY:
            return RecorderMissing(f"{self._path} is no drive")
        if error.errno in {errno.EPERM, errno.EACCES}:
            return RecorderNotAccessible(f"{self._path}: this user may not {command.doing}")
        return RecorderError(f"{self._path} can't {command.doing}: {error.strerror}")

    def _check(self, command: Command, header: _Header) -> None:
        if header.host_status == _TIME_OUT:
            raise RecorderStalled(f"{self._path} did not answer in {command.timeout:g} seconds ({command.doing})")
        if header.host_status in {_NO_CONNECT, _BUS_BUSY}:
            raise RecorderMissing(f"{self._path} is gone; see to the cable and the drive's power")
        if header.host_status:
            raise RecorderError(f"{self._path}: host status {header.host_status} ({command.doing})")
        if header.status == _BUSY:
            raise RecorderBusy(f"{self._path} is busy with another command")
        if header.status not in {0, _CHECK_CONDITION}:
            raise RecorderError(f"{self._path}: SCSI status {header.status:#x} ({command.doing})")


def _open_error(path: Path, error: OSError) -> DiscError:
    if error.errno == errno.EBUSY:
        return RecorderBusy(f"{path} is used by another program, or its disc is mounted")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return RecorderNotAccessible(f"{path} may not be opened; let this user be in group cdrom")
    return RecorderMissing(f"{path} is no drive: {error.strerror}")
