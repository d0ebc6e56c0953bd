"""What an order's content is on its way in: looked through for all its faults, then staged and laid out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from jobs.errors import OrderError
from jobs.laying_out import LaidOut
from jobs.mastering.medium import Family, MediumKind, requested_medium
from jobs.ordering import Content, Options
from jobs.roots import ContentRoots
from jobs.settings import Settings
from jobs.store import ContentStore
from models.vocabulary import StageMode

#: Hears the phase ("hashing", "decoding", "mastering") and how much of how much is through, in bytes.
Progress = Callable[[str, int, int], None]


def silent(_phase: str, _done: int, _total: int) -> None:
    """Hear progress and tell nobody."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Content that is staged and laid out. `notes` are sentences for who ordered: what is not quite as it was given."""

    laid: LaidOut
    medium: MediumKind | Family
    title: str
    notes: tuple[str, ...] = ()


class Intake(Protocol):
    """The content of one order, looked through; nothing of it is stored yet."""

    def faults(self) -> list[str]:
        """Name everything that is wrong with the content, and with the options as far as the content decides."""

    def take(self, progress: Progress) -> Taken:
        """Stage the content and lay it out.

        Raises:
            SourceChanged, Faults: it is not what was looked through any more.
            DiscFull: it does not fit the medium asked for.
            StoreError: the store can't keep it.
        """


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered, how, and where: all that an intake is given."""

    settings: Settings
    content: Content
    options: Options

    @property
    def roots(self) -> ContentRoots:
        """Where content may be read."""
        return ContentRoots(self.settings.content_roots)

    @property
    def media(self) -> list[MediumKind | Family]:
        """The media to try: the one asked for, else every family, the smallest first."""
        try:
            return [requested_medium(self.options.medium)] if self.options.medium else list(Family)
        except OrderError:
            return list(Family)  # an unknown word is a fault of its own

    @property
    def store(self) -> ContentStore | None:
        """Where content is copied to, if that is asked."""
        return ContentStore(self.settings.store) if self.options.stage is StageMode.COPY else None

    def named(self, title: str) -> str:
        """Return what the order is called: as given, as the content has it, or after the first source."""
        return self.content.title or title or next(iter(self.content.paths), Path()).absolute().name or "disc"
