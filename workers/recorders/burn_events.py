"""What a burn's listeners hear: the burner's facts turned into events, in the order that `progress` promises."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from jobs.mastering.programme import Programme
from jobs.mastering.progress import (
    Action,
    BlockProgress,
    ClosingDisc,
    PreparingBurn,
    ProgressEvent,
    ProgressListener,
    TrackProgress,
    WriteProgress,
)
from jobs.mastering.recorder import BurnOrder

log = logging.getLogger(__name__)

#: Seconds after which WriteProgress comes again at the next look; at least twice a second is promised.
_PULSE = 0.2


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


@dataclass(frozen=True, slots=True)
class Estimates:
    """Seconds that preparing and closing take; expected bytes a second, None where nobody knows."""

    preparing: float = 0.0
    closing: float = 0.0
    rate: float | None = None


class Narrator:
    """Tells a burn to its listeners."""

    def __init__(
        self, order: BurnOrder, ear: Ear, estimates: Estimates, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.ear = ear
        self.estimates = estimates
        self._order = order
        self._clock = clock
        self._began = clock()
        self._action = Action.PREPARING
        self._since = self._pulsed = self._began
        self._blocks = -(-order.size // order.block_size)
        self._done = -1
        self._buffer: float | None = None
        self._ends = _track_ends(order.programme)

    @property
    def is_closing(self) -> bool:
        """True once the session is being closed."""
        return self._action is Action.FINALIZING

    def prepare(self) -> None:
        """Say that the recorder prepares."""
        self.ear.notify(PreparingBurn(self.estimates.preparing))
        self._enter(Action.PREPARING)

    def expect(self, estimates: Estimates) -> None:
        """Learn what is to be expected, and tell."""
        self.estimates = estimates
        self._tell()

    def hear(self, facts: Mapping[str, Any]) -> None:
        """Tell what the burner says of its progress."""
        phase = facts.get("phase")
        if phase == "writing" and self._action is Action.PREPARING:
            self._enter(Action.WRITING)
        elif phase == "closing" and not self.is_closing:
            self.ear.notify(ClosingDisc(self.estimates.closing))
            self._enter(Action.FINALIZING)
        elif facts.get("done", -1) > self._done:
            self._buffer = facts.get("buffer")
            for event in self._written(facts["done"], facts["speed_x"]):
                self.ear.notify(event)

    def complete(self) -> None:
        """Say that the burn is done."""
        self._enter(Action.COMPLETED)

    def pulse(self) -> None:
        """Say where the burn stands, unless that was a moment ago."""
        if self._clock() - self._pulsed >= _PULSE:
            self._tell()

    def _written(self, done: int, speed_x: float) -> Iterator[ProgressEvent]:
        """Split progress at the ends of tracks: each is told once its last block was given."""
        if self._done < 0 and self._ends:
            yield TrackProgress(0, len(self._ends))
        for number, end in enumerate(self._ends, 1):
            if self._done < end <= done:
                self._done = end
                yield BlockProgress(end, self._blocks, speed_x)
                yield TrackProgress(number, len(self._ends))
        if self._done < done:
            self._done = done
            yield BlockProgress(done, self._blocks, speed_x)

    def _enter(self, action: Action) -> None:
        self._action = action
        self._since = self._clock()
        self._tell()

    def _tell(self) -> None:
        self._pulsed = self._clock()
        self.ear.notify(
            WriteProgress(
                action=self._action,
                elapsed_seconds=self._pulsed - self._began,
                remaining_seconds=self._remaining(),
                first_block=self._order.start,
                blocks=self._blocks,
                last_written=-1 if self._done <= 0 else self._order.start + self._done - 1,
                buffer_fill=self._buffer,
            )
        )

    def _remaining(self) -> float:
        """Estimate the seconds to the end: what is left of this action, and the actions that follow."""
        spent = self._clock() - self._since
        match self._action:
            case Action.PREPARING:
                left = max(0.0, self.estimates.preparing - spent)
                return left + self._writing_seconds(self._blocks, self.estimates.rate) + self.estimates.closing
            case Action.WRITING:
                done = max(0, self._done)
                measured = done * self._order.block_size / spent if done and spent else self.estimates.rate
                return self._writing_seconds(self._blocks - done, measured) + self.estimates.closing
            case Action.FINALIZING:
                return max(0.0, self.estimates.closing - spent)
        return 0.0

    def _writing_seconds(self, blocks: int, rate: float | None) -> float:
        return blocks * self._order.block_size / rate if rate else 0.0


def _track_ends(programme: Programme | None) -> list[int]:
    """Return the block behind each track's last."""
    tracks = () if programme is None else programme.tracks
    return list(accumulate(track.pregap + track.blocks for track in tracks))
