"""Following a burner until it ends: its listeners hear of it, a cancel reaches it, its end is judged by evidence."""

import contextlib
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import BurnCancelled, DiscError, RecorderError, RecorderStalled, WriteFailed
from jobs.mastering.recorder import BurnOrder
from workers.evidence import LOG, PROGRESS, Evidence, LineTail, read_evidence
from workers.recorders.burn_events import Narrator
from workers.recorders.waiting_burner import reap

#: Seconds between two looks at the burner, between two questions whether to cancel.
_LOOK, _ASK = 0.1, 0.25
#: Bytes of the burner's own words that a message quotes, at most.
_QUOTE = 500


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds without progress until a burn counts as stalled, and until a burner that was told to stop must have."""

    stall_after: float = 120.0
    grace: float = 30.0


class BurnWatch:
    """Follows a burner until it ends, or until patience does."""

    def __init__(
        self,
        burner: "subprocess.Popen[bytes]",
        order: BurnOrder,
        narrator: Narrator,
        patience: Patience,
    ) -> None:
        self._burner = burner
        self._order = order
        self._narrator = narrator
        self._patience = patience
        self._progress = LineTail(order.evidence / PROGRESS)
        self._moved = self._asked = time.monotonic()
        self._told_to_stop: float | None = None
        self._stalled = False

    def until_done(self) -> None:
        """Return when the disc is written.

        Raises:
            DiscError: what happened instead.
        """
        try:
            while not self._has_ended():
                self._hear()
                self._narrator.pulse()
                self._heed_cancel()
                self._lose_patience()
            self._hear()
        finally:
            reap(self._burner)
        self._judge(self._burner.returncode, read_evidence(self._order.evidence))
        self._narrator.complete()

    def _has_ended(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._burner.wait(_LOOK)
        return self._burner.returncode is not None

    def _hear(self) -> None:
        for facts in self._progress.read():
            self._moved = time.monotonic()
            self._narrator.hear(facts)

    def _heed_cancel(self) -> None:
        now = time.monotonic()
        if self._narrator.is_closing or self._told_to_stop is not None or now - self._asked < _ASK:
            return
        self._asked = now
        if self._narrator.ear.query_cancel():
            self._stop()

    def _lose_patience(self) -> None:
        quiet = time.monotonic() - max(self._moved, self._told_to_stop or 0.0)
        # Real drives may be silent for minutes while they close.
        closing = 3 * self._narrator.estimates.closing if self._narrator.is_closing else 0.0
        if self._told_to_stop is None and quiet > self._patience.stall_after + closing:
            self._stalled = True
            self._stop()
        elif self._told_to_stop is not None and quiet > self._last_wait:
            message = f"the burner, process {self._burner.pid}, does not stop; see to the drive, then end it"
            raise RecorderStalled(message)

    @property
    def _last_wait(self) -> float:
        """Seconds for a burner that was told to stop; closing can't be stopped and takes as long as it takes."""
        return self._patience.stall_after if self._narrator.is_closing else self._patience.grace

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
