"""One connection of iSCSI: whole messages in, numbered answers out."""

import contextlib
import socket
import threading
from functools import partial

from workers.mmc.iscsi_requests import HEADER, WORD, ProtocolError, Request, parse_length, parse_request
from workers.mmc.iscsi_responses import Maker, Numbers, reject
from workers.mmc.iscsi_text import FIRST_SEGMENT

#: Commands that may be under way in a session; with their data they bound the memory that it takes.
WINDOW = 16
_NUMBERS = 1 << 32


class Wire:
    """A connection; its answers may come from several threads. `longest` is how much data a message may bring."""

    def __init__(self, connection: socket.socket) -> None:
        self.longest = FIRST_SEGMENT
        self.expected = 0
        self.under_way = 0
        self._connection = connection
        self._header = b""
        self._status = 1
        self._lock = threading.Lock()

    def receive(self) -> Request:
        """Wait for a message.

        Raises:
            EOFError: the initiator is gone.
            ProtocolError: it is no message that may come.
            OSError: the connection broke.
        """
        self._header = self._take(HEADER)
        length = parse_length(self._header, self.longest)
        return parse_request(self._header, self._take(length + -length % WORD)[:length])

    def _take(self, size: int) -> bytes:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            got = self._connection.recv_into(view)
            if not got:
                raise EOFError
            view = view[got:]
        return bytes(data)

    def begin(self, number: int) -> None:
        """Count commands from a number on."""
        self.expected = number

    def count(self, request: Request) -> bool:
        """Take the number of a request; False if it is one that is to be ignored, or was heard before.

        Raises:
            ProtocolError: one before it is missing.
        """
        if request.immediate:
            return True
        ahead = (request.number - self.expected) % _NUMBERS
        if ahead >= WINDOW - self.under_way:
            return False
        if ahead:
            raise ProtocolError(f"command {request.number} came where {self.expected} was due")
        with self._lock:
            self.expected = (self.expected + 1) % _NUMBERS
        return True

    def begin_task(self) -> None:
        """Count a command as under way."""
        with self._lock:
            self.under_way += 1

    def end_task(self) -> None:
        """Count a command as done, before its answer goes out."""
        with self._lock:
            self.under_way -= 1

    def send(self, make: Maker, *, has_status: bool = True) -> None:
        """Send an answer that is made with the numbers of the moment; one with a status has a number of its own.

        Raises:
            OSError: the connection broke.
        """
        with self._lock:
            last = (self.expected + WINDOW - self.under_way - 1) % _NUMBERS
            message = make(Numbers(self._status, self.expected, last))
            self._status = (self._status + has_status) % _NUMBERS
            self._connection.sendall(message)

    def reject(self, error: ProtocolError) -> None:
        """Tell an initiator that the message that was heard last breaks the rules.

        Raises:
            OSError: the connection broke.
        """
        self.send(partial(reject, reason=error.reason, header=self._header))

    def close(self) -> None:
        """End the connection, for whoever waits at it too."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
