"""The journal: what happened, append-only."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import ID, Base, UtcDateTime, now


class Event(Base):
    """One thing that happened. No foreign keys: the journal outlives what it tells of."""

    __tablename__ = "event"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)
    kind: Mapped[str] = mapped_column(String(48))
    job_id: Mapped[str | None] = mapped_column(ID)
    copy: Mapped[int | None]
    attempt_id: Mapped[str | None] = mapped_column(ID)
    recorder: Mapped[str | None] = mapped_column(String(64))
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
