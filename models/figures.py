"""What machines watch: counts that no other table keeps, and which dispatchers live."""

from datetime import datetime

from sqlalchemy import Double, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, UtcDateTime, now


class Tally(Base):
    """A count that only grows, a recorder's own; of a histogram, one of its buckets or the sum of all values."""

    __tablename__ = "tally"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    recorder: Mapped[str] = mapped_column(String(64), primary_key=True)
    bucket: Mapped[str] = mapped_column(String(16), primary_key=True)  #: the upper bound, or "sum"; "" of a plain count
    value: Mapped[float] = mapped_column(Double)


class Service(Base):
    """A program without a recorder that should be running; observers judge its counter by their own clocks."""

    __tablename__ = "service"

    name: Mapped[str] = mapped_column(String(300), primary_key=True)  #: as `dispatcher@host`
    beat: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)  #: of the last beat, for people
