"""The figures of a benchmark, and how they are printed: medians with their spread, and the ratio to a peer."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_HEAD = ("what", "unit", "median", "min..max", "peer", "its median", "its min..max", "ratio", "goal", "holds")
#: Columns that hold figures; and how many a table without goals has.
_RIGHT = {2, 3, 5, 6, 7, 8}
_WITHOUT_GOALS = 8
#: Figures that are worth reading.
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """What several runs measured."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Sample":
        """Gather values; a single one is a figure without a spread."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        """The lowest and the highest value; empty where there is only one."""
        return "" if len(self.values) == 1 else f"{_figure(min(self.values))}..{_figure(max(self.values))}"

    def percentile(self, percent: int) -> float:
        """Return the smallest value that so many per cent of all do not exceed (nearest rank)."""
        rank = -(-percent * len(self.values) // 100)
        return sorted(self.values)[max(0, rank - 1)]

    def scaled(self, factor: float) -> "Sample":
        """Return the same in another unit."""
        return Sample(tuple(value * factor for value in self.values))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Without figures it says why there are none. `goal` is the highest ratio that is wanted."""

    name: str
    unit: str = ""
    ours: Sample | None = None
    peer: str = ""
    theirs: Sample | None = None
    goal: float | None = None

    @property
    def ratio(self) -> float | None:
        """Our median over the peer's."""
        if self.ours is None or self.theirs is None or not self.theirs.median:
            return None
        return self.ours.median / self.theirs.median

    @property
    def cells(self) -> tuple[str, ...]:
        """The line's texts."""
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (self.name, self.unit, *_cells(self.ours), self.peer, *_cells(self.theirs), ratio, *self._judged)

    @property
    def _judged(self) -> tuple[str, str]:
        if self.goal is None or self.ratio is None:
            return "", ""
        return f"<= {self.goal:.2g}", "yes" if self.ratio <= self.goal else "NO"


def skipped(name: str, why: str) -> Row:
    """Make the line of what was not measured."""
    return Row(f"{name}: SKIPPED, {why}")


def render(rows: Sequence[Row]) -> str:
    """Write rows as a Markdown table that is readable as it is."""
    columns = len(_HEAD) if any(row.goal for row in rows) else _WITHOUT_GOALS
    lines = [line[:columns] for line in (_HEAD, *(row.cells for row in rows))]
    widths = [max(len(line[column]) for line in lines) for column in range(columns)]
    rule = [("-" * (width - 1) + ":") if column in _RIGHT else "-" * width for column, width in enumerate(widths)]
    return "\n".join(_line(line, widths) for line in (lines[0], rule, *lines[1:]))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.rjust(width) if column in _RIGHT else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _cells(sample: Sample | None) -> tuple[str, str]:
    return ("", "") if sample is None else (_figure(sample.median), sample.spread)


def _figure(value: float) -> str:
    """Write three digits that count, without an exponent."""
    if value >= 10 ** (_DIGITS - 1):
        return f"{value:,.0f}"
    return f"{value:.{_DIGITS}g}"
