"""A burner that waits for its go: started early, since an interpreter takes longer to start than a disc to be changed.

While it waits it has neither the drive's lock nor a plan and can't write: it loads what it will need. The go hands it
the rest over a socket, which is closed on both sides then. A burner whose worker goes away before finds the socket
closed and ends; a go that was sent reaches it even if the worker is gone by then, as does the lock that came with it.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from jobs.settings import program_environment

#: The folder that the burner's packages lie in.
_PACKAGES = Path(__file__).parents[2]


class WaitingBurner:
    """A burner process for a type of sink. Raises OSError if it can't be started."""

    def __init__(self, sink: str, image: Path | None = None) -> None:
        """Start it; `image` is a saved extent map that it is likely to burn."""
        self._line, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            try:
                self._process = _spawn(its, sink, image)
            except BaseException:
                self._line.close()
                raise

    def go(self, plan: Path, lock: int, words: int) -> "subprocess.Popen[bytes]":
        """Let it burn a plan that is on the disk: it gets the drive's lock, and a file for what it prints.

        Raises:
            OSError: it is gone.
        """
        try:
            socket.send_fds(self._line, [os.fsencode(plan)], [lock, words])
        finally:
            self._line.close()
        return self._process

    def dismiss(self) -> None:
        """Let it end; that is not waited for."""
        self._line.close()
        reap(self._process)


def reap(process: "subprocess.Popen[bytes]") -> None:
    """Leave a process alone that is not done, but do not leave it a zombie."""
    if process.poll() is None:
        threading.Thread(target=process.wait, name="burner", daemon=True).start()


def _spawn(line: socket.socket, sink: str, image: Path | None) -> "subprocess.Popen[bytes]":
    # Neither the worker's environment nor site-packages: the burner needs the standard library and these packages.
    options = ["-S", "-P", "-X", "utf8", "-m", "workers.burner"]
    expected = [] if image is None else [str(image.absolute())]
    return subprocess.Popen(
        [sys.executable, *options, str(line.fileno()), sink, *expected],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**program_environment(), "PYTHONPATH": str(_PACKAGES)},
        pass_fds=[line.fileno()],
        start_new_session=True,
    )


class Understudy:
    """The one burner that waits for a recorder's next burn, if one does."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self._waiting: WaitingBurner | None = None

    def call(self, image: Path) -> None:
        """Have a burner wait, if none does; that none can be started is for the burn to find out."""
        if self._waiting is None:
            with contextlib.suppress(OSError):
                self._waiting = WaitingBurner(self._sink, image)

    def go(self, plan: Path, lock: int, words: int) -> "subprocess.Popen[bytes]":
        """Let the one that waits burn, or another if it died of waiting.

        Raises:
            OSError: none can be started.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            with contextlib.suppress(OSError):
                return waiting.go(plan, lock, words)
            waiting.dismiss()
        return WaitingBurner(self._sink).go(plan, lock, words)

    def dismiss(self) -> None:
        """Let nobody wait any more."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.dismiss()
