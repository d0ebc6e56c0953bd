"""The worker's side of a burn, the same for every driver: start the burner, hear it, call it off, judge it.

Nothing but files lies between the two: a worker that is killed, stopped or slow does not touch the burn.
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import (
    BurnCancelled,
    DiscError,
    MediumMissing,
    MediumNotWritable,
    MediumTooSmall,
    RecorderBusy,
    RecorderError,
    RecorderStalled,
    WriteFailed,
)
from jobs.mastering.medium import BLOCK, Family, MediumInfo, MediumStatus
from jobs.mastering.progress import BlockProgress, ClosingDisc, PreparingBurn, ProgressEvent, ProgressListener
from jobs.mastering.recorder import BurnOrder, DiscRecorder, Permit
from workers.evidence import LOG, PLAN, PROGRESS, Evidence, LineTail, Plan, read_evidence, write_plan
from workers.locks import FileLock, drive_lock

log = logging.getLogger(__name__)

#: Seconds: to wait for the drive, between two looks at the burner, between two questions whether to cancel.
_ACCESS, _LOOK, _ASK = 2.0, 0.1, 0.25
#: Bytes of the burner's own words that a message quotes, at most.
_QUOTE = 500
#: The folder that the burner's packages lie in.
_PACKAGES = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without progress until a burn counts as stalled, and until a burner that was told to stop must have."""

    stall_after: float = 120.0
    grace: float = 30.0


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a driver found out before the permit: the medium, what its sink in the burner needs, estimates."""

    medium: MediumInfo | None
    sink: dict[str, Any]
    closing_seconds: float = 0.0


class BurnProcess:
    """Burns with a burner process. `prepare` is called with the drive's lock held, before the permit."""

    def __init__(
        self,
        recorder: DiscRecorder,
        prepare: Callable[[BurnOrder], Preparation],
        patience: Patience,
        preparing_seconds: float = 0.0,
    ) -> None:
        self._recorder = recorder
        self._prepare = prepare
        self._patience = patience
        self._preparing_seconds = preparing_seconds

    def record(self, order: BurnOrder, listener: ProgressListener, permit: Permit) -> None:
        """Burn, as `DiscRecorder.record` says.

        Raises:
            RecorderBusy: another burn, or somebody else, has the drive.
            RecorderStalled: nothing moved for too long, and the burner was told to stop; it may still be there.
        """
        with contextlib.closing(drive_lock(self._recorder)) as lock:
            lock.acquire(wait=_ACCESS)
            ear = Ear(listener)
            ear.notify(PreparingBurn(self._preparing_seconds))
            _check_evidence_is_new(order)
            prepared = self._prepare(order)
            medium = _check_medium(prepared.medium, order)
            if ear.query_cancel():
                raise BurnCancelled("the burn was called off before it began")
            permit(medium)
            burner = _start(order, _plan(order, medium, prepared, lock), lock)
        _Watch(burner, order, ear, self._patience, prepared.closing_seconds).until_done()


def wait_for_burner(recorder: DiscRecorder, meanwhile: Callable[[], None] = lambda: None, every: float = 0.5) -> None:
    """Wait until the drive is free, that is until a burner that outlived its worker has ended.

    `meanwhile` is called every so many seconds; what it raises ends the wait. The drive is nobody's afterwards.
    """
    while True:
        with contextlib.closing(drive_lock(recorder)) as lock, contextlib.suppress(RecorderBusy):
            lock.acquire(wait=every)
            return
        meanwhile()


def _check_evidence_is_new(order: BurnOrder) -> None:
    if (order.evidence / PLAN).exists():
        raise DiscError(f"{order.evidence} holds a burn already; each burn needs a folder of its own")


def _check_medium(medium: MediumInfo | None, order: BurnOrder) -> MediumInfo:
    if medium is None:
        raise MediumMissing("nothing is in the tray; load a blank medium")
    if medium.status is MediumStatus.COMPLETE:
        raise MediumNotWritable(f"the {medium.kind} in the tray is complete; load a blank one")
    blocks = -(-order.size // order.block_size)
    if blocks > medium.free_blocks:
        raise MediumTooSmall(f"{blocks} blocks do not fit: the {medium.kind} has {medium.free_blocks} free")
    return medium


def speed_1x(family: Family, block_size: int) -> int:
    """Return bytes a second at 1x; a CD passes 75 blocks a second, whatever they hold."""
    return family.speed_1x * block_size // BLOCK if family is Family.CD else family.speed_1x


def _plan(order: BurnOrder, medium: MediumInfo, prepared: Preparation, lock: FileLock) -> Plan:
    return Plan(
        image=str(order.image.absolute()),
        size=order.size,
        block_size=order.block_size,
        sha256=order.sha256,
        label=order.label,
        simulate=order.simulate,
        lock=lock.fd,
        speed_1x=speed_1x(medium.kind.family, order.block_size),
        sink=prepared.sink,
    )


def _start(order: BurnOrder, plan: Plan, lock: FileLock) -> "subprocess.Popen[bytes]":
    """Put the plan on the disk and start its burner, which inherits the drive's lock and nothing else."""
    try:
        order.evidence.mkdir(parents=True, exist_ok=True)
        path = write_plan(order.evidence, plan)
        with (order.evidence / LOG).open("ab") as words:
            return _spawn(path.absolute(), words.fileno(), lock.fd)
    except OSError as error:
        raise RecorderError(f"the burner can't be started: {error}") from error


def _spawn(plan: Path, words: int, lock: int) -> "subprocess.Popen[bytes]":
    # Neither the worker's environment nor site-packages: the burner needs the standard library and these packages.
    command = [sys.executable, "-S", "-P", "-X", "utf8", "-m", "workers.burner", str(plan)]
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=words,
        stderr=words,
        env={"PYTHONPATH": str(_PACKAGES), "PATH": os.defpath, "LC_ALL": "C"},
        pass_fds=[lock],
        start_new_session=True,
    )


class Ear:
    """A listener that can't hurt the burn."""

    def __init__(self, listener: ProgressListener) -> None:
        self._listener = listener

    def notify(self, event: ProgressEvent) -> None:
        """Pass an event on."""
        try:
            self._listener.notify(event)
        except Exception:
            log.exception("a progress listener failed")

    def query_cancel(self) -> bool:
        """Ask whether to call the burn off; a listener that fails does not."""
        try:
            return self._listener.query_cancel()
        except Exception:
            log.exception("a progress listener failed")
            return False


class _Watch:
    """Follows a burner until it ends, or until patience does."""

    def __init__(
        self,
        burner: "subprocess.Popen[bytes]",
        order: BurnOrder,
        ear: Ear,
        patience: Patience,
        closing_seconds: float,
    ) -> None:
        self._burner = burner
        self._order = order
        self._ear = ear
        self._patience = patience
        self._closing_seconds = closing_seconds
        self._progress = LineTail(order.evidence / PROGRESS)
        self._blocks = -(-order.size // order.block_size)
        self._done = -1
        self._moved = self._asked = time.monotonic()
        self._told_to_stop: float | None = None
        self._closing = False
        self._stalled = False

    def until_done(self) -> None:
        """Return when the disc is written.

        Raises:
            DiscError: what happened instead.
        """
        try:
            while not self._has_ended():
                self._hear()
                self._heed_cancel()
                self._lose_patience()
            self._hear()
        finally:
            _reap_later(self._burner)
        self._judge(self._burner.returncode, read_evidence(self._order.evidence))

    def _has_ended(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._burner.wait(_LOOK)
        return self._burner.returncode is not None

    def _hear(self) -> None:
        for facts in self._progress.read():
            self._moved = time.monotonic()
            if facts.get("phase") == "closing" and not self._closing:
                self._closing = True
                self._ear.notify(ClosingDisc(self._closing_seconds))
            elif facts.get("done", -1) > self._done:
                self._done = facts["done"]
                self._ear.notify(BlockProgress(self._done, self._blocks, facts["speed_x"]))

    def _heed_cancel(self) -> None:
        now = time.monotonic()
        if self._closing or self._told_to_stop is not None or now - self._asked < _ASK:
            return
        self._asked = now
        if self._ear.query_cancel():
            self._stop()

    def _lose_patience(self) -> None:
        quiet = time.monotonic() - max(self._moved, self._told_to_stop or 0.0)
        closing = 3 * self._closing_seconds if self._closing else 0.0  # real drives may be silent for minutes
        if self._told_to_stop is None and quiet > self._patience.stall_after + closing:
            self._stalled = True
            self._stop()
        elif self._told_to_stop is not None and quiet > self._last_wait:
            message = f"the burner, process {self._burner.pid}, does not stop; see to the drive, then end it"
            raise RecorderStalled(message)

    @property
    def _last_wait(self) -> float:
        """Seconds for a burner that was told to stop; closing can't be stopped and takes as long as it takes."""
        return self._patience.stall_after if self._closing else self._patience.grace

    def _stop(self) -> None:
        self._told_to_stop = time.monotonic()
        self._burner.terminate()

    def _judge(self, exit_code: int, evidence: Evidence) -> None:
        if exit_code == 0 and evidence.fed_all and (evidence.closed or self._order.simulate):
            return
        if self._stalled:
            raise RecorderStalled(f"no progress for {self._patience.stall_after:g} seconds; see to the drive")
        if evidence.failure is not None:
            raise evidence.failure.as_error()
        if evidence.cancelled or (self._told_to_stop is not None and not evidence.wrote):
            raise BurnCancelled(f"the burn was called off after {evidence.bytes_fed} bytes")
        raise _death(exit_code, evidence, self._order.evidence / LOG)


def _death(exit_code: int, evidence: Evidence, words: Path) -> DiscError:
    """Put into words that a burner ended without saying why."""
    how = f"was killed by {signal.Signals(-exit_code).name}" if exit_code < 0 else f"ended with code {exit_code}"
    if evidence.wrote:
        return WriteFailed(f"the burner {how} while the medium was being written")
    last = words.read_bytes()[-_QUOTE:].decode(errors="replace").strip()
    return RecorderError(f"the burner {how} before anything was written{': ' if last else ''}{last}")


def _reap_later(burner: "subprocess.Popen[bytes]") -> None:
    """Leave a burner alone that is not done, but do not leave it a zombie."""
    if burner.poll() is None:
        threading.Thread(target=burner.wait, name="burner", daemon=True).start()
