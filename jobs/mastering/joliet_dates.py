"""Dates as ISO 9660, Rock Ridge and UDF write them, in UTC: neither the clock nor the time zone has a say."""

import struct
import time
from collections.abc import Callable

#: A volume descriptor's date that says: never.
NEVER = b"0" * 16 + b"\0"
_STAMP = struct.Struct("<HHBBBBBBBB")
#: Type 1, local time, with an offset of zero minutes (ECMA-167, 1/7.3).
_LOCAL_TIME = 1 << 12


class Made(dict[int, bytes]):
    """Keeps what was made of each second since 1970, however many entries share it."""

    def __init__(self, make: Callable[[int], bytes]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, seconds: int) -> bytes:
        made = self[seconds] = self._make(seconds)
        return made


def record_date(seconds: int) -> bytes:
    """Write the date of a directory record: seven bytes, years since 1900 (ECMA-119, 9.1.5)."""
    year, *rest = time.gmtime(seconds)[:6]
    return bytes((year - 1900, *rest, 0))


def volume_date(seconds: int) -> bytes:
    """Write the date of a volume descriptor: digits down to hundredths, then the zone (ECMA-119, 8.4.26.1)."""
    return time.strftime("%Y%m%d%H%M%S00", time.gmtime(seconds)).encode() + b"\0"


def stamp(seconds: int) -> bytes:
    """Write the date of a UDF descriptor (ECMA-167, 1/7.3)."""
    return _STAMP.pack(_LOCAL_TIME, *time.gmtime(seconds)[:6], 0, 0, 0)
