"""The clock: whether anything keeps it right, and whether it goes with the database's."""

import ctypes
import datetime as dt
from collections.abc import Iterator

from sqlalchemy import text

from models.database import Database
from workers.doctor.findings import Finding, well, worrying

#: Seconds by which this host's clock and the database's may differ before anybody is told.
_SKEW = 2.0
#: `adjtimex` in <sys/timex.h>: what it returns, and a bit of the status, if nothing keeps the clock right.
_TIME_ERROR, _STA_UNSYNC = 5, 0x40
_STATUS_AT, _TIMEX_SIZE = 32, 512
_NOTHING_BREAKS = "no disc depends on the clock, and every time in the ledger and the logs does"


def clock_findings() -> Iterator[Finding]:
    """Ask the kernel whether something keeps the clock right."""
    yield grade_synchronisation(*_ask_kernel())


def grade_synchronisation(state: int, status: int) -> Finding:
    """Judge what `adjtimex` says."""
    if state != _TIME_ERROR and not status & _STA_UNSYNC:
        return well("clock", "something keeps it right")
    remedy = "`timedatectl set-ntp true`, or install chrony; in a container: on its host"
    return worrying("clock", f"nothing keeps it right; {_NOTHING_BREAKS}", remedy)


def _ask_kernel() -> tuple[int, int]:
    """Return what adjtimex(2) returns, and its status; nothing is set."""
    answer = ctypes.create_string_buffer(_TIMEX_SIZE)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(answer)
    status = ctypes.c_int.from_buffer(answer, _status_offset()).value
    return state, status


def _status_offset() -> int:
    """Return where `struct timex` has its status: after an int and four longs, as the machine aligns them."""
    long = ctypes.sizeof(ctypes.c_long)
    return 5 * long


def skew_findings(database: Database) -> Iterator[Finding]:
    """Compare this host's clock with that of the database, where it has one of its own."""
    if database.is_sqlite:
        return
    with database.read() as db:
        before = dt.datetime.now(dt.UTC)
        theirs = db.scalar(text("SELECT clock_timestamp()"))
        after = dt.datetime.now(dt.UTC)
    if theirs is not None:
        yield grade_skew((theirs - before).total_seconds(), (theirs - after).total_seconds())


def grade_skew(most: float, least: float) -> Finding:
    """Judge by how many seconds the database's clock is ahead, at most and at least: an answer takes its time."""
    by = min((most, least, 0.0) if least <= 0.0 <= most else (most, least), key=abs)
    if abs(by) <= _SKEW:
        return well("clock skew", f"the database's clock is {abs(by):.1f} seconds {'ahead' if by > 0 else 'behind'}")
    seen = f"the database's clock is {abs(by):.0f} seconds {'ahead' if by > 0 else 'behind'}; {_NOTHING_BREAKS}"
    return worrying("clock skew", seen, "let NTP keep both clocks right")
