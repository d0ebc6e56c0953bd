"""What a burner writes to: a medium behind one of several drivers, each a module that the plan names."""

import os
import select
import signal
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from jobs.errors import RecorderError
from jobs.mastering.image import FileRun
from workers.evidence import Plan, ProgressWriter

#: The module of each type of sink; its `open_sink(plan, cancel, progress)` makes one.
SINKS = {"emulated": "workers.recorders.emulated_sink", "libburn": "workers.recorders.libburn_sink"}


class Cancel:
    """Whether the burn was called off, by SIGTERM."""

    def __init__(self) -> None:
        self.requested = False
        self._wake: Callable[[], None] = lambda: None
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def listen(self) -> None:
        """Take SIGTERM for a cancel, and nothing a terminal sends."""
        signal.signal(signal.SIGTERM, self._note)
        for unwanted in (signal.SIGINT, signal.SIGHUP):
            signal.signal(unwanted, signal.SIG_IGN)

    def wait(self, seconds: float) -> bool:
        """Wait, at most until the burn is called off; say whether it is."""
        if not self.requested:
            select.select([self._reader], [], [], max(0.0, seconds))
        return self.requested

    def wakes(self, wake: Callable[[], None]) -> None:
        """Have something called, amid whatever is done, as soon as the burn is called off; or now if it was."""
        self._wake = wake
        if self.requested:
            wake()

    def _note(self, *_: object) -> None:
        if not self.requested:  # a pipe wakes a wait that the signal found half begun; a lock could not
            self.requested = True
            os.write(self._writer, b"!")
            self._wake()


class Sink(Protocol):
    """A session on a medium, from its first block to its closing. With a simulating plan it writes nothing."""

    @property
    def block(self) -> int:
        """The block of the medium that is written next."""

    @property
    def written(self) -> int:
        """Bytes of the session that were given to the drive."""

    @property
    def buffer_fill(self) -> float | None:
        """The share of the drive's buffer that is full, 0 to 1; None where the drive does not say."""

    def check(self) -> None:
        """Refuse, before anything is written, what could not succeed: another medium, another place on it.

        Raises:
            MediumError, RecorderError: why.
        """

    def open(self) -> None:
        """Begin the session."""

    def write(self, data: memoryview) -> None:
        """Write whole blocks; 32 at a time are usual.

        Raises:
            BurnCancelled: the burn was called off while the drive did not answer.
            MediumError, RecorderError: what happened.
        """

    def write_file(self, run: FileRun) -> None:
        """Write whole blocks of a file, without looking at them where that can be had; raises what `write` does.

        Raises:
            SourceChanged: they can't be read any more.
        """

    def close(self) -> None:
        """Close the session; it is on the medium when this returns.

        Raises:
            MediumError, RecorderError: what happened.
        """

    def abort(self) -> None:
        """Let go of a session that will not be closed."""


#: Makes a sink of a plan.
OpenSink = Callable[[Plan, Cancel, ProgressWriter], Sink]


def open_sink(plan: Plan, cancel: Cancel, progress: ProgressWriter) -> Sink:
    """Make the sink that a plan names; nothing is written yet.

    Raises:
        RecorderError: there is no such type.
    """
    return load_sink(str(plan.sink.get("type")))(plan, cancel, progress)


def load_sink(name: str) -> OpenSink:
    """Load the module of a type of sink, which takes a moment; return what makes one.

    Raises:
        RecorderError: there is no such type.
    """
    module = SINKS.get(name)
    if module is None:
        raise RecorderError(f"no sink of type {name!r}; there are {', '.join(SINKS)}")
    make: OpenSink = import_module(module).open_sink
    return make
