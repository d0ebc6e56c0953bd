"""What a mastering session tells while it works: IMAPI's nine callbacks as events, and what its second version adds.

The order of a burn: PreparingBurn, then for audio TrackProgress 0 of T, then BlockProgress from first to last (for
audio with TrackProgress k of T after each track), ClosingDisc, BurnComplete. BurnComplete comes on every path, with
what `record` will raise. WriteProgress comes in between, at every change of action and at least twice a second.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AddProgress:
    """Content is being staged (IMAPI NotifyAddProgress): first, last and in between; steps are arbitrary units."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PreparingBurn:
    """The recorder prepares (NotifyPreparingBurn), once; silence until the first block."""

    estimated_seconds: float


@dataclass(frozen=True, slots=True)
class BlockProgress:
    """Blocks are being written (NotifyBlockProgress): first, last and in between; `total` is of the whole session."""

    done: int
    total: int
    speed_x: float = 0.0


@dataclass(frozen=True, slots=True)
class TrackProgress:
    """Audio tracks are being written (NotifyTrackProgress): `done` of `total` are; T + 1 events, from 0 to T."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ClosingDisc:
    """The session is being closed (NotifyClosingDisc), once; silence until it is done."""

    estimated_seconds: float


@dataclass(frozen=True, slots=True)
class BurnComplete:
    """The burn ended (NotifyBurnComplete); `error` is what `record` will raise, or nothing."""

    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class EraseProgress:
    """A medium is being blanked; IMAPI v2 tells the seconds, v1 has no such event."""

    elapsed_seconds: float
    estimated_seconds: float


@dataclass(frozen=True, slots=True)
class EraseComplete:
    """Blanking ended (NotifyEraseComplete); `error` is what `erase` will raise, or nothing."""

    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """The disc is being read back; ours, IMAPI v1 has no such event."""

    done: int
    total: int
    speed_x: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordersChanged:
    """The list of recorders changed (NotifyPnPActivity): enumerate anew."""


class Action(StrEnum):
    """What a burn is busy with (IMAPI v2 IMAPI_FORMAT2_DATA_WRITE_ACTION)."""

    PREPARING = "preparing"
    WRITING = "writing"
    FINALIZING = "finalizing"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class WriteProgress:
    """Where a burn stands (IMAPI v2 IDiscFormat2DataEventArgs). Times in seconds; `total` is elapsed and remaining.

    `first_block` and `blocks` are the session's place on the medium and its length, `last_written` the last block
    given to the drive (-1: none yet). `buffer_fill` is the share of the drive's buffer that is full, 0 to 1, None
    where the drive does not say.
    """

    action: Action
    elapsed_seconds: float
    remaining_seconds: float
    first_block: int
    blocks: int
    last_written: int
    buffer_fill: float | None = None

    @property
    def total_seconds(self) -> float:
        """Seconds of the whole burn, as far as known."""
        return self.elapsed_seconds + self.remaining_seconds


ProgressEvent = (
    AddProgress
    | PreparingBurn
    | BlockProgress
    | TrackProgress
    | ClosingDisc
    | BurnComplete
    | EraseProgress
    | EraseComplete
    | VerifyProgress
    | RecordersChanged
    | WriteProgress
)


class ProgressListener(Protocol):
    """Somebody who hears of a burn (IMAPI IDiscMasterProgressEvents)."""

    def notify(self, event: ProgressEvent) -> None:
        """Hear an event; what is raised here does not hurt the burn."""

    def query_cancel(self) -> bool:
        """Say whether to call off what runs (QueryCancel); polled at least every half second."""


Notify = Callable[[ProgressEvent], None]
