"""What an idle recorder is for: whom the medium in its tray serves, what it needs, what a person has to do.

Whatever is wrong with a medium is said here, before anything is assigned to the recorder, let alone written.
"""

from sqlalchemy import select

from jobs import scheduling
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.scheduling import Demand
from models.attempt import Attempt
from models.job import Job
from models.recorder import Recorder
from models.vocabulary import Condition, Intent, Outcome, Stage
from workers.evidence import read_evidence
from workers.proof import evidence_folder, verify_digest
from workers.registry import Sight
from workers.station import Station

_MADE = (Outcome.GOOD, Outcome.SURPLUS)


def is_set_aside(station: Station) -> bool:
    """Say whether a person keeps the recorder from working, or has to see to it first."""
    with station.database.read() as db:
        row = db.get_one(Recorder, station.name)
        return row.intent is not Intent.ENABLED or row.attention is not None


def job_for(station: Station, medium: MediumInfo) -> str | None:
    """Return the job that a medium serves: of a copy that was promised to the recorder already, or is queued."""
    with station.database.read() as db:
        promised = db.scalar(
            select(Job)
            .join(Attempt, Attempt.job_id == Job.id)
            .where(Attempt.recorder == station.name, Attempt.stage == Stage.ASSIGNED, Attempt.outcome.is_(None))
        )
        if promised is not None and scheduling.suits(promised, medium):
            return promised.id
        copy = scheduling.next_copy(db, station.name, medium)
        return None if copy is None else copy.job_id


def sight(station: Station, medium: MediumInfo | None, *, by_hand: bool) -> Sight:
    """Say how an idle recorder is; `by_hand` if its loader brings nothing, so that a person is asked."""
    before = station.media.id
    if medium is None:
        station.media.forget()
        return _empty(station, _needed(station) if by_hand else None, changed=before != "")
    station.farewell = ""
    medium_id = station.media.of(medium)
    message = _objection(station, medium, by_hand=by_hand)
    condition = Condition.ATTENTION if message else Condition.READY
    return Sight(condition, message, medium, medium_id, medium_id != before)


def _empty(station: Station, needed: Demand | None, *, changed: bool) -> Sight:
    if needed is None:
        return Sight(Condition.EMPTY, station.farewell or "no medium is in; load a blank", medium_changed=changed)
    said = [station.farewell] if station.farewell else []
    return Sight(Condition.ATTENTION, "; ".join([*said, _request(station, needed.kind)]), medium_changed=changed)


def _objection(station: Station, medium: MediumInfo, *, by_hand: bool) -> str:
    """Say what is wrong with the medium that is in; empty if nothing is."""
    job = job_for(station, medium)
    if job is not None:
        return _again(station, job) if medium.used else ""
    needed = _needed(station) if by_hand else None
    if not medium.used and needed is None:
        return ""
    return f"{_found(medium, needed)} is in {station.name}; {_exchange(station, needed)}"


def _found(medium: MediumInfo, needed: Demand | None) -> str:
    if medium.used:
        state = "closed" if medium.status is MediumStatus.COMPLETE else "used"
        return f"a {state} {medium.kind.label}, which is not blank,"
    room = f" with room for {medium.free_blocks} blocks, and the next order is {needed.blocks}," if needed else ""
    return f"a blank {medium.kind.label}{room if needed and needed.kind is medium.kind else ''}"


def _exchange(station: Station, needed: Demand | None) -> str:
    take_out = f"take it out (`discmill recorders eject {station.name}`)"
    return take_out if needed is None else f"{take_out} and {_request(station, needed.kind)}"


def _request(station: Station, kind: MediumKind) -> str:
    inlet = station.device.loader.inlet
    return f"insert a blank {kind.label} in {inlet or station.name}"


def _needed(station: Station) -> Demand | None:
    """Say what a person should put in: what the next copy needs that this recorder could make."""
    if is_set_aside(station):
        return None
    with station.database.read() as db:
        return scheduling.demand(db, station.name, station.kinds)


def _again(station: Station, job: str) -> str:
    """Refuse the disc that was just made for a job, pushed back in: the job's next copy would be its end."""
    with station.database.read() as db:
        last = db.scalar(
            select(Attempt)
            .where(Attempt.recorder == station.name, Attempt.medium_id.is_not(None), Attempt.outcome.is_not(None))
            .order_by(Attempt.id.desc())
            .limit(1)
        )
    if last is None or last.job_id != job or last.outcome not in _MADE:
        return ""
    if station.compared != (last.id, station.media.id):
        station.compared, station.is_back = (last.id, station.media.id), _holds(station, last.id)
    if not station.is_back:
        return ""
    return f"the {last.outcome} disc that was just made is in {station.name} again; take it out and insert another one"


def _holds(station: Station, attempt: str) -> bool:
    """Say whether the disc in the tray is the one that an attempt made: its bytes tell."""
    plan = read_evidence(evidence_folder(station, attempt)).plan
    return plan is not None and verify_digest(station, plan.size, plan.sha256).outcome is Outcome.GOOD
