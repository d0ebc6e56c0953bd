"""What can go wrong in a modelled drive, and its words: `write-error@4992`, `sync-error`, `hang@700`."""

import re
from dataclasses import dataclass
from enum import StrEnum

from jobs.errors import OrderError

_SPEC = re.compile(r"(?P<name>[a-z-]+)(?:@(?P<block>\d{1,9}))?", re.ASCII)


class Trouble(StrEnum):
    """What happens at a block, or when the buffer is emptied."""

    WRITE_ERROR = "write-error"  #: the block can't be written (3/0C/00)
    READ_ERROR = "read-error"  #: the block can't be read (3/11/00)
    SYNC_ERROR = "sync-error"  #: what is in the buffer can't be written (3/0C/00)
    CLOSE_ERROR = "close-error"  #: the session can't be closed (5/72/00)
    HANG = "hang"  #: the command that writes the block does not return until the trouble is cleared
    UNPLUG = "unplug"  #: the drive vanishes when the block is to be written
    REMOVE = "remove"  #: the medium is gone when the block is to be written

    @property
    def has_block(self) -> bool:
        """True if it happens at a block."""
        return self not in {Trouble.SYNC_ERROR, Trouble.CLOSE_ERROR}


@dataclass(frozen=True, slots=True)
class Fault:
    """A trouble, and the block it waits at."""

    trouble: Trouble
    block: int = 0

    def __str__(self) -> str:
        """Write it as it is read."""
        return f"{self.trouble}@{self.block}" if self.trouble.has_block else str(self.trouble)


def parse_fault(spec: str) -> Fault:
    """Read a fault.

    Raises:
        OrderError: it is none.
    """
    found = _SPEC.fullmatch(spec)
    if found is None or found["name"] not in set(Trouble):
        raise OrderError(f"unknown fault {spec!r}; the faults are {', '.join(Trouble)}, most with @BLOCK")
    trouble = Trouble(found["name"])
    if trouble.has_block != (found["block"] is not None):
        raise OrderError(f"fault {spec!r}: {trouble} {'needs' if trouble.has_block else 'has no'} @BLOCK")
    return Fault(trouble, int(found["block"] or 0))
