"""The worker's side of a burn, the same for every driver: start the burner, hear it, call it off, judge it.

Nothing but files lies between the two: a worker that is killed, stopped or slow does not touch the burn.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.errors import (
    BurnCancelled,
    DiscError,
    InvalidImage,
    MediumMissing,
    RecorderBusy,
    RecorderError,
    RecorderStalled,
)
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK, Family, MediumInfo
from jobs.mastering.progress import ProgressListener
from jobs.mastering.recorder import BurnOrder, DiscRecorder, Permit
from workers.evidence import LOG, PLAN, Plan, write_plan
from workers.locks import FileLock, drive_lock
from workers.recorders.burn_events import Ear, Estimates, Narrator
from workers.recorders.burn_watch import BurnWatch, Patience
from workers.recorders.suitability import Wanted, check_medium
from workers.recorders.waiting_burner import Understudy

#: Seconds: to wait for the drive, between two questions whether to cancel.
_ACCESS, _ASK = 2.0, 0.25
_TOO_SOON = "the burn was called off before it began"


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a driver found out before the permit: the medium, what its sink in the burner needs, estimates.

    `rate` is the expected bytes a second, None where nobody knows.
    """

    medium: MediumInfo | None
    sink: dict[str, Any]
    closing_seconds: float = 0.0
    rate: float | None = None


class BurnProcess:
    """Burns with a burner process, to sinks of one type.

    `prepare` is called with the drive's lock held, before the permit.
    """

    def __init__(
        self,
        sink: str,
        recorder: DiscRecorder,
        prepare: Callable[[BurnOrder], Preparation],
        patience: Patience,
        preparing_seconds: float = 0.0,
    ) -> None:
        self._sink = sink
        self._recorder = recorder
        self._prepare = prepare
        self._patience = patience
        self._preparing_seconds = preparing_seconds
        self._understudy = Understudy(sink)

    def expect(self, image: Path | None) -> None:
        """Have a burner wait for the burn of an image, as `DiscRecorder.expect` says."""
        if image is None:
            self._understudy.dismiss()
        else:
            self._understudy.call(image)

    def record(self, order: BurnOrder, listener: ProgressListener, permit: Permit) -> None:
        """Burn, as `DiscRecorder.record` says.

        Raises:
            InvalidImage: what is ordered is no audio disc, and no data either.
            RecorderBusy: another burn, or somebody else, has the drive.
            RecorderStalled: nothing moved for too long, and the burner was told to stop; it may still be there.
        """
        ear = Ear(listener)
        narrator = Narrator(order, ear, Estimates(self._preparing_seconds))
        _check_order(order)
        try:
            with contextlib.closing(drive_lock(self._recorder)) as lock:
                _acquire(lock, ear)
                narrator.prepare()
                _check_evidence_is_new(order)
                self._understudy.call(order.image)
                prepared = self._prepared(order, narrator, lock)
                medium = _check_medium(prepared.medium, order)
                plan = self._plan(order, medium, prepared)
                _heed_cancel(ear)
                permit(medium)
                burner = self._start(order, plan, lock)
        finally:
            self._understudy.dismiss()
        BurnWatch(burner, order, narrator, self._patience).until_done()

    def _prepared(self, order: BurnOrder, narrator: Narrator, lock: FileLock) -> Preparation:
        """Prepare in a thread: a drive may take its time, and listeners go on hearing and being asked.

        Raises:
            BurnCancelled: a listener called the burn off; the drive was waited for.
            RecorderStalled: the drive does not come back; it stays locked until it does.
        """
        work = _Preparing(lambda: self._prepare(order), lock)
        work.start()
        patience, cancelled = self._patience.stall_after, False
        began = time.monotonic()
        while not work.is_done_within(_ASK):
            narrator.pulse()
            if not cancelled and narrator.ear.query_cancel():
                began, patience, cancelled = time.monotonic(), self._patience.grace, True
            if time.monotonic() - began > patience:
                raise RecorderStalled(f"the drive was not ready within {patience:g} seconds; see to it")
        if cancelled:
            raise BurnCancelled(_TOO_SOON)
        prepared = work.result()
        narrator.expect(Estimates(self._preparing_seconds, prepared.closing_seconds, prepared.rate))
        return prepared

    def _plan(self, order: BurnOrder, medium: MediumInfo, prepared: Preparation) -> Plan:
        return Plan(
            image=str(order.image.absolute()),
            size=order.size,
            block_size=order.block_size,
            sha256=order.sha256,
            label=order.label,
            simulate=order.simulate,
            speed_1x=speed_1x(medium.kind.family, order.block_size),
            sink={"type": self._sink, **prepared.sink},
            start=order.start,
            leave_open=order.leave_open,
            programme="" if order.programme is None else order.programme.canonical,
            guard_underrun=order.guard_underrun,
            digest=order.digest,
        )

    def _start(self, order: BurnOrder, plan: Plan, lock: FileLock) -> "subprocess.Popen[bytes]":
        """Put the plan on the disk and let its burner go, which gets the drive's lock and nothing else of ours."""
        try:
            order.evidence.mkdir(parents=True, exist_ok=True)
            path = write_plan(order.evidence, plan)
            with (order.evidence / LOG).open("ab") as words:
                return self._understudy.go(path.absolute(), lock.fd, words.fileno())
        except OSError as error:
            raise RecorderError(f"the burner can't be started: {error}") from error


class _Preparing(threading.Thread):
    """A driver's preparation under way; holds the drive's lock until it ends, whoever lost patience before."""

    def __init__(self, prepare: Callable[[], Preparation], lock: FileLock) -> None:
        super().__init__(name="prepare", daemon=True)
        self._prepare = prepare
        self._lock = os.dup(lock.fd)
        self._result: Preparation | BaseException | None = None

    def run(self) -> None:
        """Prepare."""
        try:
            self._result = self._prepare()
        except BaseException as error:  # noqa: BLE001  (whatever it is, it is raised where it was waited for)
            self._result = error
        finally:
            os.close(self._lock)

    def is_done_within(self, seconds: float) -> bool:
        """Wait, at most so many seconds; say whether it is done."""
        self.join(seconds)
        return not self.is_alive()

    def result(self) -> Preparation:
        """Return what was found out, or raise what went wrong."""
        if isinstance(self._result, Preparation):
            return self._result
        raise self._result or RecorderError("the drive said nothing")


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


def _acquire(lock: FileLock, ear: Ear) -> None:
    """Take the drive, waiting a moment for whoever uses it.

    Raises:
        RecorderBusy: they go on using it.
        BurnCancelled: a listener called the burn off meanwhile.
    """
    deadline = time.monotonic() + _ACCESS
    while True:
        try:
            lock.acquire(wait=_ASK)
        except RecorderBusy:
            if time.monotonic() >= deadline:
                raise
            _heed_cancel(ear)
        else:
            return


def _heed_cancel(ear: Ear) -> None:
    if ear.query_cancel():
        raise BurnCancelled(_TOO_SOON)


def _check_order(order: BurnOrder) -> None:
    """Refuse what can't be a disc, whatever the medium."""
    faults = list(_faults(order))
    if faults:
        raise InvalidImage(f"nothing that can be burnt: {'; '.join(faults)}")


def _faults(order: BurnOrder) -> Iterator[str]:
    programme = order.programme
    if order.block_size != (BLOCK if programme is None else AUDIO_BLOCK):
        yield f"blocks of {order.block_size} bytes {'without' if programme is None else 'with'} a programme of tracks"
    if programme is None:
        return
    yield from programme.faults()
    if programme.blocks * order.block_size != order.size:
        yield f"the tracks are {programme.blocks} blocks and the image is {order.size} bytes"
    try:
        programme.canonical.encode("iso-8859-1")
    except UnicodeEncodeError as error:
        yield f"CD-TEXT can't hold {error.object[error.start]!r}"


def _check_medium(medium: MediumInfo | None, order: BurnOrder) -> MediumInfo:
    if medium is None:
        raise MediumMissing("nothing is in the tray; load a blank medium")
    check_medium(medium, Wanted(order.start, -(-order.size // order.block_size), order.block_size, order.label))
    return medium


def speed_1x(family: Family, block_size: int) -> int:
    """Return bytes a second at 1x; a CD passes 75 blocks a second, whatever they hold."""
    return family.speed_1x * block_size // BLOCK if family is Family.CD else family.speed_1x
