"""What is to be told by webhook: an outbox, so that no news is lost with a process."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import ID, Base, UtcDateTime, Word, new_id, now
from models.vocabulary import JobState

#: The condition of the partial index that the courier reads.
IS_DUE = "delivered IS NULL AND given_up IS NULL"


class Delivery(Base):
    """One piece of news: a job is over, or waits for a decision. Its id is the same however often it is sent."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index(None, "job_id"),
        Index("ix_delivery_due", "next_at", sqlite_where=text(IS_DUE), postgresql_where=text(IS_DUE)),
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    state: Mapped[JobState] = mapped_column(Word(JobState))
    reason: Mapped[str | None] = mapped_column(Text)
    created: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    delivered: Mapped[datetime | None] = mapped_column(UtcDateTime)
    given_up: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[str | None] = mapped_column(Text)  #: the last one, for people
