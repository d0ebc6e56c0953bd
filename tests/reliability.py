"""The table of `docs/reliability.md`: what becomes of disc, copy and job under each fault, as the tests found it.

A test that ran compares its row with the committed one; `make reliability` writes them anew.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "reliability.md"
HEADINGS = ("Fault", "Stage", "Database", "Disc", "Copy", "Job")
BEGIN, END = "<!-- rows: made by `make reliability` -->", "<!-- end of rows -->"


@dataclass(frozen=True, slots=True, order=True)
class Row:
    """One line: a fault at a stage with a database, and what became of the disc, of the copy, of the job."""

    fault: str
    stage: str
    database: str
    disc: str
    copy: str
    job: str

    def __str__(self) -> str:
        """Write it as the document has it."""
        return f"| {' | '.join(astuple(self))} |"


def committed_rows() -> list[Row]:
    """Read the rows of the document."""
    text = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| Fault ")]
    return [Row(*(cell.strip() for cell in line.strip("| ").split(" | "))) for line in lines]


#: What was noted in this process.
NOTED: set[Row] = set()


def note(row: Row, into: Path | None) -> None:
    """Keep a row for the next document, or check that the committed one has it."""
    NOTED.add(row)
    if into is not None:
        with into.open("a", encoding="utf-8") as out:
            out.write(json.dumps(astuple(row)) + "\n")
        return
    assert row in committed_rows(), f"docs/reliability.md lacks the row\n{row}\n`make reliability` writes it"


def write_document(noted: Path) -> None:
    """Put the noted rows into the document."""
    rows = sorted({Row(*json.loads(line)) for line in noted.read_text(encoding="utf-8").splitlines()})
    before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    DOCUMENT.write_text(f"{before}{BEGIN}\n{_table(rows)}\n{END}{after}", encoding="utf-8")


def _table(rows: Iterable[Row]) -> str:
    return "\n".join(_lines(rows))


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|{'---|' * len(HEADINGS)}"
    yield from map(str, rows)


def noting_into() -> Path | None:
    """Return where rows are gathered, in a run that writes the document."""
    name = os.environ.get("RELIABILITY_ROWS")
    return Path(name) if name else None


if __name__ == "__main__":
    write_document(Path(sys.argv[1]))
