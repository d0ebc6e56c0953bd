"""What became of an attempt: after every failure, and when a new owner finds one that the last owner left."""

import contextlib
import logging
from functools import partial

from sqlalchemy import select

from jobs import ledger
from jobs.errors import (
    BurnCancelled,
    DiscError,
    MediumMissing,
    MediumUnsuitable,
    OrderError,
    RecorderError,
    RecorderStalled,
    UnexpectedFailure,
    WriteFailed,
)
from jobs.ledger import Verdict
from jobs.mastering.medium import MediumInfo
from jobs.mastering.recorder import DiscRecorder
from jobs.preparation import burnt_master
from jobs.tally import BURN_SECONDS, VERIFY_SECONDS
from models.attempt import Attempt
from models.job import Copy, Job
from models.vocabulary import Outcome, Stage
from workers.evidence import Evidence, Plan, read_evidence
from workers.locks import drive_is_free
from workers.proof import Burnt, evidence_folder, noted_medium, verify, verify_digest
from workers.recorders.burn_process import wait_for_burner
from workers.reporting import Reporter, Work
from workers.session import NoSessionFollows
from workers.settling import conclude, dispose, farewell, note_ejected, work_of
from workers.station import Station
from workers.stopwatch import Stopwatch

log = logging.getLogger(__name__)


def recover(station: Station) -> None:
    """Resolve every attempt that an earlier owner, or a failure, left on this recorder; then clear the tray.

    Waits until no burner holds the drive. What the loader was moving is where it belongs before anything is judged.
    """
    _have_drive_back(station)
    station.device.loader.resume()
    for attempt_id, work in _unresolved(station):
        log.info("recovering attempt %s", attempt_id)
        station.persist(partial(_take_over, station, attempt_id))
        station.voice.introduce(attempt_id)
        watch = Stopwatch()
        with Reporter(station, work) as reporter:
            verdict = judge(station, attempt_id, reporter, None, watch)
        conclude(station, work, verdict)
        watch.write_down(station.database, station.name)
    _clear_tray(station)


def judge(station: Station, attempt_id: str, reporter: Reporter, error: Exception | None, watch: Stopwatch) -> Verdict:
    """Find out what became of an attempt: from its stage, the burn's evidence, and the disc itself.

    `error` is what stopped the attempt in this process; None where the process that ran it is gone.
    `watch` is told how long the burn took, as its evidence has it, and what is read now.
    """
    recorder = station.device.recorder
    attempt, job = station.persist(lambda: _attempt_and_job(station, attempt_id))
    cause = _as_disc_error(error)
    if not attempt.may_have_written:
        return Verdict(Outcome.UNUSED, error=None if _is_no_fault(error) else cause)
    if isinstance(error, RecorderStalled) and not drive_is_free(recorder):
        return Verdict(Outcome.LOST, error=error, needs_person=error.message)  # what it is, its burner's end will show
    _have_drive_back(station)
    evidence = read_evidence(evidence_folder(station, attempt_id))
    medium = _medium_written(station, attempt_id, recorder)
    if isinstance(medium, Verdict):
        return Verdict(Outcome.UNUSED, error=cause or evidence_error(evidence)) if evidence.wrote_nothing else medium
    if not evidence.wrote and _is_untouched(station, attempt_id, medium):
        return Verdict(Outcome.UNUSED, error=cause)
    if evidence.plan is None or not evidence.fed_all:
        return _cut_short(evidence, cause)
    watch.add(BURN_SECONDS, evidence.seconds)
    _enter_verifying(station, attempt_id)
    with watch.lap(VERIFY_SECONDS):
        return _look_at_disc(station, attempt, job, evidence.plan, reporter)


def _have_drive_back(station: Station) -> None:
    """Wait until no burner holds the drive; one that was killed has left the tray locked."""
    wait_for_burner(station.device.recorder, station.heed_stop)
    with contextlib.suppress(RecorderError):  # a drive that is gone has its say when the medium is asked for
        station.device.recorder.unlock()


def _is_no_fault(error: Exception | None) -> bool:
    """Say whether the tray was only not as the ledger had it: the recorder's row is set right, nothing has failed."""
    return isinstance(error, MediumMissing | MediumUnsuitable) and not isinstance(error, NoSessionFollows)


def _enter_verifying(station: Station, attempt_id: str) -> None:
    def enter() -> None:
        with station.database.write() as db:
            ledger.enter(db, attempt_id, station.owner, Stage.VERIFYING)

    station.persist(enter)


def _look_at_disc(station: Station, attempt: Attempt, job: Job, plan: Plan, reporter: Reporter) -> Verdict:
    """All bytes were fed: the disc decides. Reading is free to repeat."""
    try:
        stored = burnt_master(station.database, station.masters, job, attempt)
        verdict = verify(station, job, Burnt(stored, plan.digest), reporter)
    except OrderError as error:
        log.warning("the master of job %s is lost (%s); its digest has to do", job.id, error)
        verdict = verify_digest(station, plan.size, plan.sha256)
    if verdict.outcome is Outcome.GOOD or isinstance(verdict.error, OrderError):
        return verdict
    return Verdict(
        verdict.outcome,
        verdict.verified,
        verdict.error,
        verdict.image_sha256,
        needs_person="evidence says that all was written, the disc says otherwise; look at both disc and drive",
    )


def _cut_short(evidence: Evidence, cause: DiscError | None) -> Verdict:
    if not evidence.wrote:
        message = "the burn's evidence says nothing was written, yet the medium holds data"
        return Verdict(Outcome.SPOILED, verified=False, error=WriteFailed(message), needs_person=message)
    error = cause or evidence_error(evidence)
    return Verdict(Outcome.SPOILED, verified=False, error=error)


def evidence_error(evidence: Evidence) -> DiscError:
    """Say what the burn's evidence says of a burn that did not feed everything."""
    if evidence.failure is not None:
        return evidence.failure.as_error()
    if evidence.cancelled:
        return BurnCancelled(f"the burn was called off after {evidence.bytes_fed} bytes")
    return WriteFailed(f"the burn ended after {evidence.bytes_fed} bytes without a word; its process was ended")


def _medium_written(station: Station, attempt_id: str, recorder: DiscRecorder) -> MediumInfo | Verdict:
    """Find the medium that was permitted to be written, or the verdict where it is not in the tray any more."""
    try:
        medium = recorder.probe()
    except RecorderError as error:
        return Verdict(Outcome.SPOILED, verified=False, error=error, needs_person=error.message)
    noted = noted_medium(evidence_folder(station, attempt_id))
    if medium is not None and noted is not None and noted.load == medium.load:
        return medium
    if noted is None:
        message = "the evidence of the burn is not here; nobody can say what was written, so it counts as spoiled"
    else:
        found = "the tray is empty" if medium is None else "another disc is in the tray"
        message = f"{found}; the one being written was taken out and counts as spoiled"
    return Verdict(Outcome.SPOILED, verified=False, error=MediumMissing(message), needs_person=message)


def _is_untouched(station: Station, attempt_id: str, medium: MediumInfo) -> bool:
    noted = noted_medium(evidence_folder(station, attempt_id))
    return noted is not None and noted.is_untouched(medium)


def _as_disc_error(error: Exception | None) -> DiscError | None:
    if error is None or isinstance(error, DiscError):
        return error
    return UnexpectedFailure(f"{type(error).__name__}: {error}")


def _unresolved(station: Station) -> list[tuple[str, Work]]:
    """List the attempts that were claimed on this recorder and have no verdict, or were given up as lost."""
    unsettled = Attempt.outcome.is_(None) & (Attempt.stage != Stage.ASSIGNED)
    with station.database.read() as db:
        rows = db.execute(
            select(Attempt, Job, Copy.number)
            .join(Job, Attempt.job_id == Job.id)
            .join(Copy, Attempt.copy_id == Copy.id)
            .where(Attempt.recorder == station.name, unsettled | (Attempt.outcome == Outcome.LOST))
            .order_by(Attempt.id)
        ).all()
        return [(attempt.id, work_of(attempt, job, number)) for attempt, job, number in rows]


def _take_over(station: Station, attempt_id: str) -> None:
    with station.database.write() as db:
        ledger.take_over(db, attempt_id, station.owner)


def _attempt_and_job(station: Station, attempt_id: str) -> tuple[Attempt, Job]:
    with station.database.read() as db:
        attempt = db.get_one(Attempt, attempt_id)
        return attempt, db.get_one(Job, attempt.job_id)


def is_needed(station: Station) -> bool:
    """Say whether something was left: an attempt without a verdict, or a disc that did not leave."""
    return bool(_unresolved(station)) or _undisposed(station) is not None


def _clear_tray(station: Station) -> None:
    """Eject a disc whose attempt was settled before it could leave."""
    left = _undisposed(station)
    if left is None:
        return
    work, outcome = left
    station.persist(partial(_take_over, station, work.attempt))
    medium = station.device.recorder.probe()
    noted = noted_medium(evidence_folder(station, work.attempt))
    if medium is None or noted is None:
        note_ejected(station, work, outcome)
    elif medium.load == noted.load or _is_the_same(station, work, outcome, medium):
        dispose(station, work, outcome)
    else:
        note_ejected(station, work, outcome)


def _is_the_same(station: Station, work: Work, outcome: Outcome, medium: MediumInfo) -> bool:
    """Say whether a good disc is still in, though its drive was away meanwhile: its bytes tell."""
    if outcome is Outcome.SPOILED or not medium.used:
        return False
    plan = read_evidence(evidence_folder(station, work.attempt)).plan
    return plan is not None and verify_digest(station, plan.size, plan.sha256).outcome is Outcome.GOOD


def _undisposed(station: Station) -> tuple[Work, Outcome] | None:
    """Find the newest attempt whose medium was written, if its disc has not left yet."""
    last = _last_written(station)
    return None if last is None or last[0].ejected is not None else _gone(last)


def _gone(last: tuple[Attempt, Work]) -> tuple[Work, Outcome] | None:
    """Return whose disc leaves or has left the recorder; None for one that stays usable."""
    attempt, work = last
    outcome = attempt.outcome
    return None if outcome is None or outcome in {Outcome.UNUSED, Outcome.SIMULATED} else (work, outcome)


def _last_written(station: Station) -> tuple[Attempt, Work] | None:
    with station.database.read() as db:
        row = db.execute(
            select(Attempt, Job, Copy.number)
            .join(Job, Attempt.job_id == Job.id)
            .join(Copy, Attempt.copy_id == Copy.id)
            .where(Attempt.recorder == station.name, Attempt.medium_id.is_not(None), Attempt.outcome.is_not(None))
            .order_by(Attempt.id.desc())
            .limit(1)
        ).one_or_none()
    return None if row is None else (row[0], work_of(*row))


def recall(station: Station) -> None:
    """Say again what became of the disc that left last: it may lie in the open tray still."""
    last = _last_written(station)
    gone = None if last is None or last[0].ejected is None else _gone(last)
    if last is not None and gone is not None:
        station.farewell = station.farewell or farewell(*gone, last[0].path)
