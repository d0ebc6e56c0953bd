"""What can be ordered: content, and how it is to be burnt; every fault of it at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jobs.errors import OrderError
from jobs.mastering.medium import MediumKind, requested_medium
from models.vocabulary import Nonblank, StageMode

MOST_COPIES = 100_000


class ContentKind(StrEnum):
    """How the content of an order is given."""

    DATA = "data"  #: files and folders
    IMAGE = "image"  #: a ready-made ISO
    MANIFEST = "manifest"  #: a JSON manifest file, of data or audio
    AUDIO = "audio"  #: audio files, a track each
    CUE = "cue"  #: a CUE sheet


@dataclass(frozen=True, slots=True)
class Boot:
    """A file of the disc that computers start from: `path` is its place there; see docs/manifest.md for the words."""

    path: str
    platform: str = "x86"
    emulation: str = "none"
    manufacturer: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What goes on the disc. `volume_id` and `title` default to what the sources suggest; `boot` is for data."""

    kind: ContentKind
    paths: tuple[Path, ...]
    volume_id: str = ""
    title: str = ""
    boot: tuple[Boot, ...] = ()


def data_disc(*paths: str | Path, volume_id: str = "", title: str = "", boot: Sequence[Boot] = ()) -> Content:
    """Order files and folders; a folder gives its content to the disc's root, several are merged.

    `boot` names files among them that computers start from, the first being the default.
    """
    return Content(ContentKind.DATA, tuple(map(Path, paths)), volume_id, title, tuple(boot))


def image_disc(path: str | Path, *, title: str = "") -> Content:
    """Order a ready-made ISO, burnt bit for bit."""
    return Content(ContentKind.IMAGE, (Path(path),), title=title)


def audio_disc(*files: str | Path, title: str = "", cue: str | Path | None = None) -> Content:
    """Order an audio disc: files in the order of its tracks, or what a CUE sheet says.

    Raises:
        OrderError: both are given, or neither.
    """
    if bool(files) is (cue is not None):
        message = "an audio disc is made of files, or of one CUE sheet; give one or the other"
        raise OrderError(message)
    if cue is not None:
        return Content(ContentKind.CUE, (Path(cue),), title=title)
    return Content(ContentKind.AUDIO, tuple(map(Path, files)), title=title)


def manifest_disc(path: str | Path, *, volume_id: str = "", title: str = "") -> Content:
    """Order what a JSON manifest file lists."""
    return Content(ContentKind.MANIFEST, (Path(path),), volume_id, title)


@dataclass(frozen=True, slots=True)
class Options:
    """How an order is to be carried out.

    `medium` is a kind or a family; empty: the smallest family that fits. `speed` is in multiples of 1x, None for
    the fastest. `max_spoiled` defaults to 3 or a tenth of the copies, whichever is more. `key` makes a submit
    repeatable: the same key again gives the same job.
    """

    copies: int = 1
    medium: str = ""
    priority: int = 5
    speed: float | None = None
    simulate: bool = False
    verify: bool = True
    nonblank: Nonblank = Nonblank.REJECT
    stage: StageMode = StageMode.REFERENCE
    client: str = ""
    key: str | None = None
    max_spoiled: int | None = None
    webhook: str | None = None

    @property
    def spoiled_limit(self) -> int:
        """Spoiled discs until the job waits for a decision."""
        return self.max_spoiled if self.max_spoiled is not None else max(3, self.copies // 10)

    def faults(self) -> list[str]:
        """Name everything that is wrong with these options."""
        return list(self._faults())

    def _faults(self) -> Iterator[str]:
        if not 1 <= self.copies <= MOST_COPIES:
            yield f"{self.copies} copies can't be made; order 1 to {MOST_COPIES:,}"
        if not 0 <= self.priority <= 9:  # noqa: PLR2004
            yield f"priority {self.priority} is outside 0 to 9 (9 is first)"
        if self.speed is not None and not self.speed > 0:
            yield f"speed {self.speed} is not above 0"
        if self.max_spoiled is not None and self.max_spoiled < 1:
            yield f"--max-spoiled {self.max_spoiled} is below 1"
        yield from self._medium_faults()
        if len(self.client) > 64 or not self.client.isprintable():  # noqa: PLR2004
            yield "the client's name must be at most 64 printable characters"
        if self.key is not None and not (0 < len(self.key) <= 200 and self.key.isprintable()):  # noqa: PLR2004
            yield "the key must be 1 to 200 printable characters"

    def _medium_faults(self) -> Iterator[str]:
        if not self.medium:
            return
        try:
            medium = requested_medium(self.medium)
        except OrderError as error:
            yield error.message
            return
        if self.nonblank is Nonblank.APPEND and isinstance(medium, MediumKind) and not medium.is_sequential:
            yield f"a {medium} is written over from its start, so no session can be appended; order --nonblank blank"
