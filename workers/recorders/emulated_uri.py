"""What an emulated drive is asked for: `emulated:DIR?feed=dvd-r*50,cd-r*10&speed=16x&fault=write-error@12000:disc2`.

The options are explained in docs/emulated-recorder.md.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from jobs.errors import Faults, OrderError
from jobs.mastering.medium import MediumKind
from workers.recorders.emulated_faults import Fault, parse_fault
from workers.recorders.uri_options import Options

SCHEME = "emulated"
#: What a feeder prefers to bring when nothing is asked: one kind of each family, then the rest.
_PREFERRED = (MediumKind.CD_R, MediumKind.DVD_R, MediumKind.DVD_PLUS_R_DL, MediumKind.BD_R)
_KEYS = ("feed", "speed", "max", "writes", "audio", "underrun", "properties", "offset", "fault")
_SPEED = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)x", re.ASCII)
_OFFSET = re.compile(r"[+-]?\d{1,5}", re.ASCII)
_FEED = re.compile(r"(?P<kind>[^*]+)(?:\*(?P<count>[1-9]\d{0,8}))?", re.ASCII)

#: Discs of each kind that a feeder starts with, the preferred first; None is endless.
Feed = dict[MediumKind, int | None]
PLENTY: Feed = dict.fromkeys([*_PREFERRED, *(kind for kind in MediumKind if kind not in _PREFERRED)])
EVERY_KIND = frozenset(MediumKind)


@dataclass(frozen=True, slots=True)
class EmulatedUri:
    """What was asked for. Speeds are in multiples of 1x.

    `speed` is how fast the drive goes, None for as fast as the disk does; `most` is the highest speed that it
    claims and never exceeds. `writes` are the kinds it can write, `audio` says whether audio too. `offset` is by how
    many samples what it writes and reads of audio comes late, both together.
    """

    folder: Path
    feed: Feed
    speed: float | None = None
    faults: tuple[Fault, ...] = ()
    most: float | None = None
    writes: frozenset[MediumKind] = EVERY_KIND
    audio: bool = True
    underrun_free: bool = True
    properties: bool = True
    offset: int = 0

    @property
    def max_speed(self) -> float | None:
        """The highest speed there is, None if nothing but the disk limits it."""
        return self.speed if self.most is None else self.most

    def slowest(self, asked: float | None) -> float | None:
        """Return the speed at which something is done that was asked for at a speed."""
        return min((speed for speed in (asked, self.speed, self.most) if speed is not None), default=None)

    def __str__(self) -> str:
        """Write it as it is read."""
        query = "&".join(self._options())
        folder = quote(str(self.folder).encode(errors="surrogateescape"), safe="/")
        return f"{SCHEME}:{folder}{'?' if query else ''}{query}"

    def _options(self) -> Iterator[str]:
        if self.feed != plenty(self.writes):
            yield f"feed={_format_feed(self.feed)}"
        for key, speed in (("speed", self.speed), ("max", self.most)):
            if speed is not None:
                yield f"{key}={speed:.7g}x"
        if self.writes != EVERY_KIND:
            yield f"writes={','.join(sorted(self.writes))}"
        abilities = (("audio", self.audio), ("underrun", self.underrun_free), ("properties", self.properties))
        yield from (f"{key}=no" for key, able in abilities if not able)
        if self.offset:
            yield f"offset={self.offset:+d}"
        if self.faults:
            yield f"fault={';'.join(map(str, self.faults))}"


def plenty(kinds: Collection[MediumKind]) -> Feed:
    """Return endless blanks of some kinds, the preferred first."""
    return dict.fromkeys(kind for kind in PLENTY if kind in kinds)


def _format_feed(feed: Feed) -> str:
    return ",".join(kind if count is None else f"{kind}*{count}" for kind, count in feed.items()) or "none"


def parse_uri(uri: str) -> EmulatedUri:
    """Read a URI; a folder that is not absolute stays so.

    Raises:
        Faults: every fault of it.
    """
    scheme, _, rest = uri.partition(":")
    folder, _, query = rest.partition("?")
    reader = Options(_KEYS, repeatable={"fault"})
    if scheme != SCHEME:
        reader.faults.append(f"the scheme is {scheme!r}, not {SCHEME!r}")
    if not folder or "%00" in folder:
        reader.faults.append("the folder is missing: emulated:DIR")
    reader.take(query)
    asked = _asked(Path(unquote(folder, errors="surrogateescape")), reader)
    if asked.most is not None and asked.speed is not None and asked.speed > asked.most:
        reader.faults.append(f"speed={asked.speed:g}x is more than max={asked.most:g}x")
    if reader.faults:
        raise Faults(f"recorder {uri!r}", reader.faults)
    return asked


def _asked(folder: Path, reader: Options) -> EmulatedUri:
    writes = reader.read_last("writes", _parse_kinds, EVERY_KIND)
    return EmulatedUri(
        folder=folder,
        feed=reader.read_last("feed", parse_feed, plenty(writes)),
        speed=reader.read_last("speed", _parse_speed, None),
        faults=tuple(reader.read_all("fault", parse_fault)),
        most=reader.read_last("max", _parse_speed, None),
        writes=writes,
        audio=reader.read_last("audio", _parse_yes, default=True),
        underrun_free=reader.read_last("underrun", _parse_yes, default=True),
        properties=reader.read_last("properties", _parse_yes, default=True),
        offset=reader.read_last("offset", _parse_offset, 0),
    )


def _parse_speed(text: str) -> float:
    speed = _SPEED.fullmatch(text)
    if speed is None or float(speed[1]) <= 0:
        raise OrderError("not a multiple of 1x like 16x")
    return float(speed[1])


def _parse_yes(text: str) -> bool:
    if text not in {"yes", "no"}:
        raise OrderError("neither yes nor no")
    return text == "yes"


def _parse_offset(text: str) -> int:
    if _OFFSET.fullmatch(text) is None:
        raise OrderError("not a number of samples like +30")
    return int(text)


def _parse_kinds(text: str) -> frozenset[MediumKind]:
    words = text.split(",")
    unknown = [word for word in words if word not in set(MediumKind)]
    if unknown:
        raise Faults("writes", [f"{word!r} is not one of {', '.join(MediumKind)}" for word in unknown])
    return frozenset(map(MediumKind, words))


def parse_feed(text: str) -> Feed:
    """Read `dvd-r*50,cd-r`: kinds with their numbers, endless without; `none` is an empty feeder.

    Raises:
        Faults: every fault of it.
    """
    feed: Feed = {}
    faults: list[str] = []
    for part in text.split(",") if text != "none" else []:
        item = _FEED.fullmatch(part)
        if item is None or item["kind"] not in set(MediumKind):
            faults.append(f"{part!r} is not KIND or KIND*NUMBER with KIND one of {', '.join(MediumKind)}")
        elif item["kind"] in feed:
            faults.append(f"{item['kind']} is given twice")
        else:
            feed[MediumKind(item["kind"])] = None if item["count"] is None else int(item["count"])
    if faults:
        raise Faults(f"feed {text!r}", faults)
    return feed
