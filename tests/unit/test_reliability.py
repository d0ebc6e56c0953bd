"""The committed table of faults: whole, in order, on both databases."""

from collections import defaultdict
from dataclasses import astuple

from tests.reliability import committed_rows


def test_no_cell_of_the_table_is_empty_and_none_says_undefined() -> None:
    rows = committed_rows()

    assert rows
    for row in rows:
        assert all(cell and cell not in {"None", "undefined"} for cell in astuple(row)), row


def test_no_row_says_that_an_attempt_was_left_open() -> None:
    for row in committed_rows():
        assert "None" not in row.disc, row
        assert row.copy in {"done", "queued", "cancelled"}, row
        assert row.job in {"completed", "waiting", "cancelled"}, row


def test_what_a_fault_does_is_the_same_on_both_databases() -> None:
    became: dict[tuple[str, str], dict[str, tuple[str, str]]] = defaultdict(dict)
    for row in committed_rows():
        became[row.fault, row.stage][row.database] = (row.copy, row.job)
    for fault, found in became.items():
        assert len(set(found.values())) == 1, (fault, found)
