"""The emulated recorder: a drive made of files, for demonstrations, integrators' tests and chaos."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jobs.errors import FileSystemInUse, MediumDiffers, MediumMissing, MediumUnsuitable, RecorderUnsuitable
from jobs.mastering.medium import BLOCK, Family, MediumInfo, MediumKind
from jobs.mastering.programme import Programme
from jobs.mastering.progress import ProgressListener
from jobs.mastering.recorder import BurnOrder, Device, Hold, Permit, RecorderFeatures, RecorderIdentity
from models.vocabulary import DiscFormat
from workers.loaders.emulated import EmulatedFeeder
from workers.recorders.burn_events import Ear
from workers.recorders.burn_process import BurnProcess, Preparation, speed_1x
from workers.recorders.burn_watch import Patience
from workers.recorders.emulated_blanking import Erasing, estimate
from workers.recorders.emulated_drive import EmulatedDrive
from workers.recorders.emulated_faults import FaultName, biting
from workers.recorders.emulated_medium import Medium
from workers.recorders.emulated_reading import Reading, read_blocks
from workers.recorders.emulated_sessions import check_follows
from workers.recorders.emulated_state import State
from workers.recorders.emulated_uri import EmulatedUri, parse_uri
from workers.recorders.emulated_watch import Watch

#: Seconds that the drive says it needs to close a disc.
_CLOSING_SECONDS = 1.0
#: Bytes of a sample: 16 bits, left and right.
_SAMPLE = 4


def open_device(uri: str, stall_after: float, home: Path) -> Device:  # noqa: ARG001  (no robot, no journal)
    """Open the drive of a URI, made if missing.

    Raises:
        Faults: every fault of the URI.
    """
    asked = parse_uri(uri)
    asked = replace(asked, folder=asked.folder.absolute())  # others read the URI in folders of their own
    drive = EmulatedDrive(asked.folder)
    drive.configure(asked)
    return Device(EmulatedRecorder(asked, drive, Patience(stall_after)), EmulatedFeeder(drive))


class EmulatedRecorder:
    """A `DiscRecorder` made of files, which can do what its URI says."""

    def __init__(self, asked: EmulatedUri, drive: EmulatedDrive, patience: Patience) -> None:
        self._asked = asked
        self._drive = drive
        self._burns = BurnProcess("emulated", self, self._prepare, patience)

    @property
    def uri(self) -> str:
        """How the device was asked for."""
        return str(self._asked)

    @property
    def locks(self) -> Path:
        """The folder of the device's lock files."""
        return self._drive.locks

    def identify(self) -> RecorderIdentity:
        """Say which device this is.

        Raises:
            RecorderMissing: it is unplugged.
        """
        serial = self._drive.tray()[0].serial
        return RecorderIdentity("DISCMILL", "EMULATED DRIVE", "1", serial, f"emulated-{serial}")

    def features(self) -> RecorderFeatures:
        """Say what the device can do: what the URI leaves it.

        Raises:
            RecorderMissing: it is unplugged.
        """
        self._drive.tray()
        asked = self._asked
        audio = asked.audio and any(kind.family is Family.CD for kind in asked.writes)
        formats = frozenset(DiscFormat) if audio else frozenset(DiscFormat) - {DiscFormat.REDBOOK}
        return RecorderFeatures(asked.writes, formats, asked.max_speed, asked.underrun_free, asked.properties)

    def hold(self) -> Hold:
        """Keep everybody else away from the drive; this recorder itself may still eject, blank and read.

        Raises:
            RecorderMissing: it is unplugged.
            RecorderBusy: somebody uses it.
        """
        return self._drive.hold()

    def probe(self) -> MediumInfo | None:
        """Say what is in the tray.

        Raises:
            RecorderMissing: the drive is unplugged.
        """
        return self._drive.probe()

    def eject(self) -> None:
        """Let the medium go: an untouched one where it came from, another to the reject shelf.

        Raises:
            RecorderMissing: the drive is unplugged.
            RecorderBusy: it burns.
        """
        self._drive.remove()

    def unlock(self) -> None:
        """Have nothing to do: its tray has no lock."""

    def blank(self, listener: ProgressListener, *, full: bool = False) -> None:
        """Make a rewritable medium blank again: what leads to its content, or the content too.

        Raises:
            RecorderMissing, RecorderBusy: the drive is unplugged, or somebody else uses it.
            RecorderUnsuitable: it erases nothing, or not this kind.
            MediumMissing: nothing is in the tray.
            MediumUnsuitable: it is write-once.
            FileSystemInUse: it is mounted.
            BurnCancelled: it was called off; the medium has to be blanked again.
        """
        if not any(kind.is_rewritable for kind in self._asked.writes):
            raise RecorderUnsuitable("the emulated drive can't erase; use another recorder")
        with self._drive.using():
            state, medium = self._drive.tray()
            if medium is None:
                raise MediumMissing("nothing is in the tray; load a rewritable medium")
            if not medium.kind.is_rewritable:
                raise MediumUnsuitable(f"the {medium.kind} in the tray is write-once; load a rewritable one")
            self._check_usable(state, medium)
            seconds = estimate(medium, self._rate(medium.kind.family, BLOCK, None), full=full)
            watch = Watch(self._drive.folder, medium.id)
            Erasing(self._drive.folder.medium(medium.id), Ear(listener), watch.look).run(seconds, full=full)

    def expect(self, image: Path | None) -> None:
        """Have a burner wait for the burn of an image."""
        self._burns.expect(image)

    def record(self, order: BurnOrder, listener: ProgressListener, permit: Permit) -> None:
        """Burn one session, at the order's speed where the drive goes as fast."""
        self._burns.record(order, listener, permit)

    def read_back(self, size: int) -> Iterator[bytes]:
        """Yield the first `size` bytes of the last session; one that was not closed can't be read.

        Raises:
            MediumMissing: nothing is in the tray, or not any more.
            MediumDiffers: a block can't be read.
            RecorderMissing, RecorderBusy: the drive is unplugged, or burns.
        """
        medium = self._drive.readable()
        if medium.damaged or not medium.sessions:
            raise MediumDiffers("the medium holds no closed session")
        session, family = medium.sessions[-1], medium.kind.family
        watch = Watch(self._drive.folder, medium.id)
        rate = self._rate(family, session.block_size, None)
        late = self._asked.offset * _SAMPLE if session.is_audio else 0
        return Reading(self._drive.folder.medium(medium.id), session, watch, rate, late).pieces(size)

    def read_programme(self) -> Programme:
        """Say what an audio disc tells of itself, in its table of contents, its subchannels and its CD-TEXT.

        Raises:
            MediumMissing: nothing is in the tray.
            MediumDiffers: it is no audio disc.
            RecorderMissing, RecorderBusy: the drive is unplugged, or burns.
        """
        medium = self._drive.readable()
        told = next((session.programme for session in medium.sessions if session.is_audio), "")
        if medium.damaged or not told:
            raise MediumDiffers("the medium holds no audio that was closed")
        return Programme.read(told)

    def read_blocks(self, first: int, count: int) -> bytes:
        """Return data blocks, of whatever session they are, also of what a quick blanking left.

        Raises:
            MediumMissing: nothing is in the tray.
            MediumDiffers: a block was never written, or can't be read.
            RecorderMissing, RecorderBusy: the drive is unplugged, or burns.
        """
        medium = self._drive.readable()
        watch = Watch(self._drive.folder, medium.id)
        watch.look()
        sessions = medium.sessions or medium.remains
        return read_blocks(self._drive.folder.medium(medium.id), sessions, watch, range(first, first + count))

    def _prepare(self, order: BurnOrder) -> Preparation:
        state, medium = self._drive.tray()
        if medium is None:
            return Preparation(None, {})
        info = self._drive.probe()
        self._check_usable(state, medium)
        if order.programme is not None and not self._asked.audio:
            raise RecorderUnsuitable("the emulated drive writes no audio; use another recorder")
        check_follows(medium)
        rate = self._rate(medium.kind.family, order.block_size, order.speed)
        sink = {"folder": str(self._drive.folder.path), "medium": medium.id, "rate": rate}
        return Preparation(info, {**sink, "underrun_free": self._asked.underrun_free}, _CLOSING_SECONDS, rate)

    def _check_usable(self, state: State, medium: Medium) -> None:
        if medium.kind not in self._asked.writes:
            can = ", ".join(kind for kind in MediumKind if kind in self._asked.writes)
            raise RecorderUnsuitable(f"the emulated drive can't write a {medium.kind}; it writes {can}")
        if biting(state.faults, FaultName.MOUNTED, state.discs) is not None:
            raise FileSystemInUse(f"the {medium.kind} in the tray is mounted and in use; unmount it")

    def _rate(self, family: Family, block_size: int, asked: float | None) -> float | None:
        """Return bytes a second at the speed asked for, or what the drive makes of it."""
        speed = self._asked.slowest(asked)
        return None if speed is None else speed * speed_1x(family, block_size)
