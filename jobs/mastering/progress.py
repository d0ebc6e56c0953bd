"""What a burn tells while it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AddProgress:
    """Content is being staged (IMAPI NotifyAddProgress); steps are arbitrary units."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PreparingBurn:
    """The recorder prepares (NotifyPreparingBurn); silence until the first block."""

    estimated_seconds: float


@dataclass(frozen=True, slots=True)
class BlockProgress:
    """Blocks are being written (NotifyBlockProgress): first, last and in between."""

    done: int
    total: int
    speed_x: float = 0.0


@dataclass(frozen=True, slots=True)
class ClosingDisc:
    """The session is being closed (NotifyClosingDisc)."""

    estimated_seconds: float


@dataclass(frozen=True, slots=True)
class BurnComplete:
    """The burn ended (NotifyBurnComplete); `error` is what `record` will raise, or nothing."""

    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """The disc is being read back; ours, IMAPI v1 has no such event."""

    done: int
    total: int
    speed_x: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordersChanged:
    """The list of recorders changed (NotifyPnPActivity)."""


ProgressEvent = (
    AddProgress | PreparingBurn | BlockProgress | ClosingDisc | BurnComplete | VerifyProgress | RecordersChanged
)


class ProgressListener(Protocol):
    """Somebody who hears of a burn (IMAPI IDiscMasterProgressEvents)."""

    def notify(self, event: ProgressEvent) -> None:
        """Hear an event; what is raised here does not hurt the burn."""

    def query_cancel(self) -> bool:
        """Say whether the burn is to be called off; polled at least every half second."""


Notify = Callable[[ProgressEvent], None]
