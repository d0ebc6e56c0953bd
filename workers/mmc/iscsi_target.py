"""Modelled drives over iSCSI, so that a real kernel's driver, or any other initiator, can stand before them.

There is no authentication: whoever reaches the port has the drives. It listens on the loopback interface if not told
otherwise. Every drive is a target of its own, with one logical unit; a session has one connection.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Sequence
from functools import partial
from typing import Self

from workers.mmc.drive import Drive
from workers.mmc.iscsi_login import LoginStatus, LoginTalk
from workers.mmc.iscsi_requests import Login, Logout, NopOut, ProtocolError, Request, Text
from workers.mmc.iscsi_responses import Maker, login_response, logout_response, nop_in, text_response
from workers.mmc.iscsi_session import Session
from workers.mmc.iscsi_text import LONGEST_SEGMENT, format_text, parse_text
from workers.mmc.iscsi_wire import Wire

LOOPBACK, PORT = "127.0.0.1", 3260
#: Connections at a time, and seconds that a login may take.
_MOST_CONNECTIONS, _LOGIN_DEADLINE = 16, 10.0
_HANDLES = 1 << 16


def target_name(drive: Drive) -> str:
    """Return the iSCSI name of a drive (RFC 7143 4.2.7): made of its serial number, the same wherever it is served."""
    return "iqn.2026-01.localhost:discmill." + re.sub(r"[^a-z0-9.-]", "-", drive.serial.lower())


class IscsiTarget:
    """Serves drives on a port, in threads of its own, from entering to leaving. Port 0 is one that is free."""

    def __init__(self, drives: Sequence[Drive], host: str = LOOPBACK, port: int = 0) -> None:
        self._drives = {target_name(drive): drive for drive in drives}
        self._socket = socket.create_server((host, port))
        self._connections: set[socket.socket] = set()
        self._sessions: dict[tuple[str, bytes, str], Wire] = {}
        self._lock = threading.Lock()
        self._handles = 0
        self._stopped = threading.Event()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._socket.getsockname()[:2]
        return str(host), int(port)

    def url(self, drive: Drive) -> str:
        """Return how libiscsi and QEMU name a drive."""
        return "iscsi://{}:{}/{}/0".format(*self.address, target_name(drive))

    def __enter__(self) -> Self:
        """Serve from now on."""
        threading.Thread(target=self._accept, name="mmc-iscsi", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving: whoever is connected finds the drives gone."""
        self._stopped.set()
        for drive in self._drives.values():
            drive.mechanism.script()
        with self._lock:
            ends = [self._socket, *self._connections]
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                is_welcome = not self._stopped.is_set() and len(self._connections) < _MOST_CONNECTIONS
                if is_welcome:
                    self._connections.add(connection)
            if is_welcome:
                threading.Thread(target=self._serve, args=(connection,), name="mmc-iscsi", daemon=True).start()
            else:
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        wire = Wire(connection)
        try:
            with connection, contextlib.suppress(OSError, EOFError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(_LOGIN_DEADLINE)
                try:
                    self._talk(wire, connection)
                except ProtocolError as error:
                    wire.reject(error)
        finally:
            with self._lock:
                self._connections.discard(connection)
                self._sessions = {key: line for key, line in self._sessions.items() if line is not wire}

    def _talk(self, wire: Wire, connection: socket.socket) -> None:
        talk = self._log_in(wire)
        if talk is None:
            return
        connection.settimeout(None)
        wire.longest = LONGEST_SEGMENT
        if talk.is_discovery:
            self._discover(wire)
        else:
            Session(wire, self._drives[talk.target], talk.terms).serve()

    # Who comes in.

    def _log_in(self, wire: Wire) -> LoginTalk | None:
        """Let an initiator in; None if it may not."""
        talk = LoginTalk(self._find)
        while True:
            request = wire.receive()
            if not isinstance(request, Login):
                raise ProtocolError(f"{type(request).__name__} before the login was over")
            wire.begin(request.number)
            status, answers = talk.hear(request)
            handle = self._admit(wire, talk, request) if talk.is_over else 0
            told = format_text(answers)
            wire.send(partial(login_response, request=request, handle=handle, status=status, data=told))
            if status:
                return None
            if talk.is_over:
                return talk

    def _find(self, name: str) -> LoginStatus:
        drive = self._drives.get(name)
        if drive is None:
            return LoginStatus.NOT_FOUND
        return LoginStatus.GOOD if drive.mechanism.is_plugged else LoginStatus.UNAVAILABLE

    def _admit(self, wire: Wire, talk: LoginTalk, request: Login) -> int:
        """Give a session its handle; an initiator that comes again ends the session it had (RFC 7143 6.3.5)."""
        key = talk.initiator, request.session, talk.target
        with self._lock:
            before = self._sessions.get(key)
            self._sessions[key] = wire
            self._handles = self._handles % (_HANDLES - 1) + 1
            handle = self._handles
        if before is not None:
            before.close()
        return handle

    # What initiators that look for targets are told.

    def _discover(self, wire: Wire) -> None:
        while True:
            request = wire.receive()
            if not wire.count(request):
                continue
            wire.send(self._answer(request))
            if isinstance(request, Logout):
                return

    def _answer(self, request: Request) -> Maker:
        match request:
            case Text():
                listed = self._listed(parse_text(request.data).get("SendTargets", ""))
                return partial(text_response, tag=request.tag, data=listed)
            case NopOut():
                return partial(nop_in, request=request)
            case Logout():
                return partial(logout_response, tag=request.tag)
            case _:
                raise ProtocolError(f"{type(request).__name__} where targets are looked for")

    def _listed(self, wanted: str) -> bytes:
        """Name the targets that are there, each with its address."""
        there = [name for name, drive in self._drives.items() if drive.mechanism.is_plugged]
        address = "{}:{},1".format(*self.address)
        rows = [("TargetName", name, "TargetAddress", address) for name in there if wanted in {"All", name}]
        return b"".join(format_text({first: name, second: where}) for first, name, second, where in rows)
