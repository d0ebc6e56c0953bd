"""Runs of whole rigs, a few at once: each spends most of its time waiting for its recorders.

A test asks for what was `found` in a run; the first one that does starts those of all tests that were selected.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.chaos.seeds import ANY

#: Rigs at once; each keeps two thirds of a core busy.
_MANY = 3
Run = Callable[[], object]


def pytest_report_header() -> str:
    return f"chaos: {ANY} is the seed that nobody chose (again: make chaos SEED={ANY})"


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
