"""The emulated recorder: a drive made of files, for demonstrations, integrators' tests and chaos."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from jobs.errors import MediumDiffers, MediumMissing, RecorderBusy
from jobs.mastering.medium import Family, MediumInfo, MediumKind
from jobs.mastering.programme import Programme
from jobs.mastering.progress import EraseProgress, ProgressListener
from jobs.mastering.recorder import BurnOrder, Device, Hold, Permit, RecorderFeatures, RecorderIdentity
from models.vocabulary import DiscFormat
from workers.loaders.emulated import EmulatedFeeder
from workers.locks import drive_is_free, drive_lock
from workers.recorders.burn_process import BurnProcess, Ear, Patience, Preparation, speed_1x
from workers.recorders.emulated_drive import EmulatedDrive
from workers.recorders.emulated_reading import Reading
from workers.recorders.emulated_uri import parse_uri
from workers.recorders.emulated_watch import Watch

#: Seconds that the drive says it needs to close a disc.
_CLOSING_SECONDS = 1.0


def open_device(uri: str, stall_after: float) -> Device:
    """Open the drive of a URI, made if missing.

    Raises:
        Faults: every fault of the URI.
    """
    asked = parse_uri(uri)
    asked = replace(asked, folder=asked.folder.absolute())  # others read the URI in folders of their own
    drive = EmulatedDrive(asked.folder)
    drive.configure(asked)
    recorder = EmulatedRecorder(str(asked), drive, asked.speed, Patience(stall_after))
    return Device(recorder, EmulatedFeeder(drive))


class EmulatedRecorder:
    """A `DiscRecorder` made of files; `speed` is in multiples of 1x, None for as fast as the disk goes."""

    def __init__(self, uri: str, drive: EmulatedDrive, speed: float | None, patience: Patience) -> None:
        self._uri = uri
        self._drive = drive
        self._speed = speed
        self._burns = BurnProcess(self, self._prepare, patience)

    @property
    def uri(self) -> str:
        """How the device was asked for."""
        return self._uri

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
        """Say what the device can do: everything, as fast as the URI says.

        Raises:
            RecorderMissing: it is unplugged.
        """
        self._drive.tray()
        return RecorderFeatures(frozenset(MediumKind), frozenset(DiscFormat), self._speed)

    def hold(self) -> Hold:
        """Keep everybody else away from the drive.

        Raises:
            RecorderMissing: it is unplugged.
            RecorderBusy: somebody else uses it.
        """
        self._drive.tray()
        lock = drive_lock(self)
        lock.acquire()
        return lock

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

    def blank(self, listener: ProgressListener, *, full: bool = False) -> None:
        """Make a rewritable medium blank again; files have nothing to gain from a full one.

        Raises:
            MediumMissing: nothing is in the tray.
            MediumUnsuitable: it is write-once.
            RecorderMissing, RecorderBusy: the drive is unplugged, or burns.
        """
        ear = Ear(listener)
        ear.notify(EraseProgress(0.0, float(full)))
        self._drive.erase()

    def record(self, order: BurnOrder, listener: ProgressListener, permit: Permit) -> None:
        """Burn one session and close the disc, at the URI's speed or the order's, the lower of both."""
        self._burns.record(order, listener, permit)

    def read_back(self, size: int) -> Iterator[bytes]:
        """Yield the first `size` bytes of the last session; one that was not closed can't be read.

        Raises:
            MediumMissing: nothing is in the tray, or not any more.
            MediumDiffers: a block can't be read.
            RecorderMissing, RecorderBusy: the drive is unplugged, or burns.
        """
        _, medium = self._drive.tray()
        if medium is None:
            raise MediumMissing("nothing is in the tray")
        if not drive_is_free(self):
            raise RecorderBusy("the drive burns; wait until it is done")
        if medium.damaged or not medium.sessions:
            raise MediumDiffers("the medium holds no closed session")
        session, family = medium.sessions[-1], medium.kind.family
        watch = Watch(self._drive.folder, medium.id)
        rate = self._rate(family, session.block_size, self._speed)
        return Reading(self._drive.folder.medium(medium.id), session, watch, rate).pieces(size)

    def read_programme(self) -> Programme:
        """Say what an audio disc tells of itself.

        Raises:
            MediumDiffers: it is no audio disc.
        """
        raise MediumDiffers("the medium holds no audio")

    def read_blocks(self, first: int, count: int) -> bytes:
        """Return data blocks, of whatever session they are.

        Raises:
            MediumMissing: nothing is in the tray.
            MediumDiffers: a block was never written.
        """
        _, medium = self._drive.tray()
        if medium is None:
            raise MediumMissing("nothing is in the tray")
        for session in medium.sessions:
            if session.first <= first <= session.last:
                with self._drive.folder.medium(medium.id).data.open("rb") as data:
                    data.seek(session.offset + (first - session.first) * session.block_size)
                    return data.read(min(count, session.last + 1 - first) * session.block_size)
        raise MediumDiffers(f"block {first} was never written")

    def _prepare(self, order: BurnOrder) -> Preparation:
        state, medium = self._drive.tray()
        if medium is None:
            return Preparation(None, {})
        speeds = [speed for speed in (self._speed, order.speed) if speed is not None]
        rate = self._rate(medium.kind.family, order.block_size, min(speeds, default=None))
        sink = {"type": "emulated", "folder": str(self._drive.folder.path), "medium": medium.id, "rate": rate}
        return Preparation(medium.info(state.load), sink, _CLOSING_SECONDS)

    @staticmethod
    def _rate(family: Family, block_size: int, speed: float | None) -> float | None:
        """Return bytes a second."""
        return None if speed is None else speed * speed_1x(family, block_size)
