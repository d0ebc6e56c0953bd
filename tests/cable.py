"""A cable between a host and its servers: everything passes through it until it is pulled, and goes on when it is back.

As on a network: who waits for an answer hears nothing, and nobody is told that the connection is gone.
"""

import contextlib
import os
import socket
import threading
from pathlib import Path
from typing import Self

_PIECE = 1 << 16


class Cable:
    """Sockets in a folder, each leading to another one as long as the cable is in."""

    def __init__(self, folder: Path, ends: dict[str, Path]) -> None:
        self.folder = folder
        self._is_in = threading.Event()
        self._is_in.set()
        self._open: list[socket.socket] = []
        self._closed = False
        folder.mkdir()
        folder.chmod(0o755)
        for name, to in ends.items():
            door = socket.socket(socket.AF_UNIX)
            door.bind(os.fspath(folder / name))
            door.listen()
            self._open.append(door)
            threading.Thread(target=self._welcome, args=(door, to), daemon=True).start()

    def pull(self) -> None:
        """Cut the host off."""
        self._is_in.clear()

    def plug(self) -> None:
        """Connect it again; what was on its way arrives late."""
        self._is_in.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._is_in.set()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _welcome(self, door: socket.socket, to: Path) -> None:
        while not self._closed:
            try:
                here, _ = door.accept()
            except OSError:
                return
            self._open.append(here)
            threading.Thread(target=self._connect, args=(here, to), daemon=True).start()

    def _connect(self, here: socket.socket, to: Path) -> None:
        self._is_in.wait()
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(os.fspath(to))
        except OSError:
            here.close()
            return
        self._open.append(there)
        threading.Thread(target=self._pass_on, args=(there, here), daemon=True).start()
        self._pass_on(here, there)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                self._is_in.wait()
                target.sendall(piece)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def pass_on_both_ways(here: socket.socket, to: Path) -> None:
    """Let everything through between a connection and a socket of this host, until either ends."""
    with here, socket.socket(socket.AF_UNIX) as there, contextlib.suppress(OSError):
        there.connect(os.fspath(to))
        back = threading.Thread(target=_pump, args=(there, here), daemon=True)
        back.start()
        _pump(here, there)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
