"""The ports that hardware is reached through: a recorder, and what moves its discs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from jobs.mastering.medium import MediumInfo, MediumKind
from jobs.mastering.programme import Programme
from jobs.mastering.progress import ProgressListener
from models.vocabulary import DiscFormat


@dataclass(frozen=True, slots=True)
class RecorderIdentity:
    """Which device this is. `device_id` stays the same however the device is plugged in."""

    vendor: str
    product: str
    revision: str
    serial: str
    device_id: str


@dataclass(frozen=True, slots=True)
class RecorderFeatures:
    """What a recorder can do. `max_speed` is in multiples of the medium's 1x, None where the drive does not say.

    `underrun_free` says that an empty buffer pauses the laser and does not spoil the disc. `has_properties` is
    false for a recorder whose settings nobody can ask for. `reads_text` is false for one that can't read CD-TEXT:
    whether a disc has any it can't say.
    """

    kinds: frozenset[MediumKind]
    formats: frozenset[DiscFormat]
    max_speed: float | None = None
    underrun_free: bool = True
    has_properties: bool = True
    reads_text: bool = True


@dataclass(frozen=True, slots=True)
class BurnOrder:
    """One burn, as a recorder is told of it.

    `image` is a saved `ExtentMap`, `size` its bytes, `sha256` the digest of all of them. `evidence` is a folder
    of this burn alone, kept on the host, in which plan, progress and evidence are written. `speed` is in
    multiples of 1x, None for the fastest. `start` is the block of the medium the image was laid out for: where the
    session must begin. `leave_open` closes the session and not the disc, so that another one may follow.
    `programme` says where the tracks of an audio disc are and what is told of them; None for data. Without
    `guard_underrun` an empty buffer ends the burn (IMAPI EnableBufferUnderrunFree). Without `digest` what is fed is not
    hashed, so that reading the disc back is the only proof.
    """

    image: Path
    size: int
    block_size: int
    sha256: str
    evidence: Path
    label: str
    speed: float | None = None
    simulate: bool = False
    start: int = 0
    leave_open: bool = False
    programme: Programme | None = None
    guard_underrun: bool = True
    digest: bool = True


class Hold(Protocol):
    """A device kept from everybody else, other programs included, until it is closed."""

    def close(self) -> None:
        """Let go; letting go twice is fine."""


class Bin(StrEnum):
    """Where a disc goes."""

    ACCEPT = "accept"
    REJECT = "reject"


#: Called once, after preparing and before the first block; only its normal return allows writing.
Permit = Callable[[MediumInfo], None]


class DiscRecorder(Protocol):
    """The port of a device that burns: verbs and facts; states and IMAPI's rules are `RecorderHandle`'s."""

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

    def features(self) -> RecorderFeatures:
        """Say what the device can do.

        Raises:
            RecorderMissing: it is gone.
        """

    def probe(self) -> MediumInfo | None:
        """Say what is in the tray; None if nothing is. Quick, without side effects, never during a burn.

        Raises:
            RecorderMissing: the device is gone.
            DiscUnreadable: the drive can't say.
        """

    def hold(self) -> Hold:
        """Keep everybody else away from the device; this very object can still eject, blank and read.

        Raises:
            RecorderMissing: the device is gone.
            RecorderBusy: somebody else uses it.
        """

    def eject(self) -> None:
        """Open the tray and let the medium go.

        Raises:
            RecorderMissing: the device is gone.
        """

    def unlock(self) -> None:
        """Let the tray be opened by hand, where a burn that was killed left it locked. Never during a burn.

        Raises:
            RecorderMissing: the device is gone.
        """

    def blank(self, listener: ProgressListener, *, full: bool = False) -> None:
        """Make a rewritable medium blank again: quickly, or all of it. Emits EraseProgress at least twice a second.

        The caller emits EraseComplete.

        Raises:
            MediumMissing: nothing is in.
            MediumUnsuitable: it is write-once.
            BurnCancelled: `listener.query_cancel()` said so; the medium has to be blanked again.
        """

    def expect(self, image: Path | None) -> None:
        """Get ready what can be ready before a burn, which is likely to be one of this image; None: no burn follows.

        Touches neither the drive nor its medium, which may be read meanwhile.
        """

    def record(self, order: BurnOrder, listener: ProgressListener, permit: Permit) -> None:
        """Burn; returns when the medium is written and closed. Ejects nothing.

        Emits PreparingBurn, TrackProgress, BlockProgress, ClosingDisc and WriteProgress to `listener`; the caller
        emits BurnComplete.

        Raises:
            BurnCancelled: `listener.query_cancel()` said so.
            WrongDisc: the medium's next session would not begin at the order's `start`.
            MediumError, RecorderError, SourceChanged: what happened; nothing was written if `permit` was not reached.
        """

    def read_back(self, size: int) -> Iterator[bytes]:
        """Yield the first `size` bytes of the last session on the medium, in order.

        Of an audio disc these are the samples from block 0 on, in the byte order of WAV files, as the drive's
        offset has them.

        Raises:
            MediumDiffers: a block can't be read.
        """

    def read_programme(self) -> Programme:
        """Say what an audio disc tells of itself: its tracks by the table of contents, ISRC, MCN, CD-TEXT.

        Raises:
            MediumDiffers: it can't be read, or is no audio disc.
        """

    def read_blocks(self, first: int, count: int) -> bytes:
        """Return data blocks of 2048 bytes, of whatever session they are; fewer where what is written ends.

        Raises:
            MediumDiffers: a block can't be read.
        """


class Loader(Protocol):
    """What moves discs: a person at the tray, a changer, an emulated feeder."""

    @property
    def inlet(self) -> str:
        """Where a person puts blanks in, in words; empty for the tray itself."""

    def stock(self) -> Sequence[MediumKind]:
        """Name the kinds of blanks it can bring in by itself right now, the preferred first.

        Raises:
            RecorderError: the mechanism can't be asked.
        """

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
            RecorderError: the bin is full, or the mechanism failed.
        """

    def resume(self) -> None:
        """End a move that was broken off, in this process or an earlier one, so that the tray can be judged.

        Never during a burn.

        Raises:
            RecorderError: the mechanism failed, or a disc is lost in it.
        """

    def place_of(self, label: str) -> str | None:
        """Say where a disc lies that was unloaded under this label: its file, a slot; None where a person has it."""


@dataclass(frozen=True, slots=True)
class Device:
    """A recorder and the loader that serves it."""

    recorder: DiscRecorder
    loader: Loader
