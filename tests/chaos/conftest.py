"""Runs of whole rigs, a few at once: each spends most of its time waiting for its recorders.

A test asks for what was `found` in a run; the first one that does starts those of all tests that were selected.
Where all tests of this folder passed, the committed table of faults may hold no row but theirs.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.seeds import ANY
from tests.reliability import NOTED, committed_rows, noting_into

#: Rigs at once; each keeps two thirds of a core busy.
_MANY = 3
Run = Callable[[], object]


def pytest_report_header() -> str:
    return f"chaos: {ANY} is the seed that nobody chose (again: make chaos SEED={ANY})"


def pytest_itemcollected(item: pytest.Item) -> None:
    """Give rigs that are broken longer than other tests: a busy machine spoils no result."""
    item.add_marker(pytest.mark.timeout(400))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run of everything that did not produce every row of the table."""
    files = {item.path for item in session.items}
    selected = session.config.getoption("keyword") or session.config.getoption("markexpr")
    if exitstatus or selected or noting_into() or not files >= set(Path(__file__).parent.glob("test_*.py")):
        return
    stale = sorted(set(committed_rows()) - NOTED)
    if stale:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        rows = "\n".join(map(str, stale))
        reporter: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"\nno test produces these rows of docs/reliability.md any more:\n{rows}", red=True)


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[Run, Future[object]]]:
    """Start the runs of all selected tests, in their order."""
    asked = [_run_of(item) for item in request.session.items]
    with ThreadPoolExecutor(_MANY, thread_name_prefix="rig") as pool:
        yield {run: pool.submit(run) for run in asked if run is not None}
        pool.shutdown(wait=False, cancel_futures=True)


@pytest.fixture
def found(request: pytest.FixtureRequest, runs: dict[Run, Future[object]]) -> object:
    """Wait for the run that the test was given, and hand over what it found."""
    return runs[request.param].result()


def _run_of(item: pytest.Item) -> Run | None:
    given: dict[str, Any] = item.callspec.params if isinstance(item, pytest.Function) and _is_given(item) else {}
    return given.get("found")


def _is_given(item: pytest.Function) -> bool:
    return hasattr(item, "callspec")
