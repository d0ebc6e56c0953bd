"""A worker that takes its steps one by one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.steps import Worker, stepwise


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    """Give a worker of an emulated recorder whose steps the test takes."""
    with stepwise(tmp_path) as found:
        yield found
