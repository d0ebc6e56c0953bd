"""The garbage collector is away during layouts, and comes back whatever happens."""

import gc
from collections.abc import Iterator

import pytest

from jobs.mastering.garbage import uncollected


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()


def test_the_collector_is_off_inside_and_on_again_after_the_last_has_left() -> None:
    states = []

    with uncollected():
        with uncollected():
            states.append(gc.isenabled())
        states.append(gc.isenabled())

    assert (states, gc.isenabled()) == ([False, False], True)


def test_the_collector_is_on_again_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), uncollected():
        _ = 1 / 0

    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()

    with uncollected():
        pass

    assert not gc.isenabled()
