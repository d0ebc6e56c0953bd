"""Short runs of chaos, on both databases: from seeds that failed once, from a fixed one, from one that nobody chose."""

from functools import partial

import pytest

from tests.chaos.report import lines_of
from tests.chaos.rig import short_folder
from tests.chaos.run import Chaos, Result, run
from tests.chaos.seeds import RUNS
from tests.servers import PostgresServer


def break_it(chaos: Chaos) -> Result:
    """Run chaos, on a server of its own where it needs one: it is crashed."""
    with short_folder() as folder:
        if not chaos.postgresql:
            return run(chaos, folder)
        with short_folder() as data, PostgresServer(data) as server:
            return run(chaos, folder, server)


def name_of(chaos: Chaos) -> str:
    return f"seed {chaos.seed} on {'postgresql' if chaos.postgresql else 'sqlite'}"


@pytest.mark.parametrize(
    "found", [partial(break_it, chaos) for chaos in RUNS], ids=[name_of(chaos) for chaos in RUNS], indirect=True
)
def test_nothing_is_lost_and_nothing_burnt_twice(found: Result) -> None:
    assert not found.violations, "\n".join(lines_of(found))
    assert found.discs["good"]
    assert found.done
