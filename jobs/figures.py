"""The figures of the rig as the database has them at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from jobs.overview import shown_state
from models.attempt import Attempt
from models.figures import Tally
from models.job import WAITS_FOR_A_RECORDER, Copy, Job
from models.recorder import Recorder
from models.vocabulary import JobState, Outcome

#: What a disc can have become.
DISCS = (Outcome.GOOD, Outcome.SPOILED, Outcome.SURPLUS, Outcome.LOST)


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts by what they are of. `tallies`: name -> recorder -> bucket -> value."""

    queued: Mapping[str, int]  #: copies that wait for a recorder, by class of media
    jobs: Mapping[str, int]  #: by state
    discs: Mapping[tuple[str, str], int]  #: by recorder and outcome
    recorders: Mapping[str, str]  #: state by name
    tallies: Mapping[str, Mapping[str, Mapping[str, float]]]


def read_figures(db: Session) -> Figures:
    """Count. Queues are counted through their index; jobs and discs take time in proportion to the ledger."""
    recorders = db.scalars(select(Recorder).order_by(Recorder.name)).all()
    return Figures(
        queued=queued_by_class(db),
        jobs=jobs_by_state(db),
        discs=discs_by_recorder(db),
        recorders={recorder.name: str(shown_state(recorder)) for recorder in recorders},
        tallies=tallies(db),
    )


def queued_by_class(db: Session) -> dict[str, int]:
    """Count the copies that wait for a recorder, in one pass over the queue's index: done ones are not looked at."""
    waiting = select(Copy.media_class, func.count()).where(text(WAITS_FOR_A_RECORDER)).group_by(Copy.media_class)
    return dict(db.execute(waiting.order_by(Copy.media_class)).all())


def jobs_by_state(db: Session) -> dict[str, int]:
    """Count the jobs; a state that none is in counts as well."""
    rows = db.execute(select(Job.state, func.count()).group_by(Job.state)).all()
    found = {str(state): number for state, number in rows}
    return {str(state): found.get(state, 0) for state in JobState}


def discs_by_recorder(db: Session) -> dict[tuple[str, str], int]:
    """Count the discs that were written."""
    query = (
        select(Attempt.recorder, Attempt.outcome, func.count())
        .where(Attempt.outcome.in_(DISCS))
        .group_by(Attempt.recorder, Attempt.outcome)
    )
    return {(recorder, str(outcome)): number for recorder, outcome, number in db.execute(query).all()}


def tallies(db: Session) -> dict[str, dict[str, dict[str, float]]]:
    """Read the counts that only grow: a few rows for each recorder."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in db.scalars(select(Tally)):
        found.setdefault(row.name, {}).setdefault(row.recorder, {})[row.bucket] = row.value
    return found
