"""Short runs of chaos: from seeds that failed once, and from one that nobody chose."""

import secrets

import pytest

from tests.chaos.report import lines_of
from tests.chaos.rig import short_folder
from tests.chaos.run import Chaos, Result, run
from tests.chaos.seeds import REGRESSIONS, SHORT
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


def assert_it_holds(chaos: Chaos) -> None:
    result = break_it(chaos)
    assert not result.violations, "\n".join(lines_of(result))
    assert result.discs["good"]
    assert result.done


@pytest.mark.parametrize("chaos", REGRESSIONS, ids=name_of)
def test_nothing_is_lost_and_nothing_burnt_twice(chaos: Chaos) -> None:
    assert_it_holds(chaos)


def test_nothing_is_lost_and_nothing_burnt_twice_from_any_seed() -> None:
    seed = secrets.randbelow(1_000_000)

    assert_it_holds(Chaos(seed, SHORT, postgresql=bool(seed % 2)))
