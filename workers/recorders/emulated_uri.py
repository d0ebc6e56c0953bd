"""What an emulated drive is asked for: `emulated:DIR?feed=dvd-r*50,cd-r*10&speed=16x&fault=write-error@12000:disc2`."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote

from jobs.errors import Faults, OrderError
from jobs.mastering.medium import MediumKind
from workers.recorders.emulated_faults import Fault, parse_fault

SCHEME = "emulated"
#: What a feeder prefers to bring when nothing is asked: one kind of each family, then the rest.
_PREFERRED = (MediumKind.CD_R, MediumKind.DVD_R, MediumKind.DVD_PLUS_R_DL, MediumKind.BD_R)
_KEYS = ("feed", "speed", "fault")
_SPEED = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)x", re.ASCII)
_FEED = re.compile(r"(?P<kind>[^*]+)(?:\*(?P<count>[1-9]\d{0,8}))?", re.ASCII)
T = TypeVar("T")

#: Discs of each kind that a feeder starts with, the preferred first; None is endless.
Feed = dict[MediumKind, int | None]
PLENTY: Feed = dict.fromkeys([*_PREFERRED, *(kind for kind in MediumKind if kind not in _PREFERRED)])


@dataclass(frozen=True, slots=True)
class EmulatedUri:
    """What was asked for. `speed` is in multiples of 1x, None for as fast as the disk goes."""

    folder: Path
    feed: Feed
    speed: float | None = None
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        """Write it as it is read."""
        feed = "" if self.feed == PLENTY else f"feed={_format_feed(self.feed)}"
        speed = "" if self.speed is None else f"speed={self.speed:.7g}x"
        faults = "" if not self.faults else f"fault={';'.join(map(str, self.faults))}"
        query = "&".join(option for option in (feed, speed, faults) if option)
        folder = quote(str(self.folder).encode(errors="surrogateescape"), safe="/")
        return f"{SCHEME}:{folder}{'?' if query else ''}{query}"


def _format_feed(feed: Feed) -> str:
    return ",".join(kind if count is None else f"{kind}*{count}" for kind, count in feed.items()) or "none"


def parse_uri(uri: str) -> EmulatedUri:
    """Read a URI; a folder that is not absolute stays so.

    Raises:
        Faults: every fault of it.
    """
    scheme, _, rest = uri.partition(":")
    folder, _, query = rest.partition("?")
    reader = _Reader([], {})
    if scheme != SCHEME:
        reader.faults.append(f"the scheme is {scheme!r}, not {SCHEME!r}")
    if not folder or "%00" in folder:
        reader.faults.append("the folder is missing: emulated:DIR")
    reader.take(query)
    asked = EmulatedUri(
        folder=Path(unquote(folder, errors="surrogateescape")),
        feed=reader.read_last("feed", parse_feed, PLENTY),
        speed=reader.read_last("speed", _parse_speed, None),
        faults=tuple(reader.read_all("fault", parse_fault)),
    )
    if reader.faults:
        raise Faults(f"recorder {uri!r}", reader.faults)
    return asked


@dataclass(slots=True)
class _Reader:
    """Reads options, gathering faults instead of stopping at the first."""

    faults: list[str]
    values: dict[str, list[str]]

    def take(self, query: str) -> None:
        for option in filter(None, query.split("&")):
            key, equals, value = option.partition("=")
            if key not in _KEYS or not equals:
                self.faults.append(
                    f"unknown option {option!r}; the options are {', '.join(f'{key}=' for key in _KEYS)}"
                )
                continue
            self.values.setdefault(key, []).append(unquote(value))
        self.faults += [f"{key}= is given twice" for key in ("feed", "speed") if len(self.values.get(key, [])) > 1]

    def read_last(self, key: str, parse: Callable[[str], T], default: T) -> T:
        return next(self._parsed(self.values.get(key, [])[-1:], parse), default)

    def read_all(self, key: str, parse: Callable[[str], T]) -> Iterator[T]:
        return self._parsed([spec for value in self.values.get(key, []) for spec in value.split(";")], parse)

    def _parsed(self, texts: list[str], parse: Callable[[str], T]) -> Iterator[T]:
        for text in texts:
            try:
                yield parse(text)
            except Faults as wrong:
                self.faults += [f"{text}: {fault}" for fault in wrong.faults]
            except OrderError as wrong:
                self.faults.append(wrong.message)


def _parse_speed(text: str) -> float:
    speed = _SPEED.fullmatch(text)
    if speed is None or float(speed[1]) <= 0:
        message = f"speed={text}: not a multiple of 1x like 16x"
        raise OrderError(message)
    return float(speed[1])


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
