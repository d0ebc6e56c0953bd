"""Moves discs in a process of its own that is killed on the way.

`python -m tests.robot_alone FOLDER STEP load KIND` or `… unload BIN LABEL` ends itself with SIGKILL before a step of
what is written down, done to the tray or done by `mtx`, counted from 0; it prints `done` if there are fewer.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from jobs.mastering.medium import MediumKind
from jobs.mastering.recorder import Bin
from tests.robots import ACCEPT, CHANGER, INPUTS, NODES, REJECT, ServedDrive
from workers.loaders.changer import Changer, Rig
from workers.loaders.changer_uri import Shelving
from workers.loaders.mtx import Mtx
from workers.loaders.robot_journal import Discs, Journal
from workers.recorders.scsi import SgIo

P = ParamSpec("P")
T = TypeVar("T")


class Steps:
    """Counts steps, and ends the process before one of them."""

    def __init__(self, last: int) -> None:
        self._left = last

    def __call__(self, step: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self._left -= 1
        return step(*arguments, **named)


class SteppedDrive(ServedDrive):
    """A drive whose tray moves are steps."""

    def __init__(self, steps: Steps) -> None:
        super().__init__(SgIo(Path(NODES[0])))
        self._steps = steps

    def eject(self) -> None:
        self._steps(super().eject)

    def load(self) -> None:
        self._steps(super().load)


class SteppedMtx(Mtx):
    """`mtx` whose moves are steps."""

    def __init__(self, steps: Steps) -> None:
        super().__init__(lambda: CHANGER)
        self._steps = steps

    def load(self, slot: int, drive: int, lock: int) -> None:
        self._steps(super().load, slot, drive, lock)

    def unload(self, slot: int, drive: int, lock: int) -> None:
        self._steps(super().unload, slot, drive, lock)


class SteppedJournal(Journal):
    """A journal whose writing is a step."""

    def __init__(self, folder: Path, steps: Steps) -> None:
        super().__init__(folder)
        self._steps = steps

    def write(self, discs: Discs) -> None:
        self._steps(super().write, discs)


def main(folder: str, last: str, what: str, *words: str) -> None:
    steps, home = Steps(int(last)), Path(folder)
    rig = Rig("the robot", SteppedMtx(steps), SteppedJournal(home / "robot", steps), home / "robot.lock")
    loader = Changer(SteppedDrive(steps), Shelving(str(CHANGER), 0, INPUTS, ACCEPT, REJECT), rig)
    if what == "load":
        loader.load(MediumKind(words[0]))
    else:
        loader.unload(Bin(words[0]), words[1])
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
