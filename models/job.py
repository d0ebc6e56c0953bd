"""What was ordered: jobs and the copies they ask for."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import ID, SHA256, Base, UtcDateTime, Word, new_id, now
from models.vocabulary import CopyState, DiscFormat, JobState, Nonblank, StageMode

#: The condition of the partial index that assignment reads; a query must spell it the same way to use it.
WAITS_FOR_A_RECORDER = "state = 'queued' AND NOT held"


class Job(Base):
    """An order: content x copies x options."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("client", "key"),
        CheckConstraint("copies >= 1", name="copies_at_least_one"),
        CheckConstraint("priority BETWEEN 0 AND 9", name="priority_range"),
        Index(None, "state", "id"),
        Index(None, "manifest_id"),  # `find` comes from the entries
    )

    id: Mapped[str] = mapped_column(ID, primary_key=True, default=new_id)
    client: Mapped[str] = mapped_column(String(64))  #: who ordered; may cancel what it ordered
    key: Mapped[str | None] = mapped_column(String(200))  #: idempotency: the same key, the same job
    order_sha256: Mapped[str] = mapped_column(SHA256)  #: the whole order, to tell another one with the same key
    title: Mapped[str] = mapped_column(Text)
    format: Mapped[DiscFormat] = mapped_column(Word(DiscFormat))
    manifest_id: Mapped[int] = mapped_column(ForeignKey("manifest.id"))
    stage: Mapped[StageMode] = mapped_column(Word(StageMode))

    medium: Mapped[str] = mapped_column(String(16))  #: the kind or the family of media wanted
    volume_id: Mapped[str] = mapped_column(String(32))
    udf: Mapped[bool | None]  #: null: where the layout needs it
    master_key: Mapped[str] = mapped_column(SHA256)  #: names the laid-out master in the store
    blocks: Mapped[int]  #: of the master, padding included
    block_size: Mapped[int]  #: bytes: 2048 data, 2352 audio
    image_sha256: Mapped[str] = mapped_column(SHA256)  #: of the whole image, padding included

    copies: Mapped[int]
    priority: Mapped[int]  #: 9 first, 0 last
    speed: Mapped[float | None]  #: in multiples of the medium's 1x; null is the fastest
    simulate: Mapped[bool]
    verify: Mapped[bool]
    nonblank: Mapped[Nonblank] = mapped_column(Word(Nonblank))
    max_spoiled: Mapped[int]  #: this many spoiled discs and the job waits for a decision
    forgiven: Mapped[int] = mapped_column(default=0)  #: spoiled discs that a `retry` has accepted

    state: Mapped[JobState] = mapped_column(Word(JobState), default=JobState.QUEUED)
    reason: Mapped[str | None] = mapped_column(Text)  #: why it waits or failed, and what helps
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    finished: Mapped[datetime | None] = mapped_column(UtcDateTime)
    webhook: Mapped[str | None] = mapped_column(Text)  #: where to tell when it is over, or waits


class Copy(Base):
    """One disc of an order."""

    __tablename__ = "copy"
    __table_args__ = (
        UniqueConstraint("job_id", "number"),
        CheckConstraint("number >= 1", name="number_at_least_one"),
        Index(None, "job_id", "state"),
        # What assignment reads: one seek for each class of media, whatever the length of the queue.
        Index(
            "ix_copy_next",
            "media_class",
            text("priority DESC"),
            "id",
            sqlite_where=text(WAITS_FOR_A_RECORDER),
            postgresql_where=text(WAITS_FOR_A_RECORDER),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("job.id"))
    number: Mapped[int]  #: 1..n within the job
    state: Mapped[CopyState] = mapped_column(Word(CopyState), default=CopyState.QUEUED)
    media_class: Mapped[str] = mapped_column(String(48))  #: see `jobs.scheduling`
    priority: Mapped[int]  #: the job's, repeated for the index
    held: Mapped[bool] = mapped_column(default=False)  #: the job waits for a decision
    failures: Mapped[int] = mapped_column(default=0)  #: failed attempts since the last `retry`
    not_before: Mapped[datetime | None] = mapped_column(UtcDateTime)  #: back-off after a failure
