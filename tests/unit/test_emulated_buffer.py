"""The buffer of an emulated drive."""

import pytest

from workers.recorders.emulated_buffer import SIZE, Buffer

#: Bytes given at a time; the laser takes as many in a second.
PIECE = SIZE // 8


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def buffer(clock: Clock) -> Buffer:
    return Buffer(float(PIECE), clock.wait, clock)


def give(buffer: Buffer, pieces: int) -> None:
    for _ in range(pieces):
        buffer.take(PIECE)


def test_bytes_flow_at_the_lasers_speed(clock: Clock, buffer: Buffer) -> None:
    give(buffer, 50)

    assert clock.now == pytest.approx(150)
    assert (buffer.starved, buffer.deficit) == (0, 0)


def test_a_host_in_time_fills_the_buffer_and_a_late_one_empties_it(clock: Clock, buffer: Buffer) -> None:
    fills = []
    for _ in range(10):
        give(buffer, 1)
        fills.append(buffer.fill)
    clock.now += 3

    assert fills == [*(count / 8 for count in range(1, 9)), 1, 1]
    assert buffer.fill == pytest.approx(5 / 8)


def test_a_host_that_was_late_catches_up_and_the_worst_of_it_is_kept(clock: Clock, buffer: Buffer) -> None:
    give(buffer, 10)
    clock.now += 5

    give(buffer, 20)

    assert buffer.fill == 1
    assert clock.now == pytest.approx(130)
    assert buffer.starved == 0
    assert buffer.deficit == pytest.approx(5 * PIECE)


def test_a_host_later_than_the_buffer_lasts_starves_the_laser_and_does_not_catch_up(
    clock: Clock, buffer: Buffer
) -> None:
    give(buffer, 10)
    clock.now += 20

    give(buffer, 8)
    assert buffer.fill == pytest.approx(1)
    give(buffer, 1)

    assert buffer.starved == 1
    assert buffer.deficit == pytest.approx(20 * PIECE)
    assert clock.now == pytest.approx(131)


def test_a_host_a_little_too_slow_for_the_laser_starves_it_in_the_end(clock: Clock, buffer: Buffer) -> None:
    for _ in range(100):
        clock.now += 1.25
        give(buffer, 1)

    assert buffer.starved > 0


def test_what_holds_the_laser_up_is_not_the_hosts_delay(clock: Clock, buffer: Buffer) -> None:
    give(buffer, 10)
    clock.now += 1000
    buffer.pause()

    give(buffer, 1)

    assert (buffer.starved, buffer.deficit, buffer.fill) == (0, 0, 1)


def test_a_buffer_that_ran_dry_is_filled_anew(buffer: Buffer) -> None:
    give(buffer, 10)
    buffer.run_dry()
    assert buffer.fill == 0

    give(buffer, 1)

    assert buffer.fill == 1 / 8
