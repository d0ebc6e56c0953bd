"""What burn programs say, as events: the words that xorriso and cdrskin have in common, both being libburn's.

Text in, events out; the processes live elsewhere. Words nobody knows are no event.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from workers.recorders.scsi_sense import Sense

#: Bytes of a line that is kept, at most; what a program writes without an end of line is cut here.
_LONGEST = 4096


class Severity(IntEnum):
    """How bad an event is, by libburn's words; from FAILURE on a burn is not good."""

    UPDATE = 0
    NOTE = 1
    HINT = 2
    URGE = 3
    WARNING = 4
    SORRY = 5
    FAILURE = 6
    FATAL = 7
    ABORT = 8


@dataclass(frozen=True, slots=True)
class Written:
    """Blocks are being written: MiB of how many, shares of full buffers from 0 to 1, multiple of 1x; None if not said.

    `track` is counted by cdrskin alone.
    """

    done: int
    total: int
    fifo: float | None = None
    buffer: float | None = None
    speed_x: float | None = None
    track: int | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """The drive works for so many seconds on what has no progress: formatting, lead-in, lead-out, closing."""

    what: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Message:
    """Something was said, with its severity; `sense` is the drive's own word, `block` where it happened."""

    severity: Severity
    text: str
    sense: Sense | None = None
    block: int | None = None


@dataclass(frozen=True, slots=True)
class TrackDone:
    """A track was written: bytes that were read of its source, and bytes that the drive was given."""

    track: int
    read: int
    written: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The program said that the burn succeeded, or that it failed."""

    well: bool


Event = Written | Busy | Message | TrackDone | Ended

_MESSAGE = re.compile(
    r"(?:cdrskin|xorriso|libburn|libisofs|libisoburn|Cdrskin) ?: "
    rf"(?P<severity>{'|'.join(Severity.__members__)}) *: (?P<text>.*)"
)
_SENSE = re.compile(r"SCSI error.*?\[([0-9A-F]) ([0-9A-F]{2}) ([0-9A-F]{2})\]")
_BLOCK = re.compile(r"SCSI error on (?:write|read)\((-?\d{1,10}),\d+\)")
_WRITTEN = re.compile(
    r"(?P<done>\d{1,9}) of +(?P<total>\d{1,9}) MB written"
    r"(?: \(fifo +(?P<fifo>\d{1,3})%\))?(?: \[buf +(?P<buffer>\d{1,3})%\])?(?: +(?P<speed>\d{1,6}\.\d+)x)?"
)


def read_message(line: str) -> Message | None:
    """Read a line with a severity, from wherever in the line it begins.

    >>> told = read_message("libburn : FATAL : SCSI error on write(688,16): [3 0C 00] Medium error. Write error.")
    >>> told.severity.name, told.block, str(told.sense)
    ('FATAL', 688, '3/0C/00 (write error)')
    """
    found = _MESSAGE.search(line)
    if found is None:
        return None
    text = found["text"].strip()
    sense, block = _SENSE.search(text), _BLOCK.search(text)
    return Message(
        severity=Severity[found["severity"]],
        text=text,
        sense=Sense(*(int(number, 16) for number in sense.groups())) if sense else None,
        block=int(block[1]) if block else None,
    )


def read_written(line: str, track: int | None = None) -> Written | None:
    """Read how much is written.

    >>> read_written("   18 of   57 MB written (fifo 100%) [buf  50%]  37.7x.")
    Written(done=18, total=57, fifo=1.0, buffer=0.5, speed_x=37.7, track=None)
    """
    found = _WRITTEN.search(line)
    if found is None:
        return None
    speed = found["speed"]
    return Written(
        done=int(found["done"]),
        total=int(found["total"]),
        fifo=_share(found["fifo"]),
        buffer=_share(found["buffer"]),
        speed_x=None if speed is None else float(speed),
        track=track,
    )


def _share(percent: str | None) -> float | None:
    return None if percent is None else min(100, int(percent)) / 100


class Lines:
    """Cuts a stream of bytes into lines, which end with a line feed or a carriage return: both mean a new line."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Take bytes; yield the lines that are complete, without those that are empty."""
        *lines, rest = re.split(rb"[\r\n]", self._rest + data)
        if len(rest) > _LONGEST:
            lines, rest = [*lines, rest], b""
        self._rest = rest
        yield from self._texts(lines)

    def end(self) -> Iterator[str]:
        """Yield the line that was begun and never ended."""
        lines, self._rest = [self._rest], b""
        yield from self._texts(lines)

    @staticmethod
    def _texts(lines: list[bytes]) -> Iterator[str]:
        for line in lines:
            text = line[:_LONGEST].decode(errors="replace").strip()
            if text:
                yield text
