"""Which disc is where in a robot, and what is being moved: written down before and after each move.

One document for each robot, in the home of the rig, replaced as a whole and on the disk before the arm moves. Whoever
reads or writes it holds the robot's lock.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from jobs.errors import MechanismFault
from workers.durable import write_durably

_FILE = "discs.json"


class Errand(StrEnum):
    """What a disc is moved for."""

    LOAD = "load"  #: a blank goes from its slot into the drive, and the tray is closed
    RETURN = "return"  #: an untouched blank goes back to a slot of blanks
    ACCEPT = "accept"  #: a good disc goes to its slot
    REJECT = "reject"  #: any other


@dataclass(frozen=True, slots=True)
class Move:
    """A move that was decided: between a slot and the drive it is written under.

    `label` names the disc; of a blank that goes back it is the kind, where its slot is not for that.
    """

    errand: Errand
    slot: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Discs:
    """What is known: moves under way and where drives' discs came from, by drive; what lies in slots, by slot.

    `labels` are of discs that were carried to a slot, `kinds` of blanks that are not what their slot is for.
    """

    moves: dict[int, Move] = field(default_factory=dict)
    origins: dict[int, int] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)

    def begin(self, drive: int, move: Move) -> "Discs":
        """Return what is known once a move is decided."""
        return replace(self, moves={**self.moves, drive: move})

    def end(self, drive: int) -> "Discs":
        """Return what is known once a drive's move is over."""
        move = self.moves[drive]
        rest = replace(self.forget(drive), origins={d: slot for d, slot in self.origins.items() if d != drive})
        if move.errand is Errand.LOAD:
            return replace(rest, origins={**rest.origins, drive: move.slot})
        if move.errand is Errand.RETURN:
            return replace(rest, kinds={**rest.kinds, move.slot: move.label}) if move.label else rest
        return replace(rest, labels={**rest.labels, move.slot: move.label})

    def forget(self, drive: int) -> "Discs":
        """Return what is known if a drive's move did not take place."""
        return replace(self, moves={d: move for d, move in self.moves.items() if d != drive})

    def only_in(self, full: Iterable[int]) -> "Discs":
        """Return what is known where only these slots are full: a person took what was in others."""
        slots = set(full)
        labels = {slot: label for slot, label in self.labels.items() if slot in slots}
        return replace(self, labels=labels, kinds={slot: kind for slot, kind in self.kinds.items() if slot in slots})

    def promised(self, besides: int) -> set[int]:
        """Return the slots that moves of other drives are from or to."""
        return {move.slot for drive, move in self.moves.items() if drive != besides}


class Journal:
    """The document of one robot."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> Discs:
        """Return what was written last; nothing if nothing was.

        Raises:
            MechanismFault: the document is damaged.
        """
        try:
            return _discs(json.loads((self._folder / _FILE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Discs()
        except (OSError, AttributeError, KeyError, TypeError, ValueError) as error:
            path = self._folder / _FILE
            message = f"{path} can't be read ({error}); empty all drives of the robot by hand and remove the file"
            raise MechanismFault(message) from error

    def write(self, discs: Discs) -> None:
        """Put what is known on the disk.

        Raises:
            MechanismFault: the disk refuses; then nothing may be moved.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_durably(self._folder / _FILE, json.dumps(asdict(discs), indent=1) + "\n")
        except OSError as error:
            raise MechanismFault(f"{self._folder} can't hold the robot's journal: {error.strerror}") from error


def _discs(told: dict[str, dict[str, object]]) -> Discs:
    return Discs(
        moves={int(drive): _move(move) for drive, move in told["moves"].items()},
        origins={int(drive): int(str(slot)) for drive, slot in told["origins"].items()},
        labels={int(slot): str(label) for slot, label in told["labels"].items()},
        kinds={int(slot): str(kind) for slot, kind in told["kinds"].items()},
    )


def _move(told: object) -> Move:
    if not isinstance(told, dict):
        message = f"{told!r} is no move"
        raise TypeError(message)
    return Move(Errand(told["errand"]), int(told["slot"]), str(told["label"]))
