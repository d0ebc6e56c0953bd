"""A recorder with all its owner needs to work: what every room of the worker is handed."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from jobs.dispatch import Bell
from jobs.errors import RecorderBusy
from jobs.ledger import Owner, Rules
from jobs.mastering.masters import MasterStore
from jobs.mastering.medium import MediumInfo, MediumKind
from jobs.mastering.recorder import Device
from jobs.roots import ContentRoots
from jobs.settings import Settings
from models.base import new_id
from models.database import Database
from workers.flower_events import Voice
from workers.stillness import Stillness

log = logging.getLogger(__name__)
T = TypeVar("T")

#: Seconds between two tries to write down what must not be lost.
_RETRY = 0.5


@dataclass(slots=True)
class MediumIds:
    """Mints an identity for each medium load: blanks carry no serial."""

    load: str = ""
    id: str = ""

    def of(self, medium: MediumInfo) -> str:
        """Return the identity of the medium in the tray; a new one after a change."""
        if not self.id or medium.load != self.load:
            self.load = medium.load
            self.id = f"{medium.disc_id or 'medium'}-{new_id()}"
        return self.id

    def forget(self) -> None:
        """Take the medium for another one: it was erased, or nobody watched."""
        self.id = ""


@dataclass
class Station:
    """One recorder, the identity of its owner, and the means to serve it."""

    name: str
    settings: Settings
    database: Database
    device: Device
    bell: Bell
    voice: Voice
    owner: Owner
    media: MediumIds = field(default_factory=MediumIds)
    stopping: threading.Event = field(default_factory=threading.Event)
    misfeeds: int = 0  #: wrong media in a row that the loader brought
    rung: str = ""  #: the promised attempt that the caretaker rang for last
    stillness: Stillness = field(default_factory=Stillness)
    farewell: str = ""  #: what became of the disc that left last, until another one is in
    compared: tuple[str, str] = ("", "")  #: the attempt and the medium that were found to be, or not to be
    is_back: bool = False  #: the same disc

    @cached_property
    def kinds(self) -> list[MediumKind]:
        """The kinds of media that the recorder writes, the usual ones first; it is asked once, while it is idle.

        Raises:
            RecorderError: it does not say.
        """
        writable = self.device.recorder.features().kinds
        return [kind for kind in MediumKind if kind in writable]

    @property
    def masters(self) -> MasterStore:
        """The laid-out masters of all jobs."""
        return MasterStore(self.settings.store / "masters")

    @property
    def roots(self) -> ContentRoots:
        """Where this host may read content from: what it was told, and the store."""
        return ContentRoots([*self.settings.content_roots, self.settings.store])

    @property
    def rules(self) -> Rules:
        """What the administrator set."""
        return Rules(self.settings.quarantine_after, self.settings.back_off)

    def heed_stop(self) -> None:
        """End a wait that may be a long one.

        Raises:
            RecorderBusy: the worker is to stop; the recorder's next owner goes on from here.
        """
        if self.stopping.is_set():
            message = f"the worker of {self.name} stops while a burner has the drive"
            raise RecorderBusy(message)

    def persist(self, write: Callable[[], T]) -> T:
        """Write down what must not be lost: while the database is away, keep trying.

        Raises:
            DiscError: the ledger refused.
            IntegrityError, ProgrammingError: the database refuses for good.
        """
        while True:
            try:
                return write()
            except DBAPIError as error:
                if not (error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)):
                    raise
                log.warning("the database is away; the verdict of %s waits", self.name, exc_info=True)
                time.sleep(_RETRY)
