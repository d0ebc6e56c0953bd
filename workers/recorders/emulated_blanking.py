"""The emulated drive's eraser: makes a rewritable medium blank again, for as long as that takes."""

import os
import time
from collections.abc import Callable

from jobs.errors import BurnCancelled
from jobs.mastering.medium import BLOCK
from jobs.mastering.progress import EraseProgress
from workers.recorders.burn_events import Ear
from workers.recorders.emulated_medium import Medium, MediumFolder
from workers.recorders.emulated_sessions import being_erased, erased

#: Blocks that a quick erasing takes the time of: six seconds at 1x of a CD, where real drives take a minute.
_QUICK_BLOCKS = 450
#: Seconds between two reports, each with a question whether to cancel.
_STEP = 0.25


def estimate(medium: Medium, rate: float | None, *, full: bool) -> float:
    """Return the seconds that erasing takes at so many bytes a second."""
    blocks = medium.capacity if full else _QUICK_BLOCKS
    return 0.0 if rate is None else blocks * BLOCK / rate


class Erasing:
    """One erasing of a medium. `look` is called now and then; what it raises breaks the erasing off."""

    def __init__(self, folder: MediumFolder, ear: Ear, look: Callable[[], object]) -> None:
        self._folder = folder
        self._ear = ear
        self._look = look

    def run(self, seconds: float, *, full: bool) -> None:
        """Erase within so many seconds: the way to the content, or the content too if `full`.

        Raises:
            MediumUnsuitable: the medium is write-once.
            BurnCancelled: the listener called it off; the medium has to be erased again unless that was at once.
        """
        going = being_erased(self._folder.load())
        self._ear.notify(EraseProgress(0.0, seconds))
        self._heed_cancel()
        self._folder.log("blanking", full=full)
        self._folder.save(going)
        self._spend(seconds)
        if full:
            _zero(self._folder, going.capacity)
        blank = erased(going, full=full)
        self._folder.log("blanked", erases=blank.erases)
        self._folder.save(blank)

    def _spend(self, seconds: float) -> None:
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds:
            time.sleep(min(_STEP, seconds - elapsed))
            self._look()
            self._heed_cancel()
            self._ear.notify(EraseProgress(round(time.monotonic() - began, 3), seconds))

    def _heed_cancel(self) -> None:
        if self._ear.query_cancel():
            raise BurnCancelled("erasing was called off; a medium that was begun has to be erased again")


def _zero(folder: MediumFolder, capacity: int) -> None:
    """Make all of the medium zeros, which as a hole take no room."""
    with folder.data.open("wb") as data:
        os.ftruncate(data.fileno(), capacity * BLOCK)
        os.fsync(data.fileno())
