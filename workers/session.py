"""What goes on the disc in the tray: the job's master, or a session of its own behind those that are there."""

from collections.abc import Callable
from dataclasses import dataclass

from jobs.catalogue import load_manifest
from jobs.errors import AlreadyStaged, BadName, DiscFull, MediumUnsuitable
from jobs.laying_out import LaidOut, lay_out_session
from jobs.manifest import Manifest
from jobs.mastering.content import Content
from jobs.mastering.joliet_master import JolietDiscMaster
from jobs.mastering.masters import StoredMaster
from jobs.mastering.medium import MediumInfo
from jobs.mastering.previous_session import PreviousSession
from jobs.mastering.progress import AddProgress, ProgressListener
from jobs.preparation import layout_options, prepare_master, prepared_master
from models.job import Job
from models.vocabulary import Nonblank
from workers.station import Station


class NoSessionFollows(MediumUnsuitable):
    """The disc in the tray suits by what its drive says of it, yet this order's session can't follow those on it."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session to burn: what it holds, and whether another may follow.

    `key` names its master where it was laid out for this very disc, and is None where it is the job's own.
    """

    master: StoredMaster
    leave_open: bool = False
    key: str | None = None


def session_for(
    station: Station, job: Job, medium: MediumInfo, content: Content, listener: ProgressListener
) -> Session:
    """Prepare what is to be burnt on the medium that was selected for a content; nothing is written yet.

    Raises:
        NoSessionFollows: the last session on it can't be read, holds no data, is in the order's way, or leaves too
            little room.
        SourceChanged: what is laid out now is not what was ordered.
    """
    appends = job.nonblank is Nonblank.APPEND and not job.simulate
    if not appends or not medium.used:
        return Session(prepared_master(station.database, station.masters, job), leave_open=appends)
    previous = _continued(content, medium)
    with station.database.read() as db:
        manifest = load_manifest(db, job.manifest_id)
    laid = _lay_out(job, manifest, previous)
    if laid.image.blocks > medium.free_blocks:
        room = f"the {medium.kind} in the tray has {medium.free_blocks} left"
        raise NoSessionFollows(f"the session takes {laid.image.blocks} blocks, and {room}; load another disc")
    stored = prepare_master(station.masters, laid, _told(listener, laid.image.block_size))
    return Session(stored, leave_open=True, key=laid.key)


def _lay_out(job: Job, manifest: Manifest, previous: PreviousSession) -> LaidOut:
    try:
        return lay_out_session(manifest, layout_options(job, manifest), previous)
    except (AlreadyStaged, BadName, DiscFull) as error:  # the order is well by itself
        message = f"the order does not go with what is on the disc in the tray: {error.message}"
        raise NoSessionFollows(message) from error


def _continued(content: Content, medium: MediumInfo) -> PreviousSession:
    if isinstance(content, JolietDiscMaster) and content.previous is not None:
        return content.previous
    why = content.obstacle if isinstance(content, JolietDiscMaster) else None
    message = f"no session can follow those on the {medium.kind} in the tray: {why or 'it holds no data'}"
    raise NoSessionFollows(f"{message}; load another disc") from why


def _told(listener: ProgressListener, block_size: int) -> Callable[[int, int], None]:
    return lambda done, total: listener.notify(AddProgress(done // block_size, total // block_size))
