"""A modelled drive, and the shim that brings real burn programs to it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.scenarios import Done, Scenarios, new_pool
from tests.scsi_rig import ScsiRig, scsi_rig
from workers.mmc.shim import build_shim


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the shim once a run."""
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Give threads for scenarios."""
    with new_pool() as threads:
        yield threads


@pytest.fixture(scope="module")
def done(request: pytest.FixtureRequest, shim: Path, pool: ThreadPoolExecutor) -> Done:
    """Start the module's `SCENARIOS`, and give their results."""
    scenarios: Scenarios = request.module.SCENARIOS
    return Done(scenarios, shim, pool)


@pytest.fixture
def rig(shim: Path, short_path: Path) -> Iterator[ScsiRig]:
    """Give a drive with an empty tray, as fast as it can."""
    with scsi_rig(shim, short_path) as served:
        yield served
