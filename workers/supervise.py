"""Process 1 of a worker's container: restarts the worker, and ends only when no burner lives."""

import contextlib
import ctypes
import logging
import os
import signal
import threading
from types import FrameType

from jobs.settings import Settings, subprocess_environment
from workers.programs import Program, own_command

log = logging.getLogger(__name__)

#: prctl(2): orphans of this process's descendants become its children, also where it is not process 1.
_PR_SET_CHILD_SUBREAPER = 36
_LOOK = 0.2


def run_supervised(settings: Settings, arguments: list[str]) -> int:
    """Run `discmill ARGUMENTS` until SIGTERM or SIGINT, restarting it when it ends; then wait for its burners.

    Returns the exit code.
    """
    _adopt_orphans()
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    program = Program(arguments[0], own_command(*arguments), subprocess_environment(settings))
    program.start()
    while not stop.wait(_LOOK):
        program.keep_running()
        _reap(program)
    program.signal(signal.SIGTERM)
    while program.is_running or _has_children():
        _reap(program)
        stop.clear()
        stop.wait(_LOOK)
    return 0


def _adopt_orphans() -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        log.warning("orphaned burners can't be adopted: %s", os.strerror(ctypes.get_errno()))


def _reap(program: Program) -> None:
    """Collect orphans that ended; the program itself is left to its own handle."""
    for pid in _children():
        if program.process is None or pid != program.process.pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _has_children() -> bool:
    return bool(_children())


def _children() -> list[int]:
    """List the processes whose parent is this one (proc(5))."""
    me = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _parent(int(name)) == me]  # noqa: PTH208


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:  # noqa: PTH123
            return int(stat.read().rpartition(")")[2].split()[1])
    except OSError:
        return None
