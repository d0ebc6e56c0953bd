"""The feeder of an emulated drive: brings blanks, takes discs to a shelf of plain files."""

from collections.abc import Sequence
from pathlib import Path

from jobs.mastering.medium import MediumKind
from jobs.mastering.recorder import Bin
from workers.recorders.emulated_drive import EmulatedDrive
from workers.recorders.emulated_shelf import find_on_shelf


class EmulatedFeeder:
    """A `Loader` whose stock the drive's URI says."""

    def __init__(self, drive: EmulatedDrive) -> None:
        self._drive = drive

    @property
    def inlet(self) -> str:
        """Name nothing: `discmill emulate NAME insert` puts blanks into the tray."""
        return ""

    def stock(self) -> Sequence[MediumKind]:
        """Name the kinds of blanks that are left, the preferred first."""
        return self._drive.stock()

    def load(self, kind: MediumKind) -> None:
        """Bring in a blank of this kind; an untouched medium in the tray goes back first.

        Raises:
            MediumMissing: none is left.
            RecorderMissing: the drive is unplugged.
            RecorderError: a disc that was written to is in the tray.
        """
        self._drive.bring(kind)

    def unload(self, to: Bin, label: str) -> Path | None:
        """Take the medium out; return its file, or None for an untouched one, which goes back.

        Raises:
            MediumMissing: nothing is in the tray.
            RecorderMissing: the drive is unplugged.
        """
        return self._drive.take_out(to, label)

    def resume(self) -> None:
        """Have nothing to do: what it moves is somewhere at any moment."""

    def place_of(self, label: str) -> str | None:
        """Say which file of the shelf a disc is."""
        file = find_on_shelf(self._drive.folder.path / "shelf", label)
        return None if file is None else str(file)
