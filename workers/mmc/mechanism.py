"""What can be seen and touched of a modelled drive: its tray, its plug, the faults that wait in it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from workers.mmc.faults import Fault, Trouble
from workers.mmc.medium import Medium
from workers.mmc.refusals import BECOMING_READY, MEDIUM_CHANGED, NO_MEDIUM, RESET, TRAY_OPEN, Refused
from workers.recorders.scsi_sense import Sense

#: Media events that a drive tells of (MMC-6 table 320).
_NEW_MEDIUM, _MEDIUM_GONE = 2, 3
F = TypeVar("F")


class Unplugged(Exception):
    """The drive is not there any more."""


class Body(Generic[F]):
    """What any modelled device has: a plug, news for whoever asks next, faults that wait.

    One command or one hand has it at a time.
    """

    def __init__(self) -> None:
        self.faults: list[F] = []
        self.is_locked = False
        self.is_plugged = True
        self.attentions: list[Sense] = []
        self._changed = threading.Condition()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the device alone; a command that hangs looks anew afterwards."""
        with self._changed:
            yield
            self._changed.notify_all()

    def hang_while(self, stuck: Callable[[], bool]) -> None:
        """Let others at the device while something is so; the caller holds it."""
        self._changed.wait_for(lambda: not stuck())

    def script(self, *faults: F) -> None:
        """Let these faults wait, instead of those that waited before."""
        with self.held():
            self.faults = list(faults)

    def unplug(self) -> None:
        """Make the device vanish."""
        with self.held():
            self.is_plugged = False

    def replug(self) -> None:
        """Bring it back, unlocked."""
        with self.held():
            self.is_plugged, self.is_locked = True, False
            self.attentions.append(RESET)

    def reset(self) -> None:
        """Take a reset of the bus: the door is unlocked, and the next command is told."""
        with self.held():
            self.is_locked = False
            self.attentions.append(RESET)

    def attention(self) -> Sense | None:
        """Take the next unit attention, as the kernel does when a program opens the device."""
        with self.held():
            return self.attentions.pop(0) if self.attentions else None


class Mechanism(Body[Fault]):
    """A drive's mechanism; `busy` TEST UNIT READYs find it spinning up."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: Medium | None = None
        self.is_open = False
        self.busy = 0
        self.event = 0
        self.loads = 0

    @property
    def present(self) -> Medium | None:
        """The medium if the tray is closed on it."""
        return None if self.is_open else self.loaded

    @property
    def medium(self) -> Medium:
        """The medium that commands are about.

        Raises:
            Refused: there is none.
        """
        if self.is_open:
            raise Refused(TRAY_OPEN)
        if self.loaded is None:
            raise Refused(NO_MEDIUM)
        return self.loaded

    # By hand.

    def insert(self, medium: Medium, busy: int = 0) -> None:
        """Put a medium in and close the tray."""
        with self.held():
            self.loaded, self.is_open, self.busy = medium, False, busy
            self._medium_changed(_NEW_MEDIUM)

    def remove(self) -> Medium | None:
        """Take the medium out, whatever the drive does, and close the tray."""
        with self.held():
            medium, self.is_open = self.loaded, False
            self.lose_medium()
            return medium

    def push_in(self) -> None:
        """Close the tray on what lies in it."""
        with self.held():
            self.move_tray(out=False)

    # By command, held.

    def check_ready(self) -> None:
        """Refuse without a medium, and while one spins up.

        Raises:
            Refused: it is so.
        """
        self.check_medium()
        if self.busy:
            self.busy -= 1
            raise Refused(BECOMING_READY)

    def check_medium(self) -> None:
        """Refuse without a medium.

        Raises:
            Refused: there is none.
        """
        if self.is_open:
            raise Refused(TRAY_OPEN)
        if self.loaded is None:
            raise Refused(NO_MEDIUM)

    def move_tray(self, *, out: bool) -> None:
        """Open or close the tray."""
        if self.is_open != out:
            self.is_open = out
            self._medium_changed(_MEDIUM_GONE if out else _NEW_MEDIUM)

    def lose_medium(self) -> None:
        """Have no medium any more."""
        self.loaded = None
        self._medium_changed(_MEDIUM_GONE)

    def bites(self, trouble: Trouble) -> bool:
        """Say whether a trouble that needs no block waits."""
        return any(fault.trouble is trouble for fault in self.faults)

    def faults_in(self, first: int, end: int) -> list[Fault]:
        """Return the faults that wait at blocks from `first` up to `end`, in order."""
        waiting = (fault for fault in self.faults if fault.trouble.has_block and first <= fault.block < end)
        return sorted(waiting, key=lambda fault: fault.block)

    def _medium_changed(self, event: int) -> None:
        self.attentions.append(MEDIUM_CHANGED)
        self.event = event
        self.loads += 1
