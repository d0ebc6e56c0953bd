"""What operators ask of a recorder, carried out by its worker between two discs."""

import logging

from sqlalchemy import select

from jobs.errors import DiscError, UnexpectedFailure
from jobs.mastering.masters import StoredMaster
from jobs.mastering.progress import ProgressEvent
from jobs.mastering.recorder import Bin
from jobs.preparation import prepared_master
from jobs.rollup import journal
from models.attempt import Attempt
from models.base import now
from models.job import Job
from models.recorder import RecorderRequest
from workers.proof import Burnt, verify
from workers.station import Station

log = logging.getLogger(__name__)


class _Silence:
    """Hears progress and tells nobody."""

    def notify(self, event: ProgressEvent) -> None:
        """Let an event pass."""

    def query_cancel(self) -> bool:
        """Never cancel."""
        return False


def answer_requests(station: Station) -> None:
    """Carry out what was asked of this recorder, oldest first, and store each answer."""
    with station.database.read() as db:
        asked = db.scalars(
            select(RecorderRequest)
            .where(RecorderRequest.recorder == station.name, RecorderRequest.answered.is_(None))
            .order_by(RecorderRequest.id)
        ).all()
    for request in asked:
        try:
            answer = _carry_out(station, request)
        except DiscError as error:
            answer = {"ok": False, "code": error.code, "message": error.message, "remedy": error.remedy}
        except Exception as error:  # an answer that never comes would hold the recorder up for ever
            log.exception("request %s failed", request.id)
            answer = {"ok": False, "code": UnexpectedFailure.code, "message": f"{type(error).__name__}: {error}"}
        with station.database.write() as db:
            row = db.get_one(RecorderRequest, request.id)
            row.answered, row.answer = now(), answer
            journal(db, f"recorder-{request.verb}", job=request.job_id, recorder=station.name, answer=answer)


def _carry_out(station: Station, request: RecorderRequest) -> dict[str, object]:
    if request.verb == "eject":
        path = station.device.loader.unload(Bin.REJECT, f"ejected-{request.id[-12:]}")
        return {"ok": True, "message": "the tray is empty now", "path": str(path) if path else None}
    return _verify(station, request)


def _what_it_may_hold(station: Station, job: Job) -> list[StoredMaster]:
    """List the masters that a disc of a job in the tray may have: a session behind others was laid out for its disc."""
    medium = station.device.recorder.probe()
    began = (Attempt.master_key.is_not(None), Attempt.first_block == (medium.last_session if medium else 0))
    with station.database.read() as db:
        keys = db.scalars(
            select(Attempt.master_key).where(Attempt.job_id == job.id, *began).order_by(Attempt.id.desc())
        ).all()
    found = (station.masters.get(key) for key in dict.fromkeys(keys) if key is not None)
    kept = [stored for stored in found if stored is not None]
    return kept or [prepared_master(station.database, station.masters, job)]


def _verify(station: Station, request: RecorderRequest) -> dict[str, object]:
    with station.database.read() as db:
        job = db.get_one(Job, request.job_id)
    for stored in _what_it_may_hold(station, job):
        verdict = verify(station, job, Burnt(stored), _Silence())
        if verdict.verified:
            break
    message = verdict.error.message if verdict.error else "every block is the master's"
    return {"ok": bool(verdict.verified), "message": message, "image_sha256": verdict.image_sha256}
