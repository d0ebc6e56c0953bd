"""This project's own programs as child processes: started, watched, restarted, ended."""

import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from workers.log_files import rotate

log = logging.getLogger(__name__)

#: Seconds before a program that ended is started again; doubles up to the last.
_FIRST_PAUSE, _LAST_PAUSE = 0.5, 30.0
#: Seconds a program has to live for its pause to start small again.
_SETTLED = 30.0


def own_command(*arguments: str) -> list[str]:
    """Return the command line of `discmill ARGUMENTS` under this very interpreter."""
    return [sys.executable, "-m", "workers", *arguments]


@dataclass(slots=True)
class Program:
    """One child process that is to run until it is stopped.

    It gets a session of its own, so that Ctrl-C in the terminal reaches the rig alone, which stops things in order.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    log_file: Path | None = None
    process: "subprocess.Popen[bytes] | None" = None
    _pause: float = _FIRST_PAUSE
    _started: float = 0.0
    _next_start: float = field(default=0.0)

    def start(self) -> None:
        """Start the program."""
        out = self.log_file.open("ab") if self.log_file else None
        try:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        finally:
            if out:
                out.close()
        self._started = time.monotonic()

    def keep_running(self) -> None:
        """Start the program again if it ended, after a pause that grows while it keeps ending; keep its log small."""
        if self.log_file is not None:
            rotate(self.log_file)
        if self.process is not None:
            if self.process.poll() is None:
                return
            log.warning("%s ended with code %s; starting it again", self.name, self.process.returncode)
            lived = time.monotonic() - self._started
            self._pause = _FIRST_PAUSE if lived > _SETTLED else min(self._pause * 2, _LAST_PAUSE)
            self._next_start = time.monotonic() + self._pause
            self.process = None
        if time.monotonic() >= self._next_start:
            self.start()

    def signal(self, number: int) -> None:
        """Send a signal to the program if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    @property
    def is_running(self) -> bool:
        """True while the process lives."""
        return self.process is not None and self.process.poll() is None


def end_leftover(pid: int, started: str, wait: float = 10.0) -> None:
    """End a process that an earlier rig left, if it is still the very same one."""
    if process_start(pid) != started:
        return
    log.warning("ending process %d, left by a rig that was killed", pid)
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + wait
    while process_start(pid) == started and time.monotonic() < deadline:
        time.sleep(0.05)


def process_start(pid: int) -> str:
    """Return when a process was started, in clock ticks since boot (proc(5), field 22); empty if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
