# ruff: noqa: ANN401, PLC0415  (programs of all kinds start with this file: what they need not import, they do not)
"""Defects put into a rig's programs on purpose, to see that the checker finds what they do. Test code: no product."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HOOK, ROOT = Path(__file__).parent / "hook", Path(__file__).parents[2]


def environment(defect: str, log: Path) -> dict[str, str]:
    """Say what the rig's programs have to see for a defect to be put in; where it acts is noted in a log."""
    return {"PYTHONPATH": f"{HOOK}{os.pathsep}{ROOT}", "CHAOS_DEFECT": defect, "CHAOS_LOG": str(log)}


def put_in(defect: str) -> None:
    """Put a defect into this process."""
    DEFECTS[defect]()


def replace_name(name: str, by: object, *modules: object) -> None:
    """Let modules or classes see something else under a name.

    Raises:
        AttributeError: one has no such name any more; what replaces it would never be met.
    """
    for module in modules:
        getattr(module, name)
        setattr(module, name, by)


def _note(what: str) -> None:
    with Path(os.environ["CHAOS_LOG"]).open("a", encoding="utf-8") as log:
        log.write(f"{os.getpid()} {what}\n")


def _recovery_does_not_look() -> None:
    """Take every disc that recovery finds for spoiled."""
    from jobs.errors import WriteFailed
    from jobs.ledger import Verdict
    from models.vocabulary import Outcome
    from workers import recovery

    def blind(*_: object) -> Verdict:
        _note("did not look")
        return Verdict(Outcome.SPOILED, verified=False, error=WriteFailed("nobody looked"))

    replace_name("_look_at_disc", blind, recovery)


def _no_drive_lock() -> None:
    """Never wait for the drive."""
    from workers import locks

    lock = locks.FileLock._try

    def unlocked(self: locks.FileLock) -> bool:
        if self.path.name != "drive":
            return lock(self)
        _note("did not lock")
        self.close()
        self._handle = locks._open(self.path)
        return True

    replace_name("_try", unlocked, locks.FileLock)


def _eject_before_commit() -> None:
    """Let the disc go first, and take a moment to write the verdict."""
    from jobs import ledger
    from workers import attempt, recovery, settling

    def conclude(station: Any, work: Any, verdict: Any) -> None:
        settling.dispose(station, work, verdict.outcome)
        _note("ejected")
        time.sleep(1)
        with station.database.write() as db:
            ledger.settle(db, work.attempt, station.owner, verdict, station.rules)
        _note("committed")

    replace_name("conclude", conclude, attempt, recovery)


def _fences_are_ignored() -> None:
    """Take a moment before the permit is asked for, and write whatever it says."""
    from jobs import ledger
    from jobs.errors import DiscError
    from workers import attempt

    permit, ask = ledger.permit, attempt._Permit.__call__

    def ask_late(self: Any, found: Any) -> None:
        _note("asks")
        time.sleep(1)
        ask(self, found)

    def permissive(*arguments: Any, **named: Any) -> None:
        try:
            permit(*arguments, **named)
        except DiscError as refusal:
            _note(f"ignored {refusal}")

    replace_name("__call__", ask_late, attempt._Permit)
    replace_name("permit", permissive, ledger)


def _claim_is_unguarded() -> None:
    """Claim whatever a message names, at whatever stage it is."""
    from sqlalchemy import update

    from jobs import ledger
    from models.attempt import Attempt
    from models.vocabulary import Stage

    def claim(db: Any, attempt_id: str, owner: ledger.Owner) -> bool:
        attempt = db.get_one(Attempt, attempt_id)
        _note("claimed" if attempt.stage is Stage.ASSIGNED else "claimed again")
        mine = update(Attempt).where(Attempt.id == attempt_id, Attempt.recorder == owner.recorder)
        return bool(db.execute(mine.values(stage=Stage.PREPARING, epoch=owner.epoch)).rowcount)

    replace_name("claim", claim, ledger)


def _no_recovery_on_exception() -> None:
    """Leave an attempt that failed as it is."""
    from workers import attempt, caretaker

    def leave(_station: Any, _attempt: str, _reporter: Any, error: Exception, *_: object) -> None:
        _note("left it")
        raise error

    replace_name("judge", leave, attempt)
    replace_name("_finish_what_was_left", lambda _: None, caretaker)


def _verdict_without_reading() -> None:
    """Call good whatever was written."""
    from jobs.ledger import Verdict
    from models.vocabulary import Outcome
    from workers import attempt

    def trusting(*_: object) -> Verdict:
        _note("did not read")
        return Verdict(Outcome.GOOD, verified=True)

    replace_name("verify", trusting, attempt)


DEFECTS: Mapping[str, Callable[[], None]] = {
    "recovery does not look": _recovery_does_not_look,
    "no drive lock": _no_drive_lock,
    "eject before commit": _eject_before_commit,
    "fences are ignored": _fences_are_ignored,
    "claim is unguarded": _claim_is_unguarded,
    "no recovery on exception": _no_recovery_on_exception,
    "verdict without reading": _verdict_without_reading,
}
