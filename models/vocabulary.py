"""The words of states and kinds, as they are stored, shown and spoken."""

from enum import StrEnum


class JobState(StrEnum):
    """Where an order stands; derived from its copies, stored for queries."""

    QUEUED = "queued"  #: no copy has a recorder yet
    ACTIVE = "active"  #: at least one copy is being made or has been
    WAITING = "waiting"  #: nothing more is assigned until somebody decides; the reason is stored
    COMPLETED = "completed"  #: every copy is done
    FAILED = "failed"  #: given up
    CANCELLED = "cancelled"  #: called off; attempts may still be settling

    @property
    def is_final(self) -> bool:
        """True if nothing will change the state by itself any more."""
        return self in {JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}


class CopyState(StrEnum):
    """Where one disc of an order stands."""

    QUEUED = "queued"  #: wants a recorder
    ASSIGNED = "assigned"  #: a recorder was chosen; its worker has not claimed it yet
    ACTIVE = "active"  #: an attempt is under way
    DONE = "done"  #: one verified good disc exists
    CANCELLED = "cancelled"  #: not wanted any more


class Stage(StrEnum):
    """Where an attempt stands."""

    ASSIGNED = "assigned"  #: promised to a recorder, not claimed
    PREPARING = "preparing"  #: claimed; the medium is untouched
    WRITING = "writing"  #: the laser may be on; from here a failure spoils the medium
    CLOSING = "closing"  #: all blocks are fed; the session is being closed
    VERIFYING = "verifying"  #: the disc is read back and compared
    SETTLED = "settled"  #: the outcome is known


class Outcome(StrEnum):
    """What became of an attempt."""

    GOOD = "good"  #: a good disc that counts for its copy
    SPOILED = "spoiled"  #: written and not good: waste
    UNUSED = "unused"  #: nothing was written; the medium stays usable
    SURPLUS = "surplus"  #: a good disc that nobody needs any more
    LOST = "lost"  #: its host did not come back in time; resolved when it does
    SIMULATED = "simulated"  #: every step but the laser


class Intent(StrEnum):
    """What the operator wants of a recorder."""

    ENABLED = "enabled"
    PAUSED = "paused"
    QUARANTINED = "quarantined"  #: spoiled too many discs in a row


class Condition(StrEnum):
    """What is observed of a recorder."""

    OFFLINE = "offline"  #: its worker is not alive
    EMPTY = "empty"  #: no medium in
    LOADING = "loading"  #: the medium is being moved or spun up
    READY = "ready"  #: a medium is in and nothing is under way
    BUSY = "busy"  #: at work
    RECOVERING = "recovering"  #: its new worker finds out what became of the last attempt
    ATTENTION = "attention"  #: a person has to do something; the message says what


class DiscFormat(StrEnum):
    """How content is laid out on a disc."""

    JOLIET = "joliet"  #: data: ISO 9660 with Joliet and Rock Ridge, UDF where needed
    REDBOOK = "redbook"  #: audio
    IMAGE = "image"  #: a ready-made ISO, burnt bit for bit


class Nonblank(StrEnum):
    """What to do with a medium that holds user data."""

    REJECT = "reject"
    APPEND = "append"
    BLANK = "blank"


class StageMode(StrEnum):
    """Where the content waits for its burn."""

    REFERENCE = "reference"  #: where it is, guarded against change
    COPY = "copy"  #: in the content-addressed store
