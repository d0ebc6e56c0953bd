"""The ports that hardware is reached through: a recorder, and what moves its discs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from jobs.mastering.medium import MediumInfo, MediumKind
from jobs.mastering.progress import ProgressListener


@dataclass(frozen=True, slots=True)
class RecorderIdentity:
    """Which device this is. `device_id` stays the same however the device is plugged in."""

    vendor: str
    product: str
    revision: str
    serial: str
    device_id: str


@dataclass(frozen=True, slots=True)
class BurnOrder:
    """One burn, as a recorder is told of it.

    `image` is a saved `ExtentMap`, `size` its bytes, `sha256` the digest of all of them. `evidence` is a folder
    of this burn alone, kept on the host, in which plan, progress and evidence are written. `speed` is in
    multiples of 1x, None for the fastest.
    """

    image: Path
    size: int
    block_size: int
    sha256: str
    evidence: Path
    label: str
    speed: float | None = None
    simulate: bool = False


class Bin(StrEnum):
    """Where a disc goes."""

    ACCEPT = "accept"
    REJECT = "reject"


#: Called once, after preparing and before the first block; only its normal return allows writing.
Permit = Callable[[MediumInfo], None]


class DiscRecorder(Protocol):
    """A device that burns (IMAPI IDiscRecorder)."""

    @property
    def uri(self) -> str:
        """How the device was asked for."""

    @property
    def locks(self) -> Path:
        """The folder of the device's lock files `owner` and `drive`, the same for all who might use it."""

    def identify(self) -> RecorderIdentity:
        """Say which device this is.

        Raises:
            RecorderMissing: it is gone.
        """

    def probe(self) -> MediumInfo | None:
        """Say what is in the tray; None if nothing is. Quick, without side effects, never during a burn.

        Raises:
            RecorderMissing: the device is gone.
        """

    def eject(self) -> None:
        """Open the tray and let the medium go.

        Raises:
            RecorderMissing: the device is gone.
        """

    def blank(self, listener: ProgressListener) -> None:
        """Make a rewritable medium blank again.

        Raises:
            MediumNotWritable: it is write-once.
        """

    def record(self, order: BurnOrder, listener: ProgressListener, permit: Permit) -> None:
        """Burn; returns when the medium is written and closed. Ejects nothing.

        Emits PreparingBurn, BlockProgress..., ClosingDisc to `listener`; the caller emits BurnComplete.

        Raises:
            BurnCancelled: `listener.query_cancel()` said so.
            MediumError, RecorderError, SourceChanged: what happened; nothing was written if `permit` was not reached.
        """

    def read_back(self, size: int) -> Iterator[bytes]:
        """Yield the first `size` bytes of the last session on the medium, in order.

        Raises:
            MediumDiffers: a block can't be read.
        """


class Loader(Protocol):
    """What moves discs: a person at the tray, a changer, an emulated feeder."""

    def stock(self) -> Sequence[MediumKind]:
        """Name the kinds of blanks it can bring in by itself right now, the preferred first."""

    def load(self, kind: MediumKind) -> None:
        """Bring in a blank of this kind; an untouched medium in the tray goes back where it came from.

        Raises:
            MediumMissing: none is left.
            RecorderError: the mechanism failed.
        """

    def unload(self, to: Bin, label: str) -> Path | None:
        """Take the medium out to a bin; return its file where discs are files, else None.

        `label` names the disc for people, without a suffix.

        Raises:
            MediumMissing: nothing is in the tray.
        """


@dataclass(frozen=True, slots=True)
class Device:
    """A recorder and the loader that serves it."""

    recorder: DiscRecorder
    loader: Loader
