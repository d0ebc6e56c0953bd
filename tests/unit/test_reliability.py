"""The committed table of faults: whole, in order, on both databases."""

import ast
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

from tests.chaos.gates import Gates
from tests.reliability import committed_rows

CHAOS = Path(__file__).parents[1] / "chaos"
#: The hook has put the gates into the worker's side of this process as it started.
_KNOWS = "from workers.recorders import waiting_burner; assert waiting_burner._spawn is gates._spawn_gated"


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


def faults_in_tests() -> Iterator[str]:
    """Yield what tests of faults call them in the table, as patterns: parts of some names are parameters."""
    for file in sorted(CHAOS.glob("test_faults_*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "write_row":
                yield from _patterns(node.args[0], file)


def _patterns(name: ast.expr, file: Path) -> Iterator[str]:
    match name:
        case ast.Constant(value=str(text)):
            yield re.escape(text)
        case ast.JoinedStr(values=parts):
            yield "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in parts)
        case ast.Name():  # a parameter: the module's table of faults has the names
            yield from map(
                re.escape, re.findall(r'^    "([^"]+)": \w+,$', file.read_text(encoding="utf-8"), re.MULTILINE)
            )
        case _:
            raise AssertionError(ast.dump(name))


def test_every_fault_of_the_table_is_one_that_a_test_causes_and_the_other_way_round() -> None:
    known = {row.fault for row in committed_rows()}
    patterns = set(faults_in_tests())

    assert {fault for fault in known if not any(re.fullmatch(pattern, fault) for pattern in patterns)} == set()
    assert {pattern for pattern in patterns if not any(re.fullmatch(pattern, fault) for fault in known)} == set()


def test_a_fault_is_in_the_table_for_both_databases_but_where_only_one_can_have_it() -> None:
    databases: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in committed_rows():
        databases[row.fault, row.stage].add(row.database)

    only = {fault for (fault, _), found in databases.items() if found != {"sqlite", "postgresql"}}
    assert all(
        re.match("all connections|database |the commit of|host cut off|disk full under the ", one) for one in only
    )


def test_every_gate_of_the_tests_of_faults_is_put_before_something_that_is_there(tmp_path: Path) -> None:
    seen = {**os.environ, **Gates(tmp_path).environment}
    program = f"import sys; from tests.chaos import gates; gates._run_burner(['no socket', 'emulated']); {_KNOWS}"

    told = subprocess.run([sys.executable, "-c", program], env=seen, check=False, capture_output=True, text=True)

    assert told.returncode == 0, told.stderr
    assert "no socket" in told.stderr  # it came as far as being a burner
