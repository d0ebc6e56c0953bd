"""Puts discs into modelled drives, from within the guest: `python -m tests.kernel.hands SERIAL REQUEST-AS-JSON`.

Each drive's control socket (`workers.mmc.control`) is a port of the guest, called by the drive's serial number.
"""

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

_PORTS = Path("/sys/class/virtio-ports")


class Hands:
    """Handles one drive; several threads may."""

    def __init__(self, serial: str) -> None:
        name = next(port.name for port in _PORTS.iterdir() if (port / "name").read_text().strip() == serial)
        self._port = os.open(f"/dev/{name}", os.O_RDWR)
        self._lock = threading.Lock()

    def do(self, what: str, **facts: object) -> dict[str, Any]:
        """Do something; return what the drive looks like then."""
        with self._lock:
            os.write(self._port, json.dumps({"do": what, **facts}).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                line += os.read(self._port, 4096)
        answer: dict[str, Any] = json.loads(line)
        assert answer["ok"], answer
        return answer


if __name__ == "__main__":
    serial, request = sys.argv[1:]
    sys.stdout.write(json.dumps(Hands(serial).do(**{"what": (asked := json.loads(request)).pop("do"), **asked})) + "\n")
