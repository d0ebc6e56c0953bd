"""A host in a network namespace of its own, and the wire to it: a pair of virtual interfaces, one of which goes down.

What is sent meanwhile is lost and sent again by the kernel, as on a network. Takes root, as CI is.
"""

import os
import socket
import subprocess
import threading
from pathlib import Path
from typing import Self

from tests.cable import pass_on_both_ways


class Wire:
    """A namespace whose programs reach the near host's sockets by TCP, at `address` and their ports."""

    def __init__(self, ends: dict[int, Path]) -> None:
        number = os.getpid() % 4000
        self.namespace = f"dm-far-{number}"
        self.address = f"10.213.{number // 63}.{number % 63 * 4 + 1}"
        self._interface = f"dm-near-{number}"
        self._ends = ends
        self._doors: list[socket.socket] = []

    @property
    def prefix(self) -> list[str]:
        """What a command begins with that is to run there."""
        return ["ip", "netns", "exec", self.namespace]

    def pull(self) -> None:
        """Take the near end down."""
        _ip("link", "set", self._interface, "down")

    def plug(self) -> None:
        """Bring it up again; what is on its way arrives late."""
        _ip("link", "set", self._interface, "up")

    def __enter__(self) -> Self:
        far = self.address.rpartition(".")
        _ip("netns", "add", self.namespace)
        _ip("link", "add", self._interface, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        _ip("address", "add", f"{self.address}/30", "dev", self._interface)
        _ip("-n", self.namespace, "address", "add", f"{far[0]}.{int(far[2]) + 1}/30", "dev", "eth0")
        for name in ("eth0", "lo"):
            _ip("-n", self.namespace, "link", "set", name, "up")
        self.plug()
        for port, to in self._ends.items():
            door = socket.create_server((self.address, port))
            self._doors.append(door)
            threading.Thread(target=_welcome, args=(door, to), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for door in self._doors:
            door.shutdown(socket.SHUT_RDWR)
            door.close()
        _ip("link", "delete", self._interface)
        _ip("netns", "delete", self.namespace)


def _welcome(door: socket.socket, to: Path) -> None:
    while True:
        try:
            here, _ = door.accept()
        except OSError:
            return
        threading.Thread(target=pass_on_both_ways, args=(here, to), daemon=True).start()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
