"""What `mtx` says, read into facts: pure functions, tested with transcripts of real runs.

Written against mtx 1.3.12. It prints volume tags padded with blanks, and with blanks around `=` for drives.
"""

import re
from dataclasses import dataclass

from jobs.errors import DiscError, DriveOccupied, InputEmpty, MechanismFault, OutputFull, RecorderMissing

_HEAD = re.compile(r"\s*Storage Changer .*:(?P<drives>\d+) Drives, (?P<slots>\d+) Slots", re.ASCII)
_DRIVE = re.compile(
    r"Data Transfer Element (?P<number>\d+):(?P<fill>Full|Empty)"
    r"(?: \((?:Storage Element (?P<source>\d+)|Unknown Storage Element) Loaded\))?"
    r"(?:\s*:VolumeTag ?= ?(?P<tag>.*))?",
    re.ASCII,
)
_SLOT = re.compile(
    r"\s+Storage Element (?P<number>\d+)(?P<port> IMPORT/EXPORT)?:(?P<fill>Full|Empty)\s*(?::VolumeTag ?=(?P<tag>.*))?",
    re.ASCII,
)
_SENSE = re.compile(
    r"Sense Key=(?P<key>.*)\n(?:.*\n)*?.*Additional Sense Code = (?P<asc>[0-9A-F]{2})\n"
    r".*Additional Sense Qualifier = (?P<ascq>[0-9A-F]{2})",
    re.ASCII | re.IGNORECASE,
)

#: What `mtx` refuses by itself, or a changer through it, and which of our errors that is.
_REFUSALS: tuple[tuple[str, type[DiscError]], ...] = (
    (r"cannot open SCSI device", RecorderMissing),
    (r"is not an sg device", RecorderMissing),
    (r"^Drive \d+ Full", DriveOccupied),
    (r"is Already Full|is Full$", OutputFull),
    (r"^Source Element Address \d+ is Empty", InputEmpty),
    (r"^Data Transfer Element \d+ is Empty", InputEmpty),
)


@dataclass(frozen=True, slots=True)
class Element:
    """A drive or a slot.

    `source` is the slot that a drive's disc came from; where the changer does not know, `mtx` guesses an empty one.
    """

    full: bool
    tag: str = ""
    source: int | None = None
    port: bool = False


@dataclass(frozen=True, slots=True)
class Elements:
    """What is where: drives from 0, slots from 1."""

    drives: dict[int, Element]
    slots: dict[int, Element]


def parse_status(text: str) -> Elements:
    """Read `mtx status`.

    Raises:
        MechanismFault: it is not what `mtx status` prints, or not all of it.
    """
    lines = text.splitlines()
    head = _HEAD.match(lines[0]) if lines else None
    if head is None:
        raise MechanismFault(f"mtx told no status: {text[:200]!r}")
    drives = {int(found["number"]): _element(found) for line in lines if (found := _DRIVE.match(line))}
    slots = {int(found["number"]): _element(found) for line in lines if (found := _SLOT.match(line))}
    if (len(drives), len(slots)) != (int(head["drives"]), int(head["slots"])):
        raise MechanismFault(f"mtx told of {len(drives)} drives and {len(slots)} slots, and counts {lines[0].strip()}")
    return Elements(drives, slots)


def _element(found: "re.Match[str]") -> Element:
    told = found.groupdict()
    source = told.get("source")
    return Element(
        full=told["fill"] == "Full",
        tag=(told["tag"] or "").strip(),
        source=None if source is None else int(source),
        port=bool(told.get("port")),
    )


def read_refusal(words: str, doing: str) -> DiscError:
    """Turn what `mtx` said when it failed into an error; `doing` completes "the changer refuses to …".

    >>> type(read_refusal("Drive 0 Full (Storage Element 2 loaded)", "load slot 3")).__name__
    'DriveOccupied'
    """
    kind = next((kind for sign, kind in _REFUSALS if re.search(sign, words, re.MULTILINE)), MechanismFault)
    said = _sense(words) or " ".join(words.split())[:300] or "it does not say why"
    return kind(f"the changer refuses to {doing}: {said}")


def _sense(words: str) -> str:
    found = _SENSE.search(words)
    return "" if found is None else f"{found['key'].strip()} ({found['asc']}/{found['ascq']})"
