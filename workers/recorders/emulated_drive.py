"""The emulated drive as those see it who stand beside it: trays, discs, shelves, faults, the plug."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from jobs.errors import DiscUnreadable, MediumMissing, NotAllowed, OrderError, RecorderBusy, RecorderError
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.mastering.recorder import Bin
from workers.locks import FileLock, is_free
from workers.recorders.emulated_faults import FaultName, biting, parse_fault
from workers.recorders.emulated_medium import Medium, MediumFolder
from workers.recorders.emulated_sessions import new_medium
from workers.recorders.emulated_shelf import leave_for_shelf
from workers.recorders.emulated_state import DriveFolder, Leaving, State
from workers.recorders.emulated_uri import EmulatedUri

#: What a disc is that holds data when it is put in.
_USED = {MediumStatus.APPENDABLE, MediumStatus.COMPLETE}


class EmulatedDrive:
    """A drive made of files in a folder; all methods may be called from any process, also during a burn.

    Each raises RecorderMissing where the folder holds no drive, and RecorderBusy if it would have to take the
    medium from under a burn, or from somebody else who holds the drive. `access` is the seconds to wait for them.
    """

    def __init__(self, folder: Path, access: float = 2.0) -> None:
        self.folder = DriveFolder(folder.absolute())
        self._access = access
        self._hold = FileLock(self.folder.drive_lock)

    @property
    def locks(self) -> Path:
        """The folder of the device's lock files."""
        return self.folder.path / "locks"

    def configure(self, asked: EmulatedUri) -> None:
        """Make the drive if need be; a feed or faults other than last time replace what is there."""
        self.folder.create()
        feed = {str(kind): count for kind, count in asked.feed.items()}
        script = [str(fault) for fault in asked.faults]
        with self.folder.change() as state:
            if state.feed != json.dumps(feed):
                state.feed, state.left = json.dumps(feed), feed
            if state.script != script:
                state.script, state.faults = script, list(script)

    # What an operator or a test does.

    def insert(self, kind: str, status: MediumStatus = MediumStatus.BLANK, image: Path | None = None) -> None:
        """Put a disc into the empty tray; `appendable` and `complete` ones are used and hold `image`, or ours.

        Raises:
            OrderError: there is no such kind, or the image can't be on it.
            NotAllowed: the tray is not empty.
        """
        wanted = medium_kind(kind)
        if image is not None and status not in _USED:
            raise OrderError(f"a {status} {kind} holds no image; say appendable or complete")
        with self._alone() as state:
            if state.medium is not None:
                raise NotAllowed("a disc is in the tray; remove it first")
            state.discs += 1
            self._put_in(state, wanted, status, image)
            state.from_feeder = False

    def remove(self) -> Path | None:
        """Take the disc out; one that was written to goes to the reject shelf: nobody found it good.

        Returns its file there. Nothing happens if the tray is empty.
        """
        with contextlib.suppress(MediumMissing):
            return self.take_out(Bin.REJECT, self.folder.read().medium or "")
        return None

    def add_fault(self, spec: str) -> None:
        """Script one more fault; a running burn meets it too.

        Raises:
            Faults: the words make no sense.
        """
        fault = str(parse_fault(spec))
        with self.folder.change() as state:
            state.faults.append(fault)

    def clear_faults(self) -> None:
        """Forget all faults, those of the URI too; a stalled drive goes on."""
        with self.folder.change() as state:
            state.faults = []

    def unplug(self) -> None:
        """Pull the plug: whoever uses the drive fails."""
        with self.folder.change() as state:
            state.unplugged = True

    def replug(self) -> None:
        """Plug the drive in again; it can't know whether its medium is still the same one."""
        with self.folder.change() as state:
            state.changes += 1 if state.unplugged else 0
            state.unplugged = False

    def status(self) -> dict[str, object]:
        """Return all that can be seen of the drive, as JSON values."""
        with self.folder.change() as state:
            medium = self._medium(state)
            return {
                "folder": str(self.folder.path),
                "serial": state.serial,
                "plugged": not state.unplugged,
                "busy": self.is_busy,
                "discs": state.discs,
                "medium": None if medium is None else {**asdict(medium), "load": state.load},
                "feeder": dict(state.left),
                "faults": list(state.faults),
            }

    # What the recorder and the feeder do.

    def tray(self) -> tuple[State, Medium | None]:
        """Look at the drive and its medium.

        Raises:
            RecorderMissing: it is unplugged.
        """
        with self.folder.change() as state:
            state.check_plugged()
            return state, self._medium(state)

    def probe(self) -> MediumInfo | None:
        """Say what a drive says of its medium.

        Raises:
            RecorderMissing: it is unplugged.
            DiscUnreadable: it can't say.
        """
        state, medium = self.tray()
        if medium is None:
            return None
        if biting(state.faults, FaultName.INFO_ERROR, state.discs) is not None:
            raise DiscUnreadable(f"the emulated drive can't read what the {medium.kind} in its tray is; change it")
        return medium.info(state.load)

    @property
    def is_busy(self) -> bool:
        """True while somebody burns or holds the drive."""
        return not is_free(self.folder.drive_lock)

    def hold(self) -> FileLock:
        """Keep all others away until the hold is closed; this object goes on as before.

        Raises:
            RecorderMissing: it is unplugged.
            RecorderBusy: somebody burns or holds it.
        """
        self.tray()
        if self._hold.is_held:
            raise RecorderBusy("the emulated drive is held already")
        hold = FileLock(self.folder.drive_lock)
        hold.acquire()
        self._hold = hold
        return hold

    def readable(self) -> Medium:
        """Return the medium in the tray, for reading.

        Raises:
            RecorderMissing: the drive is unplugged.
            MediumMissing: nothing is in the tray.
            RecorderBusy: somebody else burns or holds the drive.
            DiscUnreadable: the drive can't say what is on it.
        """
        _, medium = self.tray()
        if medium is None:
            raise MediumMissing("nothing is in the tray")
        if self.is_busy and not self._hold.is_held:
            raise RecorderBusy("somebody else burns or holds the drive; wait until it is done")
        self.probe()
        return medium

    def stock(self) -> list[MediumKind]:
        """Name the kinds of blanks in the feeder, the preferred first."""
        with self.folder.change() as state:
            if biting(state.faults, FaultName.FEEDER_EMPTY, 0) is not None:
                return []
            return [MediumKind(kind) for kind, left in state.left.items() if left is None or left > 0]

    def bring(self, kind: MediumKind) -> None:
        """Have the feeder bring a blank, or what its faults make of it; an untouched medium goes back first.

        Raises:
            MediumMissing: it has none of this kind.
            RecorderError: a disc that was written to is in the tray.
        """
        with self._alone() as state:
            self._put_back(state)
            left = state.left.get(kind, 0)
            if left == 0 or biting(state.faults, FaultName.FEEDER_EMPTY, 0) is not None:
                raise MediumMissing(f"the feeder has no {kind} left; refill it")
            state.discs += 1
            if biting(state.faults, FaultName.NO_MEDIUM, state.discs) is not None:
                return
            state.left[kind] = None if left is None else left - 1
            state.from_feeder = True
            self._put_in(state, *_what_comes(state, kind))

    def take_out(self, to: Bin, label: str) -> Path | None:
        """Take the medium out: to the shelf, or if it is untouched back where it came from; return its file.

        Raises:
            MediumMissing: nothing is in the tray.
        """
        with self._alone() as state:
            if state.medium is None:
                raise MediumMissing("nothing is in the tray")
            if self._medium_folder(state.medium).is_untouched:
                self._put_back(state)
                return None
            folder, medium = self._medium_folder(state.medium), state.medium
            state.medium, state.changes = None, state.changes + 1
            state.leaving, path = leave_for_shelf(folder, self.folder.path / "shelf" / to, label or medium)
            return path

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Keep burns and others off the drive while its medium is moved or erased; a hold of ours does so already."""
        self.folder.read().check_plugged()
        with contextlib.closing(FileLock(self.folder.drive_lock)) as lock:
            if not self._hold.is_held:
                lock.acquire(wait=self._access)
            yield

    @contextlib.contextmanager
    def _alone(self) -> Iterator[State]:
        """Keep burns and others off the medium, and change the drive's state."""
        with self.using(), self.folder.change() as state:
            state.check_plugged()
            yield state

    def _medium_folder(self, medium: str) -> MediumFolder:
        return self.folder.medium(medium)

    def _medium(self, state: State) -> Medium | None:
        return None if state.medium is None else self._medium_folder(state.medium).load()

    def _put_in(self, state: State, kind: MediumKind, status: MediumStatus, image: Path | None = None) -> None:
        state.changes += 1
        state.medium = f"{state.serial}-{state.discs:05d}"
        folder = self._medium_folder(state.medium)
        medium = new_medium(state.medium, kind)
        folder.save(medium)
        if status in _USED:
            from workers.recorders.emulated_used import use  # noqa: PLC0415  (a layout takes long to import)

            try:
                use(folder, medium, status, image)
            except BaseException:
                shutil.rmtree(folder.path)
                raise

    def _put_back(self, state: State) -> None:
        if state.medium is None:
            return
        folder = self._medium_folder(state.medium)
        if not folder.is_untouched:
            raise RecorderError("the disc in the tray was written to; unload it first")
        kind, left = folder.load().kind, state.left
        if state.from_feeder and left.get(kind, 0) is not None:
            left[kind] = (left.get(kind) or 0) + 1
        state.leaving = Leaving(state.medium)
        state.medium, state.changes = None, state.changes + 1


def _what_comes(state: State, kind: MediumKind) -> tuple[MediumKind, MediumStatus]:
    """Say what the feeder brings when it is asked for a blank of a kind."""
    if biting(state.faults, FaultName.WRONG_MEDIUM, state.discs) is not None:
        others = (MediumKind.CD_R, MediumKind.DVD_R)
        kind = next(other for other in others if other.family is not kind.family)
    dirty = biting(state.faults, FaultName.DIRTY_MEDIUM, state.discs) is not None
    return kind, MediumStatus.COMPLETE if dirty else MediumStatus.BLANK


def medium_kind(word: str) -> MediumKind:
    """Read the name of a kind, as people write it.

    Raises:
        OrderError: it is none.
    """
    if word not in set(MediumKind):
        raise OrderError(f"unknown kind of medium {word!r}; choose one of {', '.join(MediumKind)}")
    return MediumKind(word)
