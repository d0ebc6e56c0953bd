"""Runs checks side by side, each in a process of its own: one that hangs in a dead disk or drive is left behind.

A thread would not do: a process with a thread that the kernel holds can't end, and who waits for it hangs as well.
"""

import contextlib
import json
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from jobs.masking import mask
from workers.doctor.findings import Check, Finding, Grade, failing

#: What a process says: JSON objects, a line each.
Words = Iterable[dict[str, Any]]
#: Bytes read at a time; what is said last, so that a process that died is told from one that is through.
_PIECE, _DONE = 1 << 16, b"done"


def examine(checks: Sequence[Check]) -> list[Finding]:
    """Make all checks at once; return what they found, in their order. Nothing of it is a secret."""
    running = [_Running.start(lambda check=check: map(_masked, check.look()), check.deadline) for check in checks]  # type: ignore[misc]
    _hear_out(running)
    return [finding for check, one in zip(checks, running, strict=True) for finding in _findings(check, one)]


def fetch(look: Callable[[], Words], deadline: float) -> list[dict[str, Any]]:
    """Ask something that may hang; nothing if it does, or breaks off."""
    running = _Running.start(look, deadline)
    _hear_out([running])
    return list(running.words()) if running.is_through else []


def _masked(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "seen": mask(finding.seen), "remedy": mask(finding.remedy)}


def _findings(check: Check, running: "_Running") -> Iterator[Finding]:
    for facts in running.words():
        yield Finding(facts["check"], Grade(facts["grade"]), facts["seen"], facts["remedy"])
    if running.hung:
        seen = f"gave no answer in {check.deadline:g} seconds"
        yield failing(check.name, seen, "see to the disk, the device or the server that it asks: that hangs")
    elif not running.is_through:
        yield failing(check.name, "the check itself broke off", "report it as a bug, with what it printed")


@dataclass(slots=True)
class _Running:
    """A process under way, and what it has said so far."""

    pid: int
    pipe: int
    give_up: float
    said: bytes = b""
    is_over: bool = False
    hung: bool = False

    @classmethod
    def start(cls, look: Callable[[], Words], deadline: float) -> "_Running":
        """Fork; the child says what it sees, and leaves without tidying up what is the parent's."""
        out, into = os.pipe()
        pid = os.fork()
        if pid == 0:
            _say(look, into)
        os.close(into)
        return cls(pid, out, time.monotonic() + deadline)

    @property
    def is_through(self) -> bool:
        """True if it came to its own end."""
        return self.said.endswith(_DONE)

    def words(self) -> Iterator[dict[str, Any]]:
        """Yield what it said in whole."""
        yield from map(json.loads, self.said.split(b"\n")[:-1])

    def hear(self) -> None:
        """Take what was said."""
        piece = os.read(self.pipe, _PIECE)
        self.said += piece
        if not piece:
            self._end()

    def lose_patience(self) -> None:
        """Leave it behind; what the kernel holds can't even be killed."""
        self.hung = True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._end()

    def _end(self) -> None:
        self.is_over = True
        os.close(self.pipe)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, os.WNOHANG if self.hung else 0)


def _say(look: Callable[[], Words], into: int) -> NoReturn:
    try:
        for facts in look():
            os.write(into, f"{json.dumps(facts)}\n".encode())
        os.write(into, _DONE)
    except BaseException:  # noqa: BLE001  (whatever it is, the parent finds the last word missing)
        os.write(2, mask(traceback.format_exc()).encode(errors="replace"))
    finally:
        os._exit(0)


def _hear_out(running: Sequence[_Running]) -> None:
    """Listen until each has ended, or its patience has."""
    while waiting := [one for one in running if not one.is_over]:
        soonest = min(one.give_up for one in waiting)
        heard, _, _ = select.select([one.pipe for one in waiting], [], [], max(0.0, soonest - time.monotonic()))
        for one in waiting:
            if one.pipe in heard:
                one.hear()
            elif time.monotonic() >= one.give_up:
                one.lose_patience()
