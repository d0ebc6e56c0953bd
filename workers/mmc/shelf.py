"""Makes modelled media: blanks of every kind, their blocks in files of a folder."""

import itertools
from pathlib import Path
from typing import Self

from jobs.mastering.medium import Family, MediumKind
from workers.mmc.medium import AUDIO, DATA, Medium
from workers.mmc.sectors import SectorFile


class Shelf:
    """A folder of media; none is ever thrown away."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._numbers = itertools.count(1)
        self._files: list[SectorFile] = []

    def __enter__(self) -> Self:
        """Open the shelf."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files of all its media."""
        for file in self._files:
            file.close()

    def blank(self, kind: MediumKind, capacity: int | None = None) -> Medium:
        """Make a blank of a kind, as large as usual or of so many blocks."""
        paths = (self.folder / f"{kind}-{number}.sectors" for number in self._numbers)
        path = next(path for path in paths if not path.exists())
        slot = AUDIO if kind.family is Family.CD else DATA
        self._files.append(SectorFile(path, slot))
        return Medium(kind, capacity or kind.capacity, self._files[-1], file=str(path))
