"""The ledger of discs: every try to make a copy, and what became of it."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import ID, SHA256, Base, UtcDateTime, Word, new_id, now
from models.vocabulary import Outcome, Stage

_UNSETTLED = "outcome IS NULL"
_GOOD = "outcome = 'good'"
_WROTE = "medium_id IS NOT NULL AND (outcome IS NULL OR outcome NOT IN ('unused', 'simulated'))"


def _one(name: str, *columns: str, where: str) -> Index:
    """Make a unique index over the rows that meet a condition."""
    return Index(name, *columns, unique=True, sqlite_where=text(where), postgresql_where=text(where))


class Attempt(Base):
    """One try to make a copy: one recorder, at most one medium. Its id is the Celery task id.

    The unique indexes hold even where code is wrong: one unsettled attempt a recorder, one unsettled
    attempt a copy, one good disc a copy, one attempt a session of a medium.
    """

    __tablename__ = "attempt"
    __table_args__ = (
        _one("uq_attempt_recorder_unsettled", "recorder", where=_UNSETTLED),
        _one("uq_attempt_copy_unsettled", "copy_id", where=_UNSETTLED),
        _one("uq_attempt_copy_good", "copy_id", where=_GOOD),
        _one("uq_attempt_medium", "medium_id", "medium_erases", "medium_session", where=_WROTE),
        Index(None, "job_id", "outcome"),
        Index(None, "job_id", "id"),
        Index(None, "copy_id"),
        Index(None, "recorder", "id"),
        Index(None, "recorder", "outcome"),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    copy_id: Mapped[int] = mapped_column(ForeignKey("copy.id"))
    recorder: Mapped[str] = mapped_column(ForeignKey("recorder.name"))
    epoch: Mapped[int | None]  #: of the recorder's owner that claimed it; later writes carry it
    stage: Mapped[Stage] = mapped_column(Word(Stage), default=Stage.ASSIGNED)
    outcome: Mapped[Outcome | None] = mapped_column(Word(Outcome))
    verified: Mapped[bool | None]  #: read back and equal; null while unknown

    medium_kind: Mapped[str | None] = mapped_column(String(16))
    medium_id: Mapped[str | None] = mapped_column(String(64))  #: set by the permit to write
    medium_erases: Mapped[int | None]
    medium_session: Mapped[int | None]  #: 1 for the first session on the medium

    blocks_done: Mapped[int] = mapped_column(default=0)
    blocks_total: Mapped[int] = mapped_column(default=0)
    speed_x: Mapped[float | None]
    image_sha256: Mapped[str | None] = mapped_column(SHA256)  #: as read back
    path: Mapped[str | None] = mapped_column(Text)  #: the disc's file on an emulated shelf

    error_code: Mapped[str | None] = mapped_column(String(64))
    error_message: Mapped[str | None] = mapped_column(Text)
    error_remedy: Mapped[str | None] = mapped_column(String(32))

    created: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    started: Mapped[datetime | None] = mapped_column(UtcDateTime)  #: claimed
    finished: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ejected: Mapped[datetime | None] = mapped_column(UtcDateTime)  #: its disc left the recorder

    master_key: Mapped[str | None] = mapped_column(SHA256)  #: of a session laid out for this disc; null: the job's
    first_block: Mapped[int | None]  #: of the session on the medium; set by the permit to write

    @property
    def may_have_written(self) -> bool:
        """True if a disc may exist of which nobody has said yet what it is; a lost one is such a disc."""
        if self.outcome is not None:
            return self.outcome is Outcome.LOST
        return self.stage not in {Stage.ASSIGNED, Stage.PREPARING}
