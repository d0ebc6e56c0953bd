"""What may be written on an emulated medium, and what becomes of it: sessions begun, ended, erased."""

from dataclasses import replace

from jobs.errors import MediumUnsuitable
from jobs.mastering.medium import BLOCK, MediumKind, MediumStatus
from workers.recorders.emulated_medium import Medium, Session
from workers.recorders.suitability import Wanted, check_medium

_OVERWRITABLE = {MediumKind.DVD_PLUS_RW, MediumKind.BD_RE}
#: Blocks lost behind the first session and behind each later one. CD (Orange Book): lead-out 6,750 then 2,250,
#: lead-in 4,500, pregap 150. DVD-R: border-out and border-in, DVD+R: closure and intro; of those the standards leave
#: the drive some choice, and these are low, round figures (32 and 6 MiB, 4 MiB). BD-R has nothing between sessions.
_GAPS = {
    MediumKind.CD_R: (11_400, 6_900),
    MediumKind.CD_RW: (11_400, 6_900),
    MediumKind.DVD_R: (16_384, 3_072),
    MediumKind.DVD_R_DL: (16_384, 3_072),
    MediumKind.DVD_RW: (16_384, 3_072),
    MediumKind.DVD_PLUS_R: (2_048, 2_048),
    MediumKind.DVD_PLUS_R_DL: (2_048, 2_048),
}


def new_medium(medium_id: str, kind: MediumKind) -> Medium:
    """Make a medium as it comes out of its wrapping."""
    status = MediumStatus.OVERWRITABLE if kind in _OVERWRITABLE else MediumStatus.BLANK
    return Medium(medium_id, kind, status, kind.capacity)


def check_follows(medium: Medium) -> None:
    """Refuse to let anything follow audio.

    Raises:
        MediumUnsuitable: the medium is appendable and holds audio.
    """
    if medium.status is MediumStatus.APPENDABLE and medium.has_audio:
        raise MediumUnsuitable(f"the {medium.kind} in the tray holds audio; nothing can follow it; load a blank one")


def begun(medium: Medium, wanted: Wanted) -> Medium:
    """Open a session. If nothing follows, this is what a cut burn leaves: a spoiled medium.

    Raises:
        MediumError: it can't take it; see `check_medium`. Besides, nothing can follow audio.
    """
    check_medium(medium.info(""), wanted)
    check_follows(medium)
    fresh = medium.status is MediumStatus.OVERWRITABLE
    kept = () if fresh else medium.sessions
    last = wanted.start + wanted.blocks - 1
    session = Session(len(kept) + 1, wanted.start, last, wanted.block_size, wanted.label, wanted.programme)
    status = medium.status if fresh else MediumStatus.COMPLETE
    changed = replace(medium, status=status, used=True, damaged=True, sessions=kept, open_session=session)
    return replace(changed, next_writable=0, remains=())


def ended(medium: Medium, *, leave_open: bool) -> Medium:
    """Close the open session, and the disc unless it is left open and has room for another session.

    A medium that is overwritable stays so, and its next session begins at its start.
    """
    session = medium.open_session
    if session is None:
        return medium
    closed = replace(medium, damaged=False, sessions=(*medium.sessions, session), open_session=None)
    follows = next_session(medium.kind, session)
    if closed.status is MediumStatus.OVERWRITABLE or not leave_open or follows >= medium.capacity:
        return closed
    return replace(closed, status=MediumStatus.APPENDABLE, next_writable=follows)


def next_session(kind: MediumKind, last: Session) -> int:
    """Return the block that a session after the last one begins at: past the gap, at an ECC block's start."""
    first_gap, later_gap = _GAPS.get(kind, (0, 0))
    end = last.last + 1 + (first_gap if last.number == 1 else later_gap)
    return -(-end // kind.family.rounding) * kind.family.rounding


def being_erased(medium: Medium) -> Medium:
    """Begin to erase: what an erasing that is broken off leaves, a medium that has to be blanked again.

    Raises:
        MediumUnsuitable: it is write-once.
    """
    if not medium.kind.is_rewritable:
        raise MediumUnsuitable(f"the {medium.kind} in the tray is write-once; load a rewritable one")
    remains = medium.written or medium.remains
    erased = replace(medium, status=MediumStatus.COMPLETE, used=True, damaged=True, remains=remains)
    return replace(erased, sessions=(), open_session=None, next_writable=0)


def erased(medium: Medium, *, full: bool) -> Medium:
    """Make a medium blank that was being erased. What is left of it can still be read; all of it zeros if `full`."""
    zeros = Session(1, 0, medium.capacity - 1, BLOCK, "")
    remains = (zeros,) if full else medium.remains
    return replace(new_medium(medium.id, medium.kind), erases=medium.erases + 1, remains=remains)
