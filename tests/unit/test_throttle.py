"""A drive's speed, on a clock of the test's own."""

import pytest

from workers.recorders.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_bytes_flow_at_the_drives_speed() -> None:
    clock = Clock()
    throttle = Throttle(1000.0, clock.wait, clock)

    for _ in range(50):
        throttle.pace(100)

    assert clock.now == pytest.approx(105.0)


def test_a_short_delay_is_caught_up_and_a_long_one_is_not() -> None:
    clock = Clock()
    throttle = Throttle(1000.0, clock.wait, clock)
    throttle.pace(1000)
    clock.now += 0.2
    throttle.pace(1000)
    assert clock.now == pytest.approx(102.0)

    clock.now += 1000
    throttle.pace(1000)

    assert clock.now == pytest.approx(1102.75)


def test_no_speed_is_no_wait() -> None:
    clock = Clock()

    Throttle(None, clock.wait, clock).pace(1 << 40)

    assert clock.now == 100.0
