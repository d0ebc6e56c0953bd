"""Who changes the discs while a recorder is tried out: a person at the terminal, or an emulated feeder."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TextIO

from jobs.cli.console import say
from jobs.errors import DiscError
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import MediumKind
from jobs.mastering.recorder import Bin, Device
from workers.recorders.emulated_drive import EmulatedDrive

_CHOICES = "Enter: done, s: skip this step, q: end here"


class Skipped(Exception):
    """The operator leaves this step out."""


class Ended(Exception):
    """The operator wants no more steps."""


class Hands(Protocol):
    """What moves discs and spoils one. Each method may raise Skipped and Ended."""

    def bring(self, kinds: Sequence[MediumKind], why: str) -> None:
        """Put a blank of one of these kinds into the tray; `why` says what was wrong with the last one."""

    def scratch(self, master: StoredMaster) -> None:
        """Damage the disc in the tray that carries a master, and put it back in."""

    def mend(self) -> None:
        """Undo what can be undone of a damage."""

    def take_out(self, label: str, *, good: bool) -> None:
        """Take the disc out and keep it under a label."""


class Person:
    """An operator, asked over the terminal; what is typed comes from `answers`."""

    def __init__(self, device: Device, answers: TextIO = sys.stdin) -> None:
        self._device = device
        self._answers = answers

    def bring(self, kinds: Sequence[MediumKind], why: str) -> None:
        """Ask for a disc."""
        if why:
            say(f"  {why}")
        self._ask(f"  Put a blank {' or '.join(kinds)} into the drive and close its tray.")

    def scratch(self, master: StoredMaster) -> None:  # noqa: ARG002  (a person scratches all of it)
        """Ask for scratches."""
        self._device.recorder.eject()
        self._ask(
            "  Take the disc, scratch it deeply across the side that is read (a CD: across the label), several times, "
            "and put it back in."
        )

    def mend(self) -> None:
        """Leave it: scratches stay."""

    def take_out(self, label: str, *, good: bool) -> None:
        """Open the tray and say what to write on the disc."""
        try:
            self._device.loader.unload(Bin.ACCEPT if good else Bin.REJECT, label)
        except DiscError as error:
            say(f"  {error.message}")
        say(f"  Take the disc out and write on it: {label}")

    def _ask(self, request: str) -> None:
        say(f"{request} [{_CHOICES}]")
        answer = self._answers.readline()
        word = answer.strip().lower()
        if word == "s":
            raise Skipped
        if word == "q" or not answer:
            raise Ended


class Feeder:
    """The hands of an emulated recorder, which are its feeder and its scripted faults."""

    def __init__(self, device: Device, folder: Path) -> None:
        self._device = device
        self._drive = EmulatedDrive(folder)

    def bring(self, kinds: Sequence[MediumKind], why: str) -> None:
        """Load a blank, once.

        Raises:
            Skipped: the feeder has none, or its blank will not do.
        """
        stock = self._device.loader.stock()
        kind = next((kind for kind in kinds if kind in stock), None)
        if kind is None or why:
            raise Skipped(why or f"the feeder has no {' or '.join(kinds)}")
        self._device.loader.load(kind)

    def scratch(self, master: StoredMaster) -> None:
        """Let a block in the midst be unreadable."""
        self._drive.add_fault(f"read-error@{master.blocks // 2}")

    def mend(self) -> None:
        """Forget that fault, and all others."""
        self._drive.clear_faults()

    def take_out(self, label: str, *, good: bool) -> None:
        """Put the disc on the shelf."""
        self._device.loader.unload(Bin.ACCEPT if good else Bin.REJECT, label)
