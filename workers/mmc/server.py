"""A modelled device on a socket, for programs that are loaded with the shim; the messages are told of in `shim.c`."""

import contextlib
import errno
import os
import socket
import struct
import threading
from pathlib import Path
from typing import Any, Protocol, Self

from workers.mmc.drive import Reply
from workers.mmc.mechanism import Body, Unplugged
from workers.mmc.refusals import fixed_sense

_HELLO, _COMMAND, _ANSWER = struct.Struct("<I"), struct.Struct("<III16s"), struct.Struct("<III")
_GOOD, _CHECK_CONDITION = 0, 2
#: Seconds within which a closed socket is noticed; closing a device file takes effect at once.
_CLOSING = 0.5


class Unit(Protocol):
    """A device that takes commands: a drive, a changer."""

    @property
    def mechanism(self) -> Body[Any]:
        """Its plug, its news, its faults."""

    def execute(self, cdb: bytes, data: bytes = b"") -> Reply:
        """Carry out a command.

        Raises:
            Unplugged: the device is not there.
        """


class DriveServer:
    """Serves one device on a Unix socket, in threads of its own, from entering to leaving."""

    def __init__(self, drive: Unit, path: Path) -> None:
        self.drive = drive
        self.path = path
        self._exclusive = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._connections: set[socket.socket] = set()
        self._stopped = False

    def __enter__(self) -> Self:
        """Serve from now on."""
        self._socket.bind(str(self.path))
        self._socket.listen()
        threading.Thread(target=self._accept, name="mmc", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving: whoever is connected finds the drive gone."""
        self._stopped = True
        self.drive.mechanism.script()
        for end in (self._socket, *self._connections):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while not self._stopped:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="mmc", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        exclusive = False
        try:
            with connection, contextlib.suppress(OSError, EOFError, Unplugged):
                wants, exclusive = self._greet(connection)
                while wants:
                    self._answer(connection)
        finally:
            self._connections.discard(connection)
            if exclusive:
                self._exclusive.release()

    def _greet(self, connection: socket.socket) -> tuple[bool, bool]:
        """Let a program in, alone if it asks for that; say whether it is in, and alone."""
        (flags,) = _HELLO.unpack(_receive(connection, _HELLO.size))
        wants = bool(flags & os.O_EXCL)
        if not self.drive.mechanism.is_plugged:
            connection.sendall(_HELLO.pack(errno.ENXIO))
            return False, False
        if wants and not self._exclusive.acquire(timeout=_CLOSING):
            connection.sendall(_HELLO.pack(errno.EBUSY))
            return False, False
        self.drive.mechanism.attention()
        connection.sendall(_HELLO.pack(0))
        return True, wants

    def _answer(self, connection: socket.socket) -> None:
        length, receive, send, cdb = _COMMAND.unpack(_receive(connection, _COMMAND.size))
        reply = self.drive.execute(cdb[: max(6, length)], _receive(connection, send))
        connection.sendall(_packed(reply, receive))


def _packed(reply: Reply, receive: int) -> bytes:
    if reply.sense is not None:
        sense = fixed_sense(reply.sense)
        return _ANSWER.pack(_CHECK_CONDITION, len(sense), 0) + sense
    data = reply.data[:receive]
    return _ANSWER.pack(_GOOD, 0, len(data)) + data


def _receive(connection: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = connection.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return bytes(data)
