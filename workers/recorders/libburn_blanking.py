"""Blanking a rewritable medium with xorriso."""

import time
from pathlib import Path

from jobs.errors import BurnCancelled
from jobs.mastering.medium import BLOCK, MediumInfo
from jobs.mastering.progress import EraseProgress, ProgressListener
from jobs.settings import program_environment
from workers.recorders.burn_events import Ear
from workers.recorders.burn_program import BurnProgram
from workers.recorders.libburn_command import blank_command
from workers.recorders.xorriso_output import read_line

#: Seconds between two reports.
_PULSE = 0.25
#: Seconds that a quick blanking takes, about.
_QUICK = 60.0


class Blanking:
    """One blanking; the program inherits the descriptor of the drive's lock, which the caller holds."""

    def __init__(self, node: Path, medium: MediumInfo, listener: ProgressListener, lock: int) -> None:
        self._node = node
        self._lock = lock
        self._medium = medium
        self._ear = Ear(listener)
        self._began = self._told = time.monotonic()
        self._program: BurnProgram | None = None

    def run(self, *, full: bool) -> None:
        """Blank: what leads to the content, or all of it.

        Raises:
            BurnCancelled: a listener called it off; the medium has to be blanked again.
            MediumError, RecorderError: what went wrong.
        """
        at_1x = self._medium.capacity * BLOCK / self._medium.kind.family.speed_1x
        estimate = at_1x / 4 if full else _QUICK
        self._ear.notify(EraseProgress(0.0, estimate))
        if self._ear.query_cancel():
            raise BurnCancelled("blanking was called off before it began")
        command = blank_command(str(self._node), full=full)
        environment = program_environment()
        self._program = BurnProgram(command, read_line, Path("/"), [self._lock], environment=environment, fed=False)
        error = self._program.wait(lambda: self._pulse(estimate))
        if error is not None:
            raise error

    def _pulse(self, estimate: float) -> None:
        now = time.monotonic()
        if now - self._told < _PULSE:
            return
        self._told = now
        self._ear.notify(EraseProgress(round(now - self._began, 3), estimate))
        if self._program is not None and self._ear.query_cancel():
            self._program.call_off()
