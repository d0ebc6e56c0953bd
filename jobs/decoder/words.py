"""What the decoding process is told, and what it answers: the one thing both sides import."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: Samples (left and right) a second on a disc; bytes of one (Red Book, IEC 60908).
RATE, SAMPLE = 44_100, 4
#: Samples one file may have on the disc: 99 minutes.
MOST_SAMPLES = 99 * 60 * RATE


class Undecodable(Exception):
    """A file that can't become samples: the sentence goes on where the file's name ends."""


@dataclass(frozen=True, slots=True)
class Request:
    """One file to decode.

    `source` and `output` are inherited descriptors. `seed` decides the dither; the source's digest, so that the same
    file gives the same samples. `raw` is "little" or "big" for samples without a header, in that byte order.
    `ffmpeg` and `ffprobe` are the programs' paths, empty where there are none. `cpu_seconds` and `memory` (bytes of
    address space) are what the process may use.
    """

    source: int
    output: int
    seed: str
    raw: str = ""
    ffmpeg: str = ""
    ffprobe: str = ""
    cpu_seconds: int = 900
    memory: int = 1 << 30

    @property
    def line(self) -> str:
        """The request as an argument."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> "Request":
        """Read what `line` gave."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says of itself; empty where it says nothing."""

    title: str = ""
    performer: str = ""
    album: str = ""
    number: str = ""
    isrc: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file was, and what was done to its samples.

    `samples` is the length on the disc. `rate`, `bits` (0 where samples have no fixed width) and `channels` are the
    file's own. `clipped` counts samples louder than full scale.
    """

    samples: int
    rate: int
    bits: int
    channels: int
    format: str
    resampled: bool = False
    dithered: bool = False
    clipped: int = 0
    tags: Tags = field(default_factory=Tags)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Facts":
        """Read what `asdict` gave."""
        return cls(**{**values, "tags": Tags(**values["tags"])})
