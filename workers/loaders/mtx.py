"""Moving discs with `mtx`: started without a shell, with an environment of its own, and with the robot's lock.

`mtx` inherits the lock: whoever dies meanwhile, nobody moves the arm before the move under way has ended.
"""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from jobs.errors import MechanismFault, RecorderStalled, RecorderUnsuitable
from jobs.settings import program_environment
from workers.loaders.mtx_output import Elements, parse_status, read_refusal

#: Seconds: for a look at the elements, for a move of the arm. Both are far beyond what changers take.
_LOOKING, _MOVING = 120.0, 600.0
#: Where the program is: Debian keeps it among those of administrators.
_PATH = os.pathsep.join((os.defpath, "/usr/sbin", "/sbin"))


class Mtx:
    """The program, for one changer. `node` says which device file it has now; `patience` replaces the deadlines."""

    def __init__(self, node: Callable[[], Path], patience: float | None = None) -> None:
        self._node = node
        self._patience = patience

    def status(self, lock: int) -> Elements:
        """Say what is where; `lock` is the descriptor of the robot's lock.

        Raises:
            RecorderError: the changer does not say.
        """
        return parse_status(self._run("tell what is where", lock, _LOOKING, "status"))

    def load(self, slot: int, drive: int, lock: int) -> None:
        """Carry a disc from a slot to a drive.

        Raises:
            RecorderError, MediumMissing: the changer refuses, or does not answer.
        """
        self._run(f"load slot {slot}", lock, _MOVING, "load", str(slot), str(drive))

    def unload(self, slot: int, drive: int, lock: int) -> None:
        """Carry a disc from a drive to a slot.

        Raises:
            RecorderError, MediumMissing: the changer refuses, or does not answer.
        """
        self._run(f"unload to slot {slot}", lock, _MOVING, "unload", str(slot), str(drive))

    def _run(self, doing: str, lock: int, deadline: float, *words: str) -> str:
        program, node = find_mtx(), self._node()
        try:
            process = _start([program, "-f", str(node), *words], lock)
        except OSError as error:
            raise MechanismFault(f"mtx can't be started: {error.strerror}") from error
        try:
            said, complaints = process.communicate(timeout=self._patience or deadline)
        except subprocess.TimeoutExpired as late:
            threading.Thread(target=process.communicate, name="mtx", daemon=True).start()
            message = f"the changer {node} did not {doing} within {late.timeout:g} seconds"
            raise RecorderStalled(f"{message}; it stays locked until it does") from late
        if process.returncode != 0:
            raise read_refusal(complaints or said, doing)
        return said


def find_mtx() -> str:
    """Return where the program is.

    Raises:
        RecorderUnsuitable: it is not installed.
    """
    program = shutil.which("mtx", path=_PATH)
    if program is None:
        raise RecorderUnsuitable("mtx is missing, which moves the discs of changers; install it")
    return program


def _start(command: list[str], lock: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=program_environment(),
        text=True,
        errors="replace",
        pass_fds=[lock],
        start_new_session=True,
    )
