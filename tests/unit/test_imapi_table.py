"""docs/imapi.md leads from every row to code and test that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"\| (\d+) \| [^|]+ \| `(?P<file>[\w/.]+)` `(?P<name>[\w.]+)` \| `(?P<test>test_row_\w+)` \|")
ROWS = [
    match for line in (ROOT / "docs/imapi.md").read_text(encoding="utf-8").splitlines() if (match := ROW.match(line))
]
TESTS = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/unit/imapi_rows").glob("test_*.py"))


def test_every_row_is_in_the_table_once() -> None:
    assert [int(row[1]) for row in ROWS] == list(range(1, 75))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_a_row_leads_to_code_that_exists(row: re.Match[str]) -> None:
    file = ROOT / row["file"] if "/" in row["file"] else ROOT / "jobs/mastering" / row["file"]
    code = file.read_text(encoding="utf-8")

    for name in row["name"].split("."):
        assert re.search(rf"^\s*(def|class) {name}\b|^{name}\b.* = ", code, re.MULTILINE), f"{name} is not in {file}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_a_row_leads_to_its_test(row: re.Match[str]) -> None:
    assert row["test"].startswith(f"test_row_{int(row[1]):02}_")
    assert f"def {row['test']}(" in TESTS


def test_every_test_of_a_row_has_a_row() -> None:
    numbers = {int(number) for number in re.findall(r"def test_row_(\d\d)_", TESTS)}

    assert numbers == set(range(1, 75))
