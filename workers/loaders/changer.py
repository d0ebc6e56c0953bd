"""A SCSI changer: blanks from its slots into a drive, finished discs to slots of their own.

Several recorders share one changer; each sees its own drive. Everything is done under the robot's lock, and each move
is written down before and after, so that whoever comes next knows where every disc is, or where to look.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from jobs.errors import (
    DiscError,
    DriveOccupied,
    InputEmpty,
    MechanismFault,
    MediumError,
    MediumMissing,
    OutputFull,
    RecorderBusy,
    RecorderStalled,
    RecorderUnsuitable,
)
from jobs.mastering.medium import MediumInfo, MediumKind
from jobs.mastering.recorder import Bin
from workers.loaders.changer_uri import Shelving, format_slots
from workers.loaders.mtx import Mtx
from workers.loaders.mtx_output import Element, Elements
from workers.loaders.robot_journal import Discs, Errand, Journal, Move
from workers.locks import FileLock

#: Seconds: to wait for the arm while it serves another drive, until a move that failed is tried again.
_WAIT, _PAUSE = 60.0, 60.0
_BLANKS = {Errand.LOAD, Errand.RETURN}


class ServedDrive(Protocol):
    """A drive whose tray the changer reaches into."""

    def probe(self) -> MediumInfo | None:
        """Say what is in the tray; None if nothing is, or it is open."""

    def eject(self) -> None:
        """Open the tray."""

    def load(self) -> None:
        """Close the tray, and wait until what is on it can be used."""


class Whereabouts(StrEnum):
    """Where a disc is whose move was begun."""

    SOURCE = "source"
    TARGET = "target"
    NOWHERE = "nowhere"  #: in the arm, or in somebody's hand


@dataclass(slots=True)
class Robot:
    """A changer while its lock is ours: what is where by its own word, and by the journal."""

    name: str
    lock: int
    elements: Elements
    discs: Discs
    journal: Journal

    def note(self, discs: Discs) -> None:
        """Write down what is known from now on."""
        self.journal.write(discs)
        self.discs = discs

    def is_free(self, slot: int, drive: int) -> bool:
        """Say whether a drive's disc can go to a slot."""
        return not self.elements.slots[slot].full and slot not in self.discs.promised(drive)

    def blanks(self, shelving: Shelving) -> dict[int, MediumKind]:
        """Return the slots with blanks, and their kinds, in the order in which they are used up."""
        promised = self.discs.promised(shelving.drive)
        return {
            slot: MediumKind(self.discs.kinds.get(slot, kind))
            for slot, kind in shelving.inputs.items()
            if self.elements.slots[slot].full and slot not in promised
        }


@dataclass(frozen=True, slots=True)
class Rig:
    """What a changer is moved with: the program, the journal, the lock; `name` is its stable id."""

    name: str
    mtx: Mtx
    journal: Journal
    lock: Path


class Changer:
    """A `Loader` for one drive of a changer."""

    def __init__(self, drive: ServedDrive, shelving: Shelving, rig: Rig, wait: float = _WAIT) -> None:
        self._again = 0.0
        self._trouble = ""
        self._drive = drive
        self._shelving = shelving
        self._rig = rig
        self._wait = wait
        self._seen: Sequence[MediumKind] | None = None

    @property
    def inlet(self) -> str:
        """Name the slots for blanks."""
        return f"slots {format_slots(tuple(self._shelving.inputs))} of {self._rig.name}"

    def stock(self) -> Sequence[MediumKind]:
        """Name the kinds of blanks in the slots, the first slot's first; while the arm moves, what was there before.

        Raises:
            RecorderError: the changer does not say, or has other slots than its URI says.
        """
        with contextlib.suppress(RecorderBusy), self._robot(self._wait if self._seen is None else 0.0) as robot:
            self._seen = list(dict.fromkeys(robot.blanks(self._shelving).values()))
        return () if self._seen is None else self._seen

    def load(self, kind: MediumKind) -> None:
        """Bring in a blank of this kind; an untouched one of another kind goes back to its slot.

        Raises:
            InputEmpty: none is left.
            DriveOccupied: a disc that was written to is in the drive.
            RecorderError: the mechanism failed.
        """
        with self._robot(self._wait) as robot:
            if self._element(robot).full and self._has(robot, kind):
                return
            blanks = (slot for slot, of in robot.blanks(self._shelving).items() if of is kind)
            slot = next(blanks, None)
            if slot is None:
                raise InputEmpty(f"no blank {kind} is left; put some into {self.inlet}")
            self._carry(robot, Move(Errand.LOAD, slot))

    def unload(self, to: Bin, label: str) -> Path | None:
        """Carry the disc to a slot of a bin; `place_of` says which.

        Raises:
            MediumMissing: nothing is in the drive.
            OutputFull: all slots of the bin are taken; the disc stays where it is.
            RecorderError: the mechanism failed.
        """
        with self._robot(self._wait) as robot:
            if not self._element(robot).full:
                raise MediumMissing("nothing is in the drive")
            self._carry(robot, Move(Errand(to), self._free_slot(robot, Errand(to)), label))
        return None

    def resume(self) -> None:
        """Finish the move that was broken off, or take it back: where the disc is, the changer tells.

        What failed is tried again after a while, not at every look.

        Raises:
            MechanismFault: the disc is lost in the changer, and not looked for again; or the move failed anew.
            RecorderError: the mechanism can't be asked, or the bin is full.
        """
        if self._shelving.drive not in self._rig.journal.read().moves:
            return
        if time.monotonic() < self._again:
            raise MechanismFault(self._trouble)
        try:
            with self._robot(self._wait) as robot:
                self._finish(robot, robot.discs.moves[self._shelving.drive])
        except MechanismFault as error:
            self._again, self._trouble = time.monotonic() + _PAUSE, error.message
            raise

    def place_of(self, label: str) -> str | None:
        """Say in which slot a disc lies."""
        labels = self._rig.journal.read().labels
        return next((self._words(slot) for slot, known in labels.items() if known == label), None)

    # What a move consists of.

    def _carry(self, robot: Robot, move: Move) -> None:
        """Move a disc: written down, then done, then written down."""
        number = self._shelving.drive
        robot.note(robot.discs.begin(number, move))
        try:
            self._drive.eject()
            mtx = self._rig.mtx
            (mtx.load if move.errand is Errand.LOAD else mtx.unload)(move.slot, number, robot.lock)
        except RecorderStalled:
            raise
        except DiscError as error:
            self._look_after(robot, move, error)
        self._arrive(robot, move)

    def _look_after(self, robot: Robot, move: Move, error: DiscError) -> None:
        """Return if a move that failed took place all the same."""
        robot.elements = self._rig.mtx.status(robot.lock)
        where = self._find(robot, move)
        if where is Whereabouts.NOWHERE:
            self._give_up(robot, move, error)
        if where is Whereabouts.SOURCE:
            if move.errand in _BLANKS:
                self._take_back(robot)
            raise error

    def _arrive(self, robot: Robot, move: Move) -> None:
        """Write down that a move is over; a blank that was brought in is in only when the tray is closed."""
        if move.errand is Errand.LOAD:
            with contextlib.suppress(MediumError):  # the drive says so again when it is asked for the medium
                self._drive.load()
        robot.note(robot.discs.end(self._shelving.drive))
        if move.errand is not Errand.LOAD:
            with contextlib.suppress(DiscError):  # an empty tray that stays open is in nobody's way
                self._drive.load()

    def _finish(self, robot: Robot, move: Move) -> None:
        where = self._find(robot, move)
        if where is Whereabouts.TARGET:
            self._arrive(robot, move)
        elif where is Whereabouts.NOWHERE:
            self._give_up(robot, move, None)
        elif move.errand in _BLANKS:
            self._take_back(robot)
        else:
            self._carry(robot, Move(move.errand, self._free_slot(robot, move.errand), move.label))

    def _take_back(self, robot: Robot) -> None:
        """Take a blank's move for one that never began."""
        robot.note(robot.discs.forget(self._shelving.drive))
        with contextlib.suppress(DiscError):
            self._drive.load()

    def _give_up(self, robot: Robot, move: Move, error: DiscError | None) -> None:
        """Call for a person, who finds the disc and takes it out."""
        robot.note(robot.discs.forget(self._shelving.drive))
        disc = "a blank" if move.errand in _BLANKS else f"the disc {move.label} ({move.errand})"
        where = f"{disc} is neither in slot {move.slot} nor in drive {self._shelving.drive} of {self._rig.name}"
        message = f"{where}; take it out by hand, then clear the recorder"
        raise MechanismFault(message) from error

    def _find(self, robot: Robot, move: Move) -> Whereabouts:
        """Say where a disc is: no move is begun to a place that is taken, so that one full place is enough."""
        ends = [self._element(robot).full, robot.elements.slots[move.slot].full]
        here, there = ends if move.errand is Errand.LOAD else (not ends[0] and ends[1], ends[0])
        if here:
            return Whereabouts.TARGET
        return Whereabouts.SOURCE if there else Whereabouts.NOWHERE

    # What a move needs.

    def _has(self, robot: Robot, kind: MediumKind) -> bool:
        """Say whether the drive has a blank of a kind already; what else it has leaves it."""
        medium = self._probe()
        if medium is None:  # upside down, or no disc that the drive knows
            move = Move(Errand.REJECT, self._free_slot(robot, Errand.REJECT), "not-recognised")
        elif medium.used:
            where = f"drive {self._shelving.drive} of {self._rig.name}"
            raise DriveOccupied(f"{where} holds a {medium.kind} that is not blank; eject it first")
        elif medium.kind is kind:
            return True
        else:
            move = self._way_back(robot, medium)
        self._carry(robot, move)
        robot.elements = self._rig.mtx.status(robot.lock)
        return False

    def _probe(self) -> MediumInfo | None:
        """Say what is in the drive, whose tray may still be open."""
        medium = self._drive.probe()
        if medium is None:
            self._drive.load()
            medium = self._drive.probe()
        return medium

    def _way_back(self, robot: Robot, medium: MediumInfo) -> Move:
        """Choose the slot that a blank goes back to: its own, or another one for blanks."""
        number = self._shelving.drive
        own = robot.discs.origins.get(number, self._element(robot).source)
        inputs = self._shelving.inputs
        slots = [*([own] if own in inputs else []), *inputs]
        slot = next((slot for slot in slots if robot.is_free(slot, number)), None)
        if slot is None:
            raise OutputFull(f"no slot is free for the blank in drive {number}; empty one of {self.inlet}")
        return Move(Errand.RETURN, slot, "" if inputs[slot] is medium.kind else medium.kind)

    def _free_slot(self, robot: Robot, errand: Errand) -> int:
        slots = self._shelving.accept if errand is Errand.ACCEPT else self._shelving.reject
        slot = next((slot for slot in slots if robot.is_free(slot, self._shelving.drive)), None)
        if slot is None:
            where = f"slots {format_slots(slots)} of {self._rig.name}, for {errand}ed discs,"
            raise OutputFull(f"{where} are full; take the discs out")
        return slot

    def _element(self, robot: Robot) -> Element:
        return robot.elements.drives[self._shelving.drive]

    def _words(self, slot: int) -> str:
        return f"slot {slot} of {self._rig.name}"

    @contextlib.contextmanager
    def _robot(self, wait: float) -> Iterator[Robot]:
        """Have the arm alone, and look where the discs are.

        Raises:
            RecorderBusy: it serves another drive for longer than `wait` seconds.
        """
        with contextlib.closing(FileLock(self._rig.lock)) as lock:
            lock.acquire(wait=wait)
            elements = self._rig.mtx.status(lock.fd)
            self._check(elements)
            known = self._rig.journal.read()
            robot = Robot(self._rig.name, lock.fd, elements, known, self._rig.journal)
            seen = known.only_in(slot for slot, element in elements.slots.items() if element.full)
            if seen != known:
                robot.note(seen)
            yield robot

    def _check(self, elements: Elements) -> None:
        lacks = [f"slot {slot}" for slot in sorted(self._shelving.slots - elements.slots.keys())]
        if self._shelving.drive not in elements.drives:
            lacks.append(f"drive {self._shelving.drive}")
        if lacks:
            has = f"{len(elements.drives)} drives and {len(elements.slots)} slots"
            message = f"{self._rig.name} has {has}, and no {', '.join(lacks)}; correct the recorder's URI"
            raise RecorderUnsuitable(message)
