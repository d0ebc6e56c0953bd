"""The tray, served by a person: it opens when a disc is done and waits for the next one."""

from collections.abc import Sequence
from pathlib import Path

from jobs.errors import MediumMissing
from jobs.mastering.medium import MediumKind
from jobs.mastering.recorder import Bin, DiscRecorder


class Tray:
    """A `Loader` that brings nothing by itself; what is wanted, and where a disc goes, the recorder's message says."""

    def __init__(self, recorder: DiscRecorder) -> None:
        self._recorder = recorder

    @property
    def inlet(self) -> str:
        """Name nothing but the tray."""
        return ""

    def stock(self) -> Sequence[MediumKind]:
        """Name nothing: without a person nothing comes in."""
        return ()

    def load(self, kind: MediumKind) -> None:
        """Refuse: a person has to do it.

        Raises:
            MediumMissing: always.
        """
        raise MediumMissing(f"put a blank {kind} into the tray")

    def unload(self, to: Bin, label: str) -> Path | None:  # noqa: ARG002  (the recorder's message says both)
        """Open the tray; a disc that a person took meanwhile is no trouble.

        Raises:
            MediumMissing: nothing is in the tray.
        """
        if self._recorder.probe() is None:
            raise MediumMissing("nothing is in the tray")
        self._recorder.eject()
        return None

    def resume(self) -> None:
        """Have nothing to do: what is in the tray can be seen."""

    def place_of(self, label: str) -> str | None:  # noqa: ARG002  (a person took it, or will)
        """Know nothing: a person has it."""
        return None
