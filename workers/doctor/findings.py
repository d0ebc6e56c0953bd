"""What a check found: how bad it is, what was seen, what to do about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"  #: discs can be made, and something will go wrong or slowly sooner or later
    FAILURE = "failure"  #: discs can't be made, or what is known of them can be lost


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `remedy` is empty where nothing has to be done."""

    check: str
    grade: Grade
    seen: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to be looked at. What it says has to be said within `deadline` seconds."""

    name: str
    look: Callable[[], Iterable[Finding]]
    deadline: float = 15.0


def well(check: str, seen: str) -> Finding:
    """Find nothing wrong."""
    return Finding(check, Grade.OK, seen)


def worrying(check: str, seen: str, remedy: str) -> Finding:
    """Find what will be trouble sooner or later."""
    return Finding(check, Grade.WARNING, seen, remedy)


def failing(check: str, seen: str, remedy: str) -> Finding:
    """Find what has to be mended first."""
    return Finding(check, Grade.FAILURE, seen, remedy)
