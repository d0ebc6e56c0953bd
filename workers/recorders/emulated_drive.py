"""The emulated drive as those see it who stand beside it: trays, discs, shelves, faults, the plug."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from jobs.errors import MediumMissing, NotAllowed, OrderError, RecorderError
from jobs.mastering.medium import BLOCK, MediumInfo, MediumKind, MediumStatus
from jobs.mastering.recorder import Bin
from workers.locks import FileLock, is_free
from workers.recorders.emulated_faults import FaultName, biting, parse_fault
from workers.recorders.emulated_medium import Medium, MediumFolder, begun, ended, erased, left_appendable, new_medium
from workers.recorders.emulated_shelf import leave_for_shelf
from workers.recorders.emulated_state import DriveFolder, Leaving, State
from workers.recorders.emulated_uri import EmulatedUri

#: What lies on a used disc that the feeder brings by mistake.
_OLD_DATA = b"used before; not by this drive. ".ljust(BLOCK, b".") * 32


class EmulatedDrive:
    """A drive made of files in a folder; all methods may be called from any process, also during a burn.

    Each raises RecorderMissing where the folder holds no drive, and RecorderBusy if it would have to take the
    medium from under a burn. `access` is the seconds to wait for somebody who uses the medium just now.
    """

    def __init__(self, folder: Path, access: float = 2.0) -> None:
        self.folder = DriveFolder(folder.absolute())
        self._access = access

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

    def insert(self, kind: str, status: MediumStatus = MediumStatus.BLANK) -> None:
        """Put a disc into the empty tray; `appendable` and `complete` ones are used.

        Raises:
            OrderError: there is no such kind.
            NotAllowed: the tray is not empty.
        """
        wanted = medium_kind(kind)
        with self._alone() as state:
            if state.medium is not None:
                raise NotAllowed("a disc is in the tray; remove it first")
            state.discs += 1
            self._put_in(state, wanted, status)
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
                "busy": not is_free(self.folder.drive_lock),
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
        """Say what a drive says of its medium."""
        state, medium = self.tray()
        return None if medium is None else medium.info(state.load)

    def erase(self) -> None:
        """Make the medium in the tray blank.

        Raises:
            MediumMissing: nothing is in the tray.
            MediumUnsuitable: it is write-once.
        """
        with self._alone() as state:
            if state.medium is None:
                raise MediumMissing("nothing is in the tray; load a rewritable medium")
            folder = self._medium_folder(state.medium)
            blank = erased(folder.load())
            folder.log("blanked", erases=blank.erases)
            folder.save(blank)
            folder.data.unlink(missing_ok=True)

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
    def _alone(self) -> Iterator[State]:
        """Keep burns and others off the medium while it is moved."""
        with contextlib.closing(FileLock(self.folder.drive_lock)) as lock:
            self.folder.read().check_plugged()
            lock.acquire(wait=self._access)
            with self.folder.change() as state:
                state.check_plugged()
                yield state

    def _medium_folder(self, medium: str) -> MediumFolder:
        return self.folder.medium(medium)

    def _medium(self, state: State) -> Medium | None:
        return None if state.medium is None else self._medium_folder(state.medium).load()

    def _put_in(self, state: State, kind: MediumKind, status: MediumStatus) -> None:
        state.changes += 1
        state.medium = f"{state.serial}-{state.discs:05d}"
        folder = self._medium_folder(state.medium)
        medium = new_medium(state.medium, kind)
        folder.save(medium)
        if status in {MediumStatus.APPENDABLE, MediumStatus.COMPLETE}:
            _use(folder, medium, status)

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


def _use(folder: MediumFolder, medium: Medium, status: MediumStatus) -> None:
    """Make a medium one that somebody burnt elsewhere: it has data, and no writes of ours."""
    folder.data.write_bytes(_OLD_DATA)
    used = ended(begun(medium, len(_OLD_DATA) // BLOCK, BLOCK, "used"))
    appendable = status is MediumStatus.APPENDABLE and used.status is MediumStatus.COMPLETE
    folder.save(left_appendable(used) if appendable else used)


def medium_kind(word: str) -> MediumKind:
    """Read the name of a kind, as people write it.

    Raises:
        OrderError: it is none.
    """
    if word not in set(MediumKind):
        raise OrderError(f"unknown kind of medium {word!r}; choose one of {', '.join(MediumKind)}")
    return MediumKind(word)
