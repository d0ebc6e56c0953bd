"""Real recorders: `scsi:/dev/sr0`, or better `scsi:ID` with a drive's stable id or serial number.

Burning is the burn programs' business; everything else we ask the drive ourselves. Whatever is done is done under the
drive's lock, so that nobody asks it anything while it burns.
"""

import contextlib
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jobs.errors import (
    DiscUnreadable,
    MediumDiffers,
    MediumMissing,
    MediumUnsuitable,
    NotFound,
    OrderError,
    RecorderBusy,
    RecorderMissing,
    RecorderNotAccessible,
    RecorderUnsuitable,
)
from jobs.mastering.cd_text import read_packs
from jobs.mastering.medium import BLOCK, Family, MediumInfo
from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.progress import ProgressListener
from jobs.mastering.recorder import BurnOrder, Device, Hold, Permit, RecorderFeatures, RecorderIdentity
from jobs.settings import program_environment
from models.vocabulary import DiscFormat
from workers.durable import write_durably
from workers.loaders.changer import Changer, Rig
from workers.loaders.changer_device import ChangerDevice
from workers.loaders.changer_uri import Shelving, parse_uri
from workers.loaders.mtx import Mtx
from workers.loaders.robot_journal import Journal
from workers.loaders.tray import Tray
from workers.locks import FileLock, drive_lock, share_folder
from workers.recorders.burn_process import BurnProcess, Preparation, speed_1x
from workers.recorders.burn_watch import Patience
from workers.recorders.libburn_blanking import Blanking
from workers.recorders.libburn_command import can_simulate
from workers.recorders.scsi import ScsiDevice, SgIo
from workers.recorders.scsi_devices import find_drive
from workers.recorders.scsi_drive import ScsiDrive
from workers.recorders.scsi_toc import Toc

SCHEME = "scsi"
#: Seconds: to wait for the drive's lock, for a burn program that was told to stop, which may take a whole burn.
_ACCESS, _GRACE = 2.0, 4440.0
#: Seconds that a glance at the tray waits for a drive that spins up; before a burn it may take its time.
_GLANCE, _SPIN_UP = 5.0, 60.0
#: Seconds that closing takes, by family; drives are silent meanwhile.
_CLOSING = {Family.CD: 60.0, Family.DVD: 90.0, Family.DVD_DL: 180.0, Family.BD: 180.0}
#: The feature of drives that write a CD at once (MMC-6 5.3.28): without it there is no audio.
_CD_MASTERING = 0x002E


def open_device(uri: str, stall_after: float, home: Path) -> Device:
    """Open the drive of a URI, and the changer it is in; the changer's journal is kept in `home`.

    Raises:
        OrderError: it names no drive, or has faults.
        RecorderMissing, RecorderNotAccessible: there is no such drive or changer, or not for this user.
        RecorderUnsuitable: what is named as the changer is none.
    """
    wanted, shelving = parse_uri(uri)
    if not wanted:
        raise OrderError(f"recorder {uri!r}: say {SCHEME}:/dev/sr0, or {SCHEME}: and a drive's id or serial number")
    recorder = LibburnRecorder(uri, Whereabouts.find(wanted), Patience(stall_after, _GRACE))
    _share_locks(recorder.locks)
    return Device(recorder, Tray(recorder) if shelving is None else _changer(recorder, shelving, home))


def _changer(recorder: "LibburnRecorder", shelving: Shelving, home: Path) -> Changer:
    found = ChangerDevice.find(shelving.changer)
    locks = locks_of(found.device_id)
    _share_locks(locks)
    rig = Rig(found.device_id, Mtx(found.now), Journal(home / "robots" / locks.name), locks / "robot")
    return Changer(recorder, shelving, rig)


def _share_locks(locks: Path) -> None:
    try:
        share_folder(share_folder(locks.parent) / locks.name)
    except OSError as error:
        message = (
            f"{locks} can't hold the device's locks: {error.strerror}; remove {locks.parent} if it is another user's"
        )
        raise RecorderNotAccessible(message) from error


def locks_of(device_id: str) -> Path:
    """Return the folder of a device's locks, the same for all users of this host."""
    shared = Path("/run/lock")
    folder = (shared if shared.is_dir() else Path(tempfile.gettempdir())) / "discmill"
    return folder / re.sub(r"[^A-Za-z0-9._-]", "_", device_id)


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Which drive is meant, and the device file it had when it was found.

    Who it is was learnt without disturbing it, or before anything was burnt: it is known while somebody burns, too.
    """

    identity: RecorderIdentity
    node: Path

    @classmethod
    def find(cls, wanted: str) -> "Whereabouts":
        """Find a drive by its id, its serial number or its device file.

        Raises:
            RecorderMissing, RecorderNotAccessible: it is not there, or not for this user.
        """
        try:
            found = find_drive(wanted)
        except NotFound as error:
            if not wanted.startswith("/"):
                raise RecorderMissing(error.message) from error
        else:
            if found.device_id:
                names = found.vendor, found.product, found.revision, found.serial
                return cls(RecorderIdentity(*names, found.device_id), found.node)
        node = Path(wanted)  # a device file that the kernel tells nothing of: a container's, or a modelled drive
        with contextlib.closing(ScsiDrive(ScsiDevice(SgIo(node)))) as drive:
            return cls(drive.identify(), node)

    @property
    def now(self) -> Path:
        """The device file it has now: the number of a drive that was plugged in anew is another."""
        try:
            return find_drive(self.identity.device_id).node
        except NotFound:
            return self.node

    @property
    def load(self) -> str:
        """What the kernel counts media changes by; empty where it does not."""
        try:
            return Path(f"/sys/block/{self.now.name}/diskseq").read_text(encoding="ascii").strip()
        except OSError:
            return ""


class LibburnRecorder:
    """A `DiscRecorder` that burns with xorriso and cdrskin."""

    def __init__(self, uri: str, place: Whereabouts, patience: Patience) -> None:
        self._uri = uri
        self._place = place
        self._hold: DriveHold | None = None
        self._burns = BurnProcess("libburn", self, self._prepare, patience)

    @property
    def uri(self) -> str:
        """How the device was asked for."""
        return self._uri

    @property
    def locks(self) -> Path:
        """The folder of the device's lock files, the same for all users of this host."""
        return locks_of(self._place.identity.device_id)

    def identify(self) -> RecorderIdentity:
        """Say which device this is. No command is sent: a burn may be under way that an earlier worker left.

        Raises:
            RecorderMissing: it is gone.
        """
        SgIo(self._place.now).close()
        return self._place.identity

    def features(self) -> RecorderFeatures:
        """Say what the device can do.

        Raises:
            RecorderMissing: it is gone.
        """
        with self._using() as drive:
            told = drive.configuration()
            speeds = drive.write_speeds()
        audio = _CD_MASTERING in told.features
        formats = frozenset(DiscFormat) if audio else frozenset(DiscFormat) - {DiscFormat.REDBOOK}
        family = told.kind.family if told.kind else Family.CD
        fastest = round(speeds[0] / family.speed_1x, 1) if speeds and told.kind else None
        return RecorderFeatures(told.kinds, formats, fastest, reads_text=told.reads_text)

    def probe(self) -> MediumInfo | None:
        """Say what is in the tray.

        Raises:
            RecorderMissing: the device is gone.
            RecorderBusy: it burns or gets ready, another program uses it, or its disc is mounted.
            DiscUnreadable, MediumUnsuitable: it can't say, or nobody writes such a disc.
        """
        with self._using(exclusive=True) as drive:
            return self._medium(drive, _GLANCE)

    def hold(self) -> Hold:
        """Keep everybody else away from the device; this recorder itself may still eject, blank and read.

        Raises:
            RecorderMissing: the device is gone.
            RecorderBusy: somebody uses it.
        """
        if self._is_held:
            raise RecorderBusy("the drive is held already")
        self._hold = DriveHold(drive_lock(self), lambda: _open(self._place, exclusive=True))
        return self._hold

    def eject(self) -> None:
        """Unlock the tray and open it.

        Raises:
            RecorderMissing: the device is gone.
            RecorderBusy: it burns.
        """
        with self._using(exclusive=True) as drive:
            drive.open_tray()

    def load(self) -> None:
        """Close the tray, and wait until what is on it can be used; an empty one is only closed.

        Raises:
            RecorderMissing: the device is gone.
            RecorderBusy: it burns.
        """
        with self._using(exclusive=True) as drive, contextlib.suppress(MediumMissing):
            drive.close_tray()
            drive.wait_until_ready()

    def unlock(self) -> None:
        """Let the tray be opened by hand.

        Raises:
            RecorderMissing: the device is gone.
            RecorderBusy: it burns.
        """
        with self._using(exclusive=True) as drive:
            drive.lock_tray(locked=False)

    def blank(self, listener: ProgressListener, *, full: bool = False) -> None:
        """Make a rewritable medium blank again; see `DiscRecorder.blank`."""
        with self._access() as lock, contextlib.closing(_open(self._place)) as drive:
            medium = self._medium(drive)
            if medium is None:
                raise MediumMissing("nothing is in the tray; load a rewritable medium")
            if not medium.kind.is_rewritable:
                raise MediumUnsuitable(f"the {medium.kind} in the tray is write-once; load a rewritable one")
            drive.close()
            with contextlib.nullcontext() if self._hold is None else self._hold.lent():
                Blanking(self._place.now, medium, listener, lock.fd).run(full=full)

    def expect(self, image: Path | None) -> None:
        """Have a burner wait for the burn of an image."""
        self._burns.expect(image)

    def record(self, order: BurnOrder, listener: ProgressListener, permit: Permit) -> None:
        """Burn one session and close the disc, or leave it open for another."""
        self._burns.record(order, listener, permit)

    def read_back(self, size: int) -> Iterator[bytes]:
        """Yield the first `size` bytes of the last session; never a block past them.

        Raises:
            MediumMissing: nothing is in the tray.
            MediumDiffers: a block can't be read.
            RecorderMissing, RecorderBusy: the device is gone, or burns.
        """
        with self._using(exclusive=True) as drive:
            medium = self._present(drive)
            is_audio = medium.kind.family is Family.CD and any(track.is_audio for track in _toc(drive).tracks)
            read = drive.read_audio if is_audio else drive.read
            with drive.locked():
                yield from read(medium.last_session, size)

    def read_programme(self) -> Programme:
        """Say what an audio disc tells of itself; of pregaps and indexes a table of contents says nothing.

        Raises:
            MediumMissing: nothing is in the tray.
            MediumDiffers: it can't be read, or is no audio disc.
            RecorderMissing, RecorderBusy: the device is gone, or burns.
        """
        with self._using(exclusive=True) as drive:
            medium = self._present(drive)
            toc = _toc(drive) if medium.kind.family is Family.CD else Toc((), 0)
            if not toc.tracks or not all(track.is_audio for track in toc.tracks):
                raise MediumDiffers("the disc in the tray is no audio disc")
            return _programme(toc, drive)

    def read_blocks(self, first: int, count: int) -> bytes:
        """Return data blocks, of whatever session they are; fewer where what is written ends.

        Raises:
            MediumMissing: nothing is in the tray.
            MediumDiffers: a block can't be read.
            RecorderMissing, RecorderBusy: the device is gone, or burns.
        """
        with self._using(exclusive=True) as drive:
            self._present(drive)
            there = max(0, min(count, drive.readable_blocks() - first))
            return b"".join(drive.read(first, there * BLOCK))

    # What stands behind all of it.

    @property
    def _is_held(self) -> bool:
        return self._hold is not None and self._hold.lock.is_held

    @contextlib.contextmanager
    def _access(self) -> Iterator[FileLock]:
        """Have the drive's lock: the hold's, or one for this access alone."""
        if self._hold is not None and self._hold.lock.is_held:
            yield self._hold.lock
            return
        with contextlib.closing(drive_lock(self)) as lock:
            lock.acquire(wait=_ACCESS)
            yield lock

    @contextlib.contextmanager
    def _using(self, *, exclusive: bool = False) -> Iterator[ScsiDrive]:
        exclusive = exclusive and not self._is_held  # the hold has it so already
        with self._access(), contextlib.closing(_open(self._place, exclusive=exclusive)) as drive:
            yield drive

    def _present(self, drive: ScsiDrive) -> MediumInfo:
        medium = self._medium(drive)
        if medium is None:
            raise MediumMissing("nothing is in the tray")
        return medium

    def _medium(self, drive: ScsiDrive, patience: float = _SPIN_UP) -> MediumInfo | None:
        return drive.medium(self._place.load or self._load(drive), patience)

    def _load(self, drive: ScsiDrive) -> str:
        """Return a name for what was loaded last, where the kernel does not count: kept until the host restarts."""
        file = self.locks / "load"
        if drive.has_new_medium() or not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_durably(file, secrets.token_hex(8))
        return file.read_text(encoding="ascii")

    def _prepare(self, order: BurnOrder) -> Preparation:
        """Look at drive and medium; the lock is held by whoever calls."""
        with contextlib.closing(_open(self._place)) as drive:
            medium = self._medium(drive)
            features = drive.configuration()
            speeds = drive.write_speeds()
        if medium is None:
            return Preparation(None, {})
        if order.programme is not None and _CD_MASTERING not in features.features:
            raise RecorderUnsuitable("the drive writes no audio; use another recorder")
        if order.simulate and not can_simulate(medium):
            raise RecorderUnsuitable(f"a burn of a {medium.kind} can't be simulated; try a cd-r or dvd-r")
        family = medium.kind.family
        fastest = speeds[0] / family.speed_1x if speeds else None
        speed = min(filter(None, (order.speed, fastest)), default=None)
        rate = None if speed is None else speed * speed_1x(family, order.block_size)
        order.evidence.mkdir(parents=True, exist_ok=True)
        sink = {"node": str(self._place.now), "folder": str(order.evidence.absolute())}
        needs = {**sink, "speed": order.speed, "environment": program_environment()}
        return Preparation(medium, needs, _CLOSING[family], rate)


class DriveHold:
    """A drive kept from everybody: by its lock from those who ask for that, by O_EXCL from all other programs.

    Raises:
        RecorderBusy: somebody has the lock, or the device, or its disc is mounted.
        RecorderMissing: the device is gone.
    """

    def __init__(self, lock: FileLock, take: Callable[[], ScsiDrive]) -> None:
        self.lock = lock
        self._take = take
        lock.acquire()
        try:
            self._drive = take()
        except BaseException:
            lock.close()
            raise

    @contextlib.contextmanager
    def lent(self) -> Iterator[None]:
        """Leave the device to a program of ours, which asks for it alone."""
        self._drive.close()
        try:
            yield
        finally:
            if self.lock.is_held:
                self._drive = self._take()

    def close(self) -> None:
        """Let go."""
        self._drive.close()
        self.lock.close()


def _open(place: Whereabouts, *, exclusive: bool = False) -> ScsiDrive:
    return ScsiDrive(ScsiDevice(SgIo(place.now, exclusive=exclusive)))


def _toc(drive: ScsiDrive) -> Toc:
    try:
        return drive.toc()
    except DiscUnreadable as error:
        raise MediumDiffers(error.message) from error


def _programme(toc: Toc, drive: ScsiDrive) -> Programme:
    packs = drive.cd_text()
    text, texts, _, _ = read_packs(packs) if packs else (DiscText(), [], "", [])
    texts = [*texts, *([DiscText()] * (len(toc.tracks) - len(texts)))]
    ends = [following.start for _, following in pairwise(toc.tracks)] + [toc.lead_out]
    tracks = tuple(
        Track(
            blocks=end - track.start,
            pregap=track.start if number == 0 else 0,
            isrc=drive.isrc(track.number),
            copy_permitted=track.copy_permitted,
            pre_emphasis=track.pre_emphasis,
            text=texts[number],
        )
        for number, (track, end) in enumerate(zip(toc.tracks, ends, strict=True))
    )
    return Programme(tracks, drive.mcn(), text)
