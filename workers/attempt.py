"""One attempt, from claim to settled: the story that DESIGN calls the lifecycle."""

import logging
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from jobs import ledger
from jobs.errors import (
    DiscError,
    MediumUnsuitable,
    NotFound,
    NotPermitted,
    OutsideRoots,
    RecorderMissing,
    WrongDisc,
)
from jobs.ledger import Verdict
from jobs.mastering.handle import RecorderHandle
from jobs.mastering.master import DiscMaster, RecordOptions
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import MediumInfo
from jobs.overview import attempt_document
from jobs.scheduling import suits
from jobs.tally import BURN_SECONDS, VERIFY_SECONDS
from models.attempt import Attempt
from models.job import Copy, Job
from models.vocabulary import CopyState, DiscFormat, Nonblank, Outcome, Stage
from workers.proof import Burnt, BurntMedium, evidence_folder, note_medium, verify
from workers.recovery import judge
from workers.reporting import Reporter, Work
from workers.session import Session, session_for
from workers.settling import conclude, disc_label, work_of
from workers.station import Station
from workers.stopwatch import Stopwatch

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """A claimed attempt and all that was ordered of it."""

    work: Work
    job: Job


def run_attempt(station: Station, attempt_id: str) -> str:
    """Claim an attempt, make its disc, settle it; return the ledger's verdict as text.

    A message delivered again, late, or for another recorder changes nothing and returns what the ledger says.
    """
    task = _claim(station, attempt_id)
    if task is None:
        return _known_verdict(station, attempt_id)
    watch = Stopwatch()
    with Reporter(station, task.work) as reporter:
        try:
            verdict = _make_disc(station, task, reporter, watch)
        except Exception as error:
            log.info("attempt %s: %s", attempt_id, error, exc_info=not isinstance(error, DiscError))
            verdict = judge(station, attempt_id, reporter, error, watch)
    conclude(station, task.work, verdict)
    watch.write_down(station.database, station.name)
    return _known_verdict(station, attempt_id)


def _claim(station: Station, attempt_id: str) -> Task | None:
    with station.database.write() as db:
        rows = ledger.start(db, attempt_id, station.owner)
        return None if rows is None else Task(work_of(rows.attempt, rows.job, rows.copy.number), rows.job)


def _known_verdict(station: Station, attempt_id: str) -> str:
    with station.database.read() as db:
        try:
            known = attempt_document(db, attempt_id)
        except NotFound:
            return f"no attempt {attempt_id}"
    where = f"{known['recorder']}: job {known['job']} copy {known['copy']}"
    error = known["error"]
    why = f" ({error['message']})" if isinstance(error, dict) else ""
    return f"{known['outcome'] or known['stage']} on {where}{why}"


def _make_disc(station: Station, task: Task, reporter: Reporter, watch: Stopwatch) -> Verdict:
    burnt = _burn(station, task, reporter, watch)
    if task.job.simulate:
        return Verdict(Outcome.SIMULATED)
    if _more_are_wanted(station, task.job):
        station.device.recorder.expect(burnt.master.image_path)
    with station.database.write() as db:
        ledger.enter(db, task.work.attempt, station.owner, Stage.VERIFYING)
    if not task.job.verify:
        return Verdict(Outcome.GOOD, verified=False)
    with watch.lap(VERIFY_SECONDS):
        return verify(station, task.job, burnt, reporter)


def _more_are_wanted(station: Station, job: Job) -> bool:
    with station.database.read() as db:
        return (
            db.scalar(select(Copy.id).where(Copy.job_id == job.id, Copy.state == CopyState.QUEUED).limit(1)) is not None
        )


def _burn(station: Station, task: Task, reporter: Reporter, watch: Stopwatch) -> Burnt:
    """Burn what belongs on the medium in the tray; return the master of it."""
    with DiscMaster([station.device.recorder]).open() as master:
        content = master.set_format(task.job.format)
        recorder = _bound(master)
        medium = master.set_recorder(recorder)
        _check_medium(task.job, medium)
        master.advise(reporter)
        session = session_for(station, task.job, medium, content, reporter)
        _check_roots(station, session.master)
        if medium.used and task.job.nonblank is Nonblank.BLANK:
            _blank(station, task, recorder)
            medium = master.set_recorder(recorder)
        master.stage(session.master)
        evidence = evidence_folder(station, task.work.attempt)
        permit = _Permit(station, task, medium, session, evidence)
        with watch.lap("simulation" if task.job.simulate else BURN_SECONDS):
            options = _options(station, task, session, evidence)
            master.record(options, permit)
    return Burnt(session.master, options.digest)


def _options(station: Station, task: Task, session: Session, evidence: Path) -> RecordOptions:
    return RecordOptions(
        evidence=evidence,
        label=disc_label(task.work),
        simulate=task.job.simulate,
        speed=task.job.speed,
        leave_open=session.leave_open,
        digest=_is_digest_due(station, task.job, session),
    )


def _is_digest_due(station: Station, job: Job, session: Session) -> bool:
    """Say whether what is burnt has to be hashed on its way.

    It need not be where a disc of the very same bytes was found good before, and this one will be read back as well. Of
    audio a drive's offset hides some samples from reading.
    """
    if not job.verify or job.simulate or session.key is not None or job.format is DiscFormat.REDBOOK:
        return True
    good = Attempt.outcome.in_([Outcome.GOOD, Outcome.SURPLUS]) & Attempt.verified.is_(True)
    with station.database.read() as db:
        return db.scalar(select(Attempt.id).where(Attempt.job_id == job.id, good).limit(1)) is None


def _bound(master: DiscMaster) -> RecorderHandle:
    """Return the recorder that this worker is bound to.

    Raises:
        RecorderMissing: it is gone, or can't burn the format.
    """
    recorders = master.recorders()
    if not recorders:
        raise RecorderMissing(f"the recorder is gone, or can't burn {master.active_format()} discs")
    return recorders[0]


def _blank(station: Station, task: Task, recorder: RecorderHandle) -> None:
    """Erase a rewritable medium, as the order allows; journalled first, since it can't be undone."""
    with station.database.write() as db:
        ledger.permit_blanking(db, task.work.attempt, station.owner)
    recorder.open_exclusive()
    try:
        recorder.erase()
    finally:
        recorder.close()
        station.media.forget()


def _check_medium(job: Job, medium: MediumInfo) -> None:
    if not suits(job, medium):
        used = "used" if medium.used else "blank"
        message = f"the {used} {medium.kind} with {medium.free_blocks} free blocks does not suit a {job.medium} order"
        raise MediumUnsuitable(message)


def _check_roots(station: Station, stored: StoredMaster) -> None:
    roots = station.roots
    outside = next((source.path for source in stored.sources() if not roots.contains(source.path)), None)
    if outside is not None:
        where = f"{outside} lies outside the content roots of {station.settings.host}"
        raise OutsideRoots(f"{where}; extend DISCMILL_CONTENT_ROOTS there")


@dataclass(frozen=True, slots=True)
class _Permit:
    """Journals "about to write medium M" before the first block; refuses if anything is not as it was."""

    station: Station
    task: Task
    medium: MediumInfo
    session: Session
    evidence: Path

    def __call__(self, found: MediumInfo) -> None:
        self._check(found)
        if self.task.job.simulate:
            return
        medium_id = self.station.media.of(found)
        note_medium(self.evidence, found)
        station, attempt = self.station, self.task.work.attempt
        try:
            with station.database.write() as db:
                ledger.permit(db, attempt, station.owner, found, medium_id, master_key=self.session.key)
        except DBAPIError as error:
            if not self._took_effect():
                message = "the permit to write could not be journalled"
                raise NotPermitted(message) from error

    def _check(self, found: MediumInfo) -> None:
        if self.session.key is not None and BurntMedium.of(found) != BurntMedium.of(self.medium):
            message = "another disc is in the tray than the one whose sessions were read; it stays as it is"
            raise WrongDisc(message)
        if found.load != self.medium.load or not suits(self.task.job, found):
            message = "the medium was changed after it was chosen"
            raise MediumUnsuitable(message)

    def _took_effect(self) -> bool:
        """Ask again, on a new connection, after a commit that was not answered."""
        self.station.database.engine.dispose()
        try:
            with self.station.database.read() as db:
                return ledger.may_write(db, self.task.work.attempt, self.station.owner)
        except DBAPIError:
            return False
