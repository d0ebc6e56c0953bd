"""What discs are made of: the content roots, and the store that all hosts of a rig have to share."""

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs.cli import doors
from jobs.errors import DiscError
from jobs.settings import Settings
from models.job import Job
from models.manifest import ManifestEntry
from models.vocabulary import JobState
from workers.doctor.findings import Finding, failing, well, worrying

#: Files of unfinished orders that are looked for, at most.
_SAMPLE = 50
_OVER = (JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED)


def root_findings(root: Path) -> Iterator[Finding]:
    """See whether content can be read below a root."""
    name = f"content root {root}"
    if not root.is_dir():
        yield failing(name, "is no folder", "mount it, or take it out of DISCMILL_CONTENT_ROOTS")
        return
    try:
        with os.scandir(root) as entries:
            is_empty = next(iter(entries), None) is None
    except OSError as error:
        yield failing(name, f"can't be listed: {error.strerror}", "let the user that runs discmill read it")
        return
    yield worrying(name, "is empty", "see whether it is mounted") if is_empty else well(name, "can be read")


def store_findings(settings: Settings) -> Iterator[Finding]:
    """See whether the store here is the one that orders were staged to: what is still to be burnt must be in it."""
    beginning = f"{settings.store}/"
    query = (
        select(ManifestEntry.source)
        .join(Job, Job.manifest_id == ManifestEntry.manifest_id)
        .where(Job.state.not_in(_OVER), ManifestEntry.source.startswith(beginning, autoescape=True))
        .order_by(Job.id.desc())
        .limit(_SAMPLE)
    )
    try:
        with doors.database(settings) as database, database.read() as db:
            wanted = list(filter(None, db.scalars(query)))
    except (DiscError, SQLAlchemyError, OSError):
        return  # the database's own check says why
    lost = [source for source in wanted if not Path(source).exists()]
    if lost:
        seen = f"{len(lost)} of {len(wanted)} files of unfinished orders are not in {settings.store}: {lost[0]}"
        yield failing("store", seen, "let DISCMILL_HOME's store be the same folder, at the same path, on all hosts")
    else:
        yield well("store", f"{settings.store}, with what unfinished orders need ({len(wanted)} files looked for)")
