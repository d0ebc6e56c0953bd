"""Tells a look at an idle drive that would find all as the last one left it: dozens of recorders share a processor."""

import time
from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from jobs.mastering.medium import MediumInfo, MediumKind
from models.database import Database
from models.event import Event
from models.recorder import Recorder, RecorderRequest

Facts = tuple[object, ...]

#: All that an idle round depends on, but for the drive itself: the recorder's row, what is asked of it, and the end of
#: the journal, which moves with every order, verdict and decision.
_FACTS = select(
    *(Recorder.epoch, Recorder.intent, Recorder.condition, Recorder.message, Recorder.attention),
    *(Recorder.medium_id, Recorder.medium_kind, Recorder.medium_status, Recorder.medium_free_blocks),
    select(func.max(Event.id)).scalar_subquery(),
    select(func.max(RecorderRequest.id))
    .where(RecorderRequest.recorder == bindparam("name"), RecorderRequest.answered.is_(None))
    .scalar_subquery(),
).where(Recorder.name == bindparam("name"))


def read_facts(database: Database, recorder: str) -> Facts:
    """Read, with one statement, what the database has for an idle recorder to act upon."""
    with database.read() as db:
        return tuple(db.execute(_FACTS, {"name": recorder}).one())


@dataclass(slots=True)
class Stillness:
    """What the last round of an idle recorder found: in the database before it began, and then in the tray.

    A round that changes something itself is followed by another one, since it is not what the database had before.
    """

    medium: MediumInfo | None = None
    stock: tuple[MediumKind, ...] = ()
    _facts: Facts | None = None
    _until: float = 0.0

    def has(self, facts: Facts) -> bool:
        """Say whether the database is as it was, and the last round not too long ago."""
        return facts == self._facts and time.monotonic() < self._until

    def begin(self) -> None:
        """Forget; a round that fails is no reason to skip the next one."""
        self._facts = None

    def keep(self, facts: Facts, seconds: float) -> None:
        """Remember what was in the database before a round that went well.

        It counts for so many seconds: some things come about by themselves, such as the end of a back-off, and on
        PostgreSQL an event may become visible after one with a higher number.
        """
        self._facts, self._until = facts, time.monotonic() + seconds
