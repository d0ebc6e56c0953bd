"""Runs of slow programs at once: each spends its time waiting for a drive, so a dozen take little longer than one.

A module says what is run; the first of its tests that asks for a result starts all of them.
"""

import tempfile
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.scsi_rig import ScsiRig, scsi_rig

#: Runs at once.
_MANY = 12
T = TypeVar("T")
Case = TypeVar("Case", bound=Hashable)
_Key = tuple[Callable[..., Any], Hashable]


@dataclass
class Scenarios:
    """What a module runs, each on a drive of its own."""

    works: dict[_Key, float | None] = field(default_factory=dict)

    def over(
        self, cases: Iterable[Case], rate: float | None = None
    ) -> Callable[[Callable[[ScsiRig, Case], T]], Callable[[ScsiRig, Case], T]]:
        """Run a function once for each case, on a drive that writes `rate` bytes a second."""

        def register(work: Callable[[ScsiRig, Case], T]) -> Callable[[ScsiRig, Case], T]:
            self.works |= {(work, case): rate for case in cases}
            return work

        return register


class Done:
    """The results of scenarios, as they come."""

    def __init__(self, scenarios: Scenarios, shim: Path, pool: ThreadPoolExecutor) -> None:
        self._futures: dict[_Key, Future[Any]] = {
            key: pool.submit(_run, shim, *key, rate) for key, rate in scenarios.works.items()
        }

    def __call__(self, work: Callable[[ScsiRig, Case], T], case: Case) -> T:
        """Wait for the result of a scenario; raises what it raised."""
        result: T = self._futures[work, case].result()
        return result


def new_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MANY, thread_name_prefix="scenario")


def _run(shim: Path, work: Callable[[ScsiRig, Hashable], object], case: Hashable, rate: float | None) -> object:
    with tempfile.TemporaryDirectory(prefix="dm-") as folder, scsi_rig(shim, Path(folder), rate) as rig:
        return work(rig, case)
