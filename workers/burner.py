"""The process that writes a disc: `python -m workers.burner SOCKET SINK [IMAGE]`.

It loads what a type of sink needs, and an extent map that it will probably burn, and waits for its go: a message over
the inherited socket with the path of a plan, the drive's lock, and a file for what it prints. If the socket is closed
before, its worker is gone or needs no burner, and it ends; until then any signal may end it.

It has a session of its own, and from its go on it outlives its worker. SIGTERM calls the burn off until the last block
is fed; SIGINT and SIGHUP are ignored. What it did is in the evidence beside the plan; its exit code says the same in
short:

| code | |
|---|---|
| 0 | all blocks were fed with the right digest and the session is closed; or all of that but the laser |
| 1 | it failed; the evidence says how |
| 2 | not begun: no go, no plan, not a plan, or a plan that was begun before |
| 3 | called off |
"""

import contextlib
import os
import socket
import sys
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from jobs.errors import BurnCancelled, DiscError, InvalidImage
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.throughput import SpeedMeter
from workers.evidence import EvidenceWriter, Plan, ProgressWriter, read_plan
from workers.feeding import Feeder, new_digest
from workers.locks import record_holder
from workers.sink import Cancel, Sink, load_sink, open_sink
from workers.sources import check_sources, find_changed

WRITTEN, FAILED, NOT_BEGUN, CANCELLED = 0, 1, 2, 3
#: Bytes of the longest go: a path (PATH_MAX of linux/limits.h).
_GO = 4096


def main(arguments: list[str]) -> int:
    """Wait for the go and burn; return the exit code."""
    cancel = Cancel()
    try:
        line = socket.socket(fileno=int(arguments[0]))
        load_sink(arguments[1])
        expected = Expected.load(arguments[2:])
        go = _wait_for_go(line)
        if go is None:
            return NOT_BEGUN
        cancel.listen()
        plan = replace(read_plan(go.plan), lock=go.lock)
        record_holder(plan.lock)
        evidence = EvidenceWriter(go.plan.parent)
    except (DiscError, IndexError, OSError, ValueError):
        traceback.print_exc()
        return NOT_BEGUN
    evidence.started()
    code = Burn(plan, evidence, ProgressWriter(go.plan.parent), cancel, expected).run()
    evidence.ended(code)
    return code


@dataclass(frozen=True, slots=True)
class _Go:
    """What a worker hands over: a plan, and the descriptor of the drive's lock."""

    plan: Path
    lock: int


def _wait_for_go(line: socket.socket) -> _Go | None:
    """Wait until the worker says go, whose words then go to the file that it gave; None if it went away."""
    with line:
        message, handles, _, _ = socket.recv_fds(line, _GO, 2, socket.MSG_CMSG_CLOEXEC)
    if not message:
        return None
    lock, words = handles
    for stream in (sys.stdout, sys.stderr):
        os.dup2(words, stream.fileno())
    os.close(words)
    return _Go(Path(os.fsdecode(message)), lock)


@dataclass(frozen=True, slots=True)
class Expected:
    """An extent map that was loaded before anybody asked for it."""

    path: Path | None = None
    image: ExtentMap | None = None

    @classmethod
    def load(cls, paths: list[str]) -> "Expected":
        """Load the first, if there is one and it can be loaded; why not is for the burn to find out."""
        with contextlib.suppress(IndexError, OSError, ValueError, KeyError, TypeError, StopIteration):
            return cls(Path(paths[0]), ExtentMap.load(Path(paths[0])))
        return cls()

    def get(self, path: Path) -> ExtentMap:
        """Return a map: this one, or load that one."""
        return self.image if self.image is not None and self.path == path else ExtentMap.load(path)


class Burn:
    """One burn, from its plan to its evidence."""

    def __init__(
        self, plan: Plan, evidence: EvidenceWriter, progress: ProgressWriter, cancel: Cancel, expected: Expected
    ) -> None:
        self._plan = plan
        self._expected = expected
        self._evidence = evidence
        self._progress = progress
        self._cancel = cancel
        self._meter = SpeedMeter(plan.speed_1x)
        self._sink: Sink | None = None

    def run(self) -> int:
        """Burn, and say in the evidence what became of it."""
        try:
            self._burn()
        except BurnCancelled:
            self._evidence.cancelled(self._block)
            return CANCELLED
        except DiscError as error:
            self._evidence.failed(error, self._block)
            return FAILED
        except Exception as error:  # noqa: BLE001  (whatever it is, the evidence has to say so)
            self._evidence.failed(DiscError(f"{type(error).__name__}: {error}"), self._block)
            with contextlib.suppress(OSError):  # its log may lie on the disk that is full
                traceback.print_exc()
            return FAILED
        return WRITTEN

    @property
    def _block(self) -> int:
        return 0 if self._sink is None else self._sink.block

    def _burn(self) -> None:
        self._progress.phase("preparing")
        image = self._expected.get(Path(self._plan.image))
        self._check(image)
        sink = self._sink = open_sink(self._plan, self._cancel, self._progress)
        sink.check()
        self._heed_cancel()
        if not self._plan.simulate:
            self._evidence.opened(sink.block)
        try:
            self._write(image, sink)
        except BaseException:
            sink.abort()
            raise

    def _check(self, image: ExtentMap) -> None:
        if (image.size, image.block_size) != (self._plan.size, self._plan.block_size):
            raise InvalidImage(f"{self._plan.image} is not the image that was planned")
        check_sources(image)

    def _write(self, image: ExtentMap, sink: Sink) -> None:
        sink.open()
        self._progress.phase("writing")
        self._progress.blocks(0, 0.0, sink.buffer_fill)
        sha256 = self._feed(image, sink)
        self._progress.phase("closing")
        sink.close()
        if not self._plan.simulate:
            self._evidence.closed()
        if self._plan.digest and sha256 != self._plan.sha256:
            self._progress.phase("tracing")
            raise find_changed(image, self._trace)

    def _feed(self, image: ExtentMap, sink: Sink) -> str:
        """Feed the whole image; say in the evidence what was fed, also when it ends early."""
        digest = new_digest(image.block_size) if self._plan.digest else None
        sha256 = ""
        try:
            with ImageReader(image) as reader:
                feeder = Feeder(reader, sink, self._heed_cancel, lambda: self._tell(sink))
                feeder.feed_unseen() if digest is None else feeder.feed_hashed(digest)
        finally:
            sha256 = "" if digest is None else digest.result()
            self._evidence.fed(sink.written, sha256)
        return sha256

    def _tell(self, sink: Sink) -> None:
        done = sink.written
        if self._meter.is_due(done) or done == self._plan.size:
            blocks = done // self._plan.block_size
            self._progress.blocks(blocks, self._meter.speed_x(done), sink.buffer_fill)

    def _trace(self, done: int) -> None:
        if self._meter.is_due(done):
            self._progress.phase("tracing", bytes=done)

    def _heed_cancel(self) -> None:
        if self._cancel.requested:
            raise BurnCancelled("the burn was called off")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
