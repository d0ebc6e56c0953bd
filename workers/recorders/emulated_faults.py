"""Faults of the emulated drive: the words they are scripted in, and which of them bite a disc.

A fault is `NAME[@BLOCK][:discK]`: BLOCK is a block of the medium, K counts the discs loaded into the drive, from 1;
without it every disc is meant.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from jobs.errors import Faults


class FaultName(StrEnum):
    """What can go wrong."""

    WRITE_ERROR = "write-error"  #: the block can't be written; the burn fails
    STALL = "stall"  #: the drive stops answering before the block, until the fault is cleared or the burn called off
    UNPLUG = "unplug"  #: the drive vanishes before the block
    FLIP = "flip"  #: one bit of the block is wrong on the disc
    READ_FLIP = "read-flip"  #: one bit of the block is wrong whenever it is read
    READ_ERROR = "read-error"  #: the block can't be read
    STREAM_LOSS = "stream-loss"  #: the stream breaks off before the block, whatever guards it
    STARVE = "starve"  #: the host is late before the block: the drive pauses, or loses the stream if nothing guards it
    INIT_ERROR = "init-error"  #: the drive can't be set up for writing
    CLOSE_ERROR = "close-error"  #: the session can't be closed
    INFO_ERROR = "info-error"  #: the drive can't say what is on the disc
    MOUNTED = "mounted"  #: the system has the disc mounted and does not let go of it
    WRONG_MEDIUM = "wrong-medium"  #: the feeder brings a disc of another family
    DIRTY_MEDIUM = "dirty-medium"  #: the feeder brings a used disc
    NO_MEDIUM = "no-medium"  #: the feeder brings nothing and does not notice
    FEEDER_EMPTY = "feeder-empty"  #: the feeder has no disc left

    @property
    def has_block(self) -> bool:
        """True if it happens at a block."""
        return self in _AT_A_BLOCK

    @property
    def has_disc(self) -> bool:
        """True if it can be meant for one disc."""
        return self is not FaultName.FEEDER_EMPTY


_AT_A_BLOCK = {
    FaultName.WRITE_ERROR,
    FaultName.STALL,
    FaultName.UNPLUG,
    FaultName.FLIP,
    FaultName.READ_FLIP,
    FaultName.READ_ERROR,
    FaultName.STREAM_LOSS,
    FaultName.STARVE,
}
_SPEC = re.compile(r"(?P<name>[a-z-]+)(@(?P<block>\d{1,9}))?(:disc(?P<disc>[1-9]\d{0,8}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault; `block` and `disc` are None where it has none."""

    name: FaultName
    block: int | None = None
    disc: int | None = None

    def __str__(self) -> str:
        """Write it as it is read."""
        at = "" if self.block is None else f"@{self.block}"
        of = "" if self.disc is None else f":disc{self.disc}"
        return f"{self.name}{at}{of}"

    def bites(self, disc: int) -> bool:
        """Say whether it is meant for this disc."""
        return self.disc is None or self.disc == disc


def parse_fault(spec: str) -> Fault:
    """Read one fault.

    Raises:
        Faults: the words make no sense.
    """
    fault = _SPEC.fullmatch(spec)
    if fault is None or fault["name"] not in set(FaultName):
        raise Faults(f"fault {spec!r}", [f"not NAME[@BLOCK][:discK] with NAME one of {', '.join(FaultName)}"])
    name = FaultName(fault["name"])
    wrong = list(_misfits(name, fault["block"], fault["disc"]))
    if wrong:
        raise Faults(f"fault {spec!r}", wrong)
    return Fault(name, _number(fault["block"]), _number(fault["disc"]))


def _misfits(name: FaultName, block: str | None, disc: str | None) -> Iterator[str]:
    if name.has_block and block is None:
        yield f"{name} needs a block: {name}@12000"
    if not name.has_block and block is not None:
        yield f"{name} happens at no block; leave out @{block}"
    if disc is not None and not name.has_disc:
        yield f"{name} is not about a disc; leave out :disc{disc}"


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def biting(specs: Iterable[str], name: FaultName, disc: int) -> Fault | None:
    """Find the first fault of a name that is meant for a disc."""
    return next((fault for fault in map(parse_fault, specs) if fault.name is name and fault.bites(disc)), None)
