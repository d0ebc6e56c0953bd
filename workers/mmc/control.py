"""Handling a modelled drive from outside its process: a line of JSON on a socket, a line back.

| request | |
|---|---|
| `{"do": "insert", "kind": "cd-r", "capacity": 5000}` | put a blank in; without a capacity, one as large as usual |
| `{"do": "close"}` | close the tray on what lies in it |
| `{"do": "remove"}` `{"do": "unplug"}` `{"do": "replug"}` | |
| `{"do": "fault", "specs": ["write-error@700"]}` | let these faults wait, and no others |
| `{"do": "state"}` | only tell |

The answer is `{"ok": true, …}` with what the drive looks like now, or `{"ok": false, "message": …}`.
"""

import contextlib
import json
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from jobs.errors import DiscError, OrderError
from jobs.mastering.medium import MediumKind
from workers.mmc.drive import Drive
from workers.mmc.faults import parse_fault
from workers.mmc.shelf import Shelf

Request = dict[str, Any]


class ControlServer:
    """Lets others handle a drive, from entering to leaving; blanks come from the shelf."""

    def __init__(self, drive: Drive, shelf: Shelf, path: Path) -> None:
        self._hands: dict[str, Callable[[Request], object]] = {
            "insert": lambda asked: drive.mechanism.insert(shelf.blank(*_blank(asked))),
            "close": lambda _: drive.mechanism.push_in(),
            "remove": lambda _: drive.mechanism.remove(),
            "unplug": lambda _: drive.mechanism.unplug(),
            "replug": lambda _: drive.mechanism.replug(),
            "fault": lambda asked: drive.mechanism.script(*map(parse_fault, asked.get("specs", []))),
            "state": lambda _: None,
        }
        self._drive = drive
        self._path = path
        self._server = _Server(str(path), self._carry_out)

    def __enter__(self) -> Self:
        """Serve from now on."""
        threading.Thread(target=self._server.serve_forever, name="mmc-control", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._path.unlink(missing_ok=True)

    def _carry_out(self, line: bytes) -> Request:
        try:
            asked = json.loads(line)
            hand = self._hands.get(asked.get("do"))
            if hand is None:
                return _refusal(f"unknown request {asked.get('do')!r}; there are {', '.join(self._hands)}")
            hand(asked)
        except DiscError as error:
            return _refusal(error.message)
        except (AttributeError, TypeError, ValueError) as error:
            return _refusal(f"not a request: {error}")
        return {"ok": True, **state_of(self._drive)}


def state_of(drive: Drive) -> Request:
    """Say what a drive looks like."""
    mechanism = drive.mechanism
    with mechanism.held():
        medium = mechanism.loaded
        return {
            "serial": drive.serial,
            "plugged": mechanism.is_plugged,
            "open": mechanism.is_open,
            "locked": mechanism.is_locked,
            "faults": [str(fault) for fault in mechanism.faults],
            "medium": None
            if medium is None
            else {
                "kind": medium.kind,
                "file": medium.file,
                "blank": medium.is_blank,
                "finalized": medium.finalized,
                "sessions": medium.sessions,
                "tracks": len(medium.tracks),
                "written": sum(track.blocks for track in medium.tracks),
                "next_writable": medium.next_writable,
                "free_blocks": medium.free_blocks,
            },
        }


def _blank(asked: Request) -> tuple[MediumKind, int | None]:
    kind, capacity = asked.get("kind"), asked.get("capacity")
    if kind not in set(MediumKind):
        raise OrderError(f"unknown medium {kind!r}; choose one of {', '.join(MediumKind)}")
    if capacity is not None and (not isinstance(capacity, int) or capacity < 1):
        raise OrderError(f"capacity {capacity!r}: not a number of blocks")
    return MediumKind(kind), capacity


def _refusal(message: str) -> Request:
    return {"ok": False, "message": message}


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, carry_out: Callable[[bytes], Request]) -> None:
        self.carry_out = carry_out
        super().__init__(path, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Answer line by line."""
        with contextlib.suppress(ConnectionError):
            for line in self.rfile:
                answer = self.server.carry_out(line)
                self.wfile.write(f"{json.dumps(answer)}\n".encode())
