"""Counts for monitors that outlive every process: each grows in the transaction in which it happens."""

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from models.base import now
from models.figures import Service, Tally

LEASES_EXPIRED, MESSAGES_REPUBLISHED = "leases_expired", "messages_republished"
BURN_SECONDS, VERIFY_SECONDS = "burn_seconds", "verify_seconds"
#: Upper bounds in seconds: an emulated CD takes one, a BD at 2x one and a half hours.
BOUNDS = (1, 5, 15, 30, 60, 120, 180, 300, 450, 600, 900, 1200, 1800, 2700, 3600, 5400, 7200, 10800)
INFINITE, SUM = "+Inf", "sum"


def count(db: Session, name: str, recorder: str) -> None:
    """Count one more."""
    _add(db, name, recorder, {"": 1.0})


def observe(db: Session, name: str, recorder: str, seconds: float) -> None:
    """Put a duration into a histogram."""
    bucket = next((str(bound) for bound in BOUNDS if seconds <= bound), INFINITE)
    _add(db, name, recorder, {bucket: 1.0, SUM: seconds})


def dispatcher_of(host: str) -> str:
    """Name the dispatcher of a host; several on one host count as one."""
    return f"dispatcher@{host}"


def beat(db: Session, service: str) -> None:
    """Count one heartbeat of a program."""
    row = {"name": service, "beat": 1, "at": now()}
    insert = _insert(db, Service).values(row)
    more = {"beat": Service.beat + 1, "at": insert.excluded.at}
    db.execute(insert.on_conflict_do_update(index_elements=[Service.name], set_=more))


def beats(db: Session, service: str) -> int | None:
    """Return how often a program's heart has beaten; None if it never did."""
    return db.scalar(select(Service.beat).where(Service.name == service))


def _add(db: Session, name: str, recorder: str, amounts: Mapping[str, float]) -> None:
    rows = [
        {"name": name, "recorder": recorder, "bucket": bucket, "value": amount}
        for bucket, amount in sorted(amounts.items())
    ]
    insert = _insert(db, Tally).values(rows)
    key = [Tally.name, Tally.recorder, Tally.bucket]
    db.execute(insert.on_conflict_do_update(index_elements=key, set_={"value": Tally.value + insert.excluded.value}))


def _insert(db: Session, table: type[Service | Tally]) -> sqlite.Insert | postgresql.Insert:
    is_sqlite = db.get_bind().dialect.name == "sqlite"
    return sqlite.insert(table) if is_sqlite else postgresql.insert(table)
