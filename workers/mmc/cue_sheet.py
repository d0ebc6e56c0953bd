"""SEND CUE SHEET: what a program says of a whole CD before it writes it at once (MMC-6 6.36)."""

from collections.abc import Iterator
from dataclasses import dataclass

from workers.mmc.sectors import PREGAP

_ROW = 8
_LEAD_IN, _LEAD_OUT = 0, 0xAA
#: Bytes that the program sends for a block, by data form (table 620): audio, mode 1, mode 2 and XA, raw ones.
_FORMS = {0x00: 2352, 0x01: 0, 0x10: 2048, 0x11: 2352, 0x14: 0, 0x20: 2336, 0x21: 2352, 0x30: 2336, 0x31: 2352}
#: Bytes of sub-channel beside each block, in the two bits above the form.
_SUBCHANNELS = {0: 0, 0x40: 96, 0x80: 96, 0xC0: 96}
#: Data form of a lead-in whose sub-channel carries CD-TEXT: 96 bytes a block and no main data.
_TEXT_FORM = 0x41


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks that belong to one index of one track. `size` bytes are sent for each, none where the drive makes them.

    `track` 0 and AAh are lead-in and lead-out.
    """

    control: int
    track: int
    index: int
    start: int
    size: int

    @property
    def user_size(self) -> int:
        """Bytes of a block that a reader gets."""
        return 2048 if self.control & 4 else 2352


@dataclass(frozen=True, slots=True)
class CueSheet:
    """A whole session: its stretches in order, catalogue number, ISRC by track."""

    stretches: tuple[Stretch, ...]
    lead_out: int
    has_text: bool
    mcn: str
    isrc: dict[int, str]

    def at(self, block: int) -> Stretch | None:
        """Return the stretch that a block belongs to; None before the first."""
        return next((stretch for stretch in reversed(self.stretches) if stretch.start <= block), None)


def parse_cue_sheet(data: bytes) -> CueSheet:
    """Read a cue sheet.

    Raises:
        ValueError: it is none, or out of order.
    """
    rows = [data[at : at + _ROW] for at in range(0, len(data), _ROW)]
    if len(data) % _ROW or not rows:
        raise _refused("not whole rows of 8 bytes")
    placed = [row for row in rows if row[0] & 0xF == 1]
    stretches = tuple(_stretches(placed))
    starts = [stretch.start for stretch in stretches]
    if starts != sorted(starts) or not stretches or stretches[-1].track != _LEAD_OUT:
        raise _refused("its times are not in order, or it has no lead-out")
    lead_in = [row for row in placed if row[1] == _LEAD_IN]
    return CueSheet(
        stretches=stretches,
        lead_out=stretches[-1].start,
        has_text=any(row[3] == _TEXT_FORM for row in lead_in),
        mcn=_text(row[1:] for row in rows if row[0] & 0xF == 2),
        isrc={row[1]: _isrc(rows, row[1]) for row in rows if row[0] & 0xF == 3},
    )


def _stretches(rows: list[bytes]) -> Iterator[Stretch]:
    for row in rows:
        adr_control, track, index, form, _, minutes, seconds, frames = row
        if track == _LEAD_IN:
            continue
        if form & 0x3F not in _FORMS:
            raise _refused(f"data form {form:02X}h")
        sent = _FORMS[form & 0x3F]
        size = sent + _SUBCHANNELS[form & 0xC0] if sent else 0
        start = (minutes * 60 + seconds) * 75 + frames - PREGAP
        yield Stretch(adr_control >> 4, track, index, start, size)


def _isrc(rows: list[bytes], track: int) -> str:
    return _text(row[2:] for row in rows if row[0] & 0xF == 3 and row[1] == track)


def _text(parts: Iterator[bytes]) -> str:
    return b"".join(parts).rstrip(b"\0 ").decode("ascii", "replace")


def _refused(how: str) -> ValueError:
    return ValueError(f"not a cue sheet: {how}")
