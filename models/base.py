"""The declarative base: named constraints, UTC times, readable enum values."""

import os
import time
import uuid
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import DateTime, Dialect, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

#: Length of an id, a UUID in its text form.
ID = String(36)
#: Length of a SHA-256 in hexadecimal digits.
SHA256 = String(64)


class Base(DeclarativeBase):
    """What every table shares."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; naive values are refused, SQLite gives back aware ones too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"a time without a time zone: {value}"
            raise ValueError(message)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give UTC back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(TypeDecorator[StrEnum]):
    """A member of a `StrEnum`, stored as its value so that SQL reads like the glossary."""

    impl = String(16)
    cache_ok = True

    def __init__(self, words: type[StrEnum]) -> None:
        super().__init__(16)
        self.words = words

    def process_bind_param(self, value: StrEnum | str | None, _dialect: Dialect) -> str | None:
        """Store the word; refuse one that is not in the vocabulary."""
        return None if value is None else str(self.words(value))

    def process_result_value(self, value: str | None, _dialect: Dialect) -> StrEnum | None:
        """Give the member back."""
        return None if value is None else self.words(value)


def now() -> datetime:
    """Return the moment in UTC."""
    return datetime.now(UTC)


def new_id(after: str | None = None) -> str:
    """Make a UUIDv7 (RFC 9562, 5.7): its text sorts by the moment of its making, and behind `after` whatever the clock.

    A clock that was set back would else make an id that sorts before older ones (RFC 9562, 6.2).
    """
    milliseconds = time.time_ns() // 1_000_000
    if after is not None:
        milliseconds = max(milliseconds, (uuid.UUID(after).int >> 80) + 1)
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds << 80) | (0x7 << 76) | ((random >> 68) & 0xFFF) << 64
    return str(uuid.UUID(int=value | (0b10 << 62) | (random & ((1 << 62) - 1))))
