"""Whether a session can go on a medium: asked by the worker before the permit, and by the burner once more."""

from dataclasses import dataclass

from jobs.errors import DiscError, MediumNotWritable, MediumTooSmall, MediumUnsuitable, WrongDisc
from jobs.mastering.medium import AUDIO_BLOCK, Family, MediumInfo, MediumStatus


@dataclass(frozen=True, slots=True)
class Wanted:
    """A session that somebody wants to write: where it has to begin, how long it is, what it is."""

    start: int
    blocks: int
    block_size: int
    label: str
    programme: str = ""


def check_medium(medium: MediumInfo, wanted: Wanted) -> None:
    """Refuse a session that the medium can't take.

    Raises:
        MediumNotWritable: it is complete.
        MediumUnsuitable: audio is for a blank CD alone.
        WrongDisc: its next session begins elsewhere.
        MediumTooSmall: it has less room.
    """
    refusal = _refusal(medium, wanted)
    if refusal is not None:
        raise refusal


def _refusal(medium: MediumInfo, wanted: Wanted) -> DiscError | None:
    if medium.status is MediumStatus.COMPLETE:
        return MediumNotWritable(f"the {medium.kind} in the tray is complete; load a blank one")
    if wanted.block_size == AUDIO_BLOCK and medium.kind.family is not Family.CD:
        return MediumUnsuitable(f"audio can't go on the {medium.kind} in the tray; load a blank cd-r or cd-rw")
    if wanted.block_size == AUDIO_BLOCK and medium.status is not MediumStatus.BLANK:
        return MediumUnsuitable(f"the {medium.kind} in the tray holds sessions already; audio needs a blank one")
    if wanted.start != medium.next_writable:
        where = f"its next session begins at block {medium.next_writable}, not at {wanted.start}"
        return WrongDisc(f"the {medium.kind} in the tray is not the one this was laid out for: {where}")
    if wanted.blocks > medium.free_blocks:
        return MediumTooSmall(f"{wanted.blocks} blocks do not fit: the {medium.kind} has {medium.free_blocks} free")
    return None
