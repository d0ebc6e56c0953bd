"""A burn program under way: heard on both its streams, fed, told to stop, judged. It is never killed."""

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from jobs.errors import DiscError, RecorderError
from jobs.mastering.image import FileRun
from workers.recorders.burn_verdict import BurnVerdict
from workers.recorders.burn_words import Busy, Ended, Event, Lines, TrackDone, Written

#: Seconds between two looks.
_LOOK = 0.1
_MIB = 1 << 20
#: Bytes that a pipe holds if the system grants it (pipe(7): a user's share is limited).
_PIPE = 1 << 19

#: Turns a line into an event.
ReadLine = Callable[[str], Event | None]


class BurnProgram:
    """A burn program, with an environment of its own. Raises RecorderError if it can't be started.

    `keep` are descriptors that it inherits; `fed` says whether its input is fed to it. What it says goes to this
    process's own standard output too. `written` are the bytes it says it wrote; `moved` is when that last grew.
    """

    def __init__(  # noqa: PLR0913  (all of it is how a program is started)
        self,
        command: Sequence[str],
        read_line: ReadLine,
        folder: Path,
        keep: Sequence[int],
        *,
        environment: Mapping[str, str],
        fed: bool,
    ) -> None:
        self.verdict = BurnVerdict()
        self.written = 0
        self.buffer_fill: float | None = None
        self.moved = time.monotonic()
        self._read_line = read_line
        self._tracks = 0
        self._is_closing = False
        self._called_off = False
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=environment,
                pass_fds=keep,
            )
        except OSError as error:
            raise RecorderError(f"{command[0]} can't be started: {error.strerror}; install it") from error
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # the system may grant no more than it gave
                fcntl.fcntl(self._process.stdin.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
        sys.stdout.write(f"{' '.join(command)}\n")
        streams = (self._process.stdout, self._process.stderr)
        self._threads = [threading.Thread(target=self._listen, args=(stream,), daemon=True) for stream in streams]
        for thread in self._threads:
            thread.start()

    @property
    def has_ended(self) -> bool:
        """True once the program is gone."""
        return self._process.poll() is not None

    def feed(self, data: memoryview, heed: Callable[[], None]) -> None:
        """Give the program bytes, and wait until it took them; after `hurry`, what `heed` raises ends the wait.

        Raises:
            DiscError: what the program ended of.
        """
        while data:
            data = data[self._offer(partial(os.write, self._pipe(), data), heed) :]

    def feed_file(self, run: FileRun, heed: Callable[[], None]) -> None:
        """Give the program bytes of a file; the kernel passes its pages on, and nobody copies or looks at them.

        Raises:
            SourceChanged: they can't be read any more.
            DiscError: what the program ended of.
        """
        left = run
        while left.length:
            try:
                sent = self._offer(partial(os.sendfile, self._pipe(), left.handle, left.offset, left.length), heed)
            except OSError:  # a file system that can't do that, or a disk that fails: reading tells which
                sent = 0
            if not sent:
                self.feed(memoryview(left.read()), heed)
                return
            left = left.part(sent, left.length)

    def _offer(self, give: Callable[[], int], heed: Callable[[], None]) -> int:
        """Give the program bytes, and wait until it has room for some; return how many it took."""
        while True:
            try:
                return give()
            except BlockingIOError:
                heed()
                time.sleep(_LOOK)
            except BrokenPipeError as error:
                raise self.wait() or RecorderError(
                    "the burn program took no more bytes, and says it is done"
                ) from error

    def hurry(self) -> None:
        """Let nobody wait for room in the program's pipe any more without heeding; may be called at any moment."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            os.set_blocking(pipe.fileno(), False)

    def _pipe(self) -> int:
        pipe = self._process.stdin
        if pipe is None:
            message = "the program takes no bytes"
            raise ValueError(message)
        return pipe.fileno()

    def end_of_data(self) -> None:
        """Say that no more bytes come."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def wait_for(self, size: int, heed: Callable[[], None]) -> None:
        """Wait until the program says it wrote so many bytes; `heed` is called now and then.

        Raises:
            DiscError: what the program ended of before.
        """
        while self.written < size:
            if self.has_ended:
                self._raise_failure()
                return
            heed()
            time.sleep(_LOOK)

    def wait_until_through(self, size: int, heed: Callable[[], None]) -> None:
        """Wait until all of so many bytes are written and only closing is left; `heed` is called now and then.

        Progress is told in whole MiB, and not always to the last: closing and the end tell it too.

        Raises:
            DiscError: what the program ended of.
        """
        self.end_of_data()
        while not self._is_closing and self.written < size - size % _MIB:
            if self.has_ended:
                self._raise_failure()
                return
            heed()
            time.sleep(_LOOK)

    def _raise_failure(self) -> None:
        error = self.wait()
        if error is not None:
            raise error

    def call_off(self) -> None:
        """Ask the program to stop. It brings the drive to rest first, which may take as long as a burn."""
        self._called_off = True
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()

    def wait(self, meanwhile: Callable[[], None] = lambda: None) -> DiscError | None:
        """Wait until the program has ended and all of it was heard; return what went wrong, if anything did."""
        self.end_of_data()
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LOOK)
                break
            meanwhile()
        for thread in self._threads:
            thread.join()
        return self.verdict.error(self._process.returncode, called_off=self._called_off)

    def _listen(self, stream: IO[bytes]) -> None:
        lines = Lines()
        with stream:
            while data := os.read(stream.fileno(), 1 << 16):
                self._hear(lines.feed(data))
        self._hear(lines.end())

    def _hear(self, lines: Iterable[str]) -> None:
        for line in lines:
            sys.stdout.write(f"{line}\n")
            event = self._read_line(line)
            self.verdict.hear(event)
            self._note(event)
        sys.stdout.flush()

    def _note(self, event: Event | None) -> None:
        if isinstance(event, TrackDone):
            self._tracks += event.written
        self._is_closing = (
            self._is_closing or isinstance(event, Ended) or (isinstance(event, Busy) and self.written > 0)
        )
        if not isinstance(event, Written | TrackDone):
            return
        if isinstance(event, Written):
            self.buffer_fill = event.buffer
        now = self._tracks + (event.done * _MIB if isinstance(event, Written) else 0)
        if now > self.written:
            self.written, self.moved = now, time.monotonic()
