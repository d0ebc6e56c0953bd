"""How the burn programs are called, as they were measured: pure functions from a plan to words.

| what | program | how it gets its bytes |
|---|---|---|
| data | `xorriso -as cdrecord` | a pipe, as many as it is told beforehand |
| audio | `cdrskin` | a file beside a cue sheet: a cue sheet's file has to have its size |
"""

from dataclasses import dataclass, replace

from jobs.mastering.cd_text import packs
from jobs.mastering.medium import BLOCK, Family, MediumInfo, MediumStatus
from jobs.mastering.programme import DiscText, Programme
from jobs.mastering.redbook_sheets import ENCODING, cue_sheet
from workers.evidence import SAMPLES, Plan

CUE, TEXT = "disc.cue", "disc.cdtext"
#: The burn program's own buffer: enough for a moment's delay, little enough for progress to be true.
_FIFO = "fs=8m"
_XORRISO = ("xorriso", "-report_about", "UPDATE", "-pkt_output", "on", "-as", "cdrecord", "-v")


@dataclass(frozen=True, slots=True)
class Target:
    """What is burnt to: the device file and its medium; `speed` is in multiples of 1x, None for the fastest."""

    node: str
    medium: MediumInfo
    speed: float | None = None


def data_command(plan: Plan, target: Target) -> list[str]:
    """Return the command that burns data from its standard input."""
    medium = target.medium
    follows = plan.leave_open or medium.status is MediumStatus.APPENDABLE
    overwrites = medium.status is MediumStatus.OVERWRITABLE
    options = [f"dev={target.node}", _FIFO, f"tsize={plan.size}", "padsize=0"]
    # At once where nothing follows and nothing went before: a CD's track at once has blocks that can't be read.
    options.append("-tao" if follows and not overwrites else "-sao")
    if plan.leave_open and not overwrites:
        options.append("-multi")
    if overwrites:
        options.append("blank=as_needed")  # formats what never was
    return [*_XORRISO, *options, *_common(plan, target), "-"]


def audio_command(plan: Plan, target: Target) -> list[str]:
    """Return the command that burns the samples beside its cue sheet, from the folder of both.

    Version 1.5.4 takes audio for data when it looks whether there is room: what fits in sectors and not in bytes needs
    `-force`, and gets it only where our own look has found that it fits.
    """
    options = [f"dev={target.node}", "-sao"]
    if -(-plan.size // BLOCK) > target.medium.free_blocks >= plan.blocks:
        options.append("-force")
    if plan.leave_open:
        options.append("-multi")
    if Programme.read(plan.programme).has_text:
        options.append(f"textfile={TEXT}")
    return ["cdrskin", "-v", *options, *_common(plan, target), f"cuefile={CUE}"]


def audio_sheets(programme: Programme) -> dict[str, bytes]:
    """Return the files beside the samples: the cue sheet, and CD-TEXT, all of it, in packs of its own.

    Raises:
        Faults: there is more text than a disc has room for.
    """
    silent = replace(
        programme,
        text=DiscText(),
        tracks=tuple(replace(track, text=DiscText()) for track in programme.tracks),
    )
    sheets = {CUE: cue_sheet(silent, SAMPLES).encode(ENCODING)}
    if programme.has_text:
        sheets[TEXT] = packs(programme)
    return sheets


def blank_command(node: str, *, full: bool) -> list[str]:
    """Return the command that makes a rewritable medium blank: what leads to its content, or all of it."""
    mode = "all" if full else "fast"
    words = ("xorriso", "-report_about", "UPDATE", "-pkt_output", "on", "-outdev", node, "-blank", mode)
    return ["env", "LC_ALL=C", *words]


def can_simulate(medium: MediumInfo) -> bool:
    """Say whether a burn can be rehearsed: only where the medium's standard has a test write (CD, DVD-R, DVD-RW)."""
    return medium.kind.family is Family.CD or medium.kind.startswith("dvd-r")


def _common(plan: Plan, target: Target) -> list[str]:
    options = []
    if target.speed is not None:
        options.append(f"speed={target.speed:g}")
    if not plan.guard_underrun:
        options.append("driveropts=noburnfree")
    if plan.simulate:
        options.append("-dummy")
    return options
