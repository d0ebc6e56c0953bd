"""What a drive in a changer is asked for: `scsi:ID?changer=ID&drive=0&input=dvd-r@1-6,cd-r@7&accept=8-10&reject=12`.

Drives and slots are numbered as `mtx status` does: drives from 0, slots from 1, import and export slots last.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jobs.errors import Faults, OrderError
from jobs.mastering.medium import MediumKind
from workers.recorders.uri_options import Options

_KEYS = ("changer", "drive", "input", "accept", "reject")
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
_RANGE = re.compile(r"(?P<first>[1-9]\d{0,3})(?:-(?P<last>[1-9]\d{0,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Shelving:
    """Which drive of which changer a recorder is, and what its slots are for.

    `inputs` names the kind of blank in each slot, in the order in which they are used up.
    """

    changer: str
    drive: int
    inputs: dict[int, MediumKind]
    accept: tuple[int, ...]
    reject: tuple[int, ...]

    @property
    def slots(self) -> set[int]:
        """Every slot that is used for something."""
        return {*self.inputs, *self.accept, *self.reject}


def device_of(uri: str) -> str:
    """Return the drive that a URI names, whatever else it says.

    >>> device_of("scsi:/dev/sr0?changer=/dev/sg2&drive=0")
    '/dev/sr0'
    """
    return uri.partition("?")[0].partition(":")[2]


def parse_uri(uri: str) -> tuple[str, Shelving | None]:
    """Read which drive a URI of the scheme `scsi` names, and how its changer is used; None without one.

    Raises:
        Faults: every fault of it.
    """
    device = device_of(uri)
    _, question, query = uri.partition("?")
    if not question:
        return device, None
    options = Options(_KEYS)
    options.take(query)
    shelving = _shelving(options)
    options.faults += _lacks(options) or _clashes(shelving)
    if options.faults:
        raise Faults(f"recorder {uri!r}", options.faults)
    return device, shelving


def _shelving(options: Options) -> Shelving:
    return Shelving(
        changer=options.read_last("changer", _parse_name, ""),
        drive=options.read_last("drive", _parse_drive, 0),
        inputs=options.read_last("input", _parse_inputs, {}),
        accept=options.read_last("accept", parse_slots, ()),
        reject=options.read_last("reject", parse_slots, ()),
    )


def _lacks(options: Options) -> list[str]:
    return [f"{key}= is missing" for key in _KEYS if key not in options.values]


def _clashes(shelving: Shelving) -> list[str]:
    """Find slots with two purposes: a spoiled disc would lie among good ones, or among blanks."""
    uses = {"input": set(shelving.inputs), "accept": set(shelving.accept), "reject": set(shelving.reject)}
    pairs = (("input", "accept"), ("input", "reject"), ("accept", "reject"))
    return [
        f"slot {slot} is both {one} and {other}" for one, other in pairs for slot in sorted(uses[one] & uses[other])
    ]


def _parse_name(text: str) -> str:
    if not text:
        raise OrderError("say the changer's device file, its id or its serial number")
    return text


def _parse_drive(text: str) -> int:
    if _NUMBER.fullmatch(text) is None:
        raise OrderError("not the number of a drive, from 0")
    return int(text)


def _parse_inputs(text: str) -> dict[int, MediumKind]:
    inputs: dict[int, MediumKind] = {}
    faults: list[str] = []
    for part in text.split(","):
        kind, at, slots = part.partition("@")
        if not at or kind not in set(MediumKind):
            faults.append(f"{part!r} is not KIND@SLOT or KIND@FIRST-LAST with KIND one of {', '.join(MediumKind)}")
            continue
        try:
            inputs |= dict.fromkeys(parse_slots(slots), MediumKind(kind))
        except Faults as wrong:
            faults += wrong.faults
    if faults:
        raise Faults("input", faults)
    return inputs


def parse_slots(text: str) -> tuple[int, ...]:
    """Read `7-9,12`: slots in the order in which they are filled.

    Raises:
        Faults: every fault of it.

    >>> parse_slots("7-9,12")
    (7, 8, 9, 12)
    """
    parts = [(part, _RANGE.fullmatch(part)) for part in text.split(",")]
    faults = [f"{part!r} is not SLOT or FIRST-LAST, counted from 1" for part, found in parts if not _is_range(found)]
    if faults:
        raise Faults("slots", faults)
    return tuple(dict.fromkeys(slot for _, found in parts if found for slot in _numbers(found)))


def _is_range(found: "re.Match[str] | None") -> bool:
    return found is not None and bool(_numbers(found))


def _numbers(found: "re.Match[str]") -> range:
    return range(int(found["first"]), int(found["last"] or found["first"]) + 1)


def format_slots(slots: Iterator[int] | tuple[int, ...]) -> str:
    """Write slots as they are read, neighbours as ranges.

    >>> format_slots((7, 8, 9, 12))
    '7-9,12'
    """
    ranges: list[tuple[int, int]] = []
    for slot in slots:
        if ranges and slot == ranges[-1][1] + 1:
            ranges[-1] = ranges[-1][0], slot
        else:
            ranges.append((slot, slot))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
