"""The buffer of an emulated drive."""

import pytest

from workers.recorders.emulated_buffer import SIZE, Buffer

PIECE = SIZE // 8


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_host_in_time_fills_the_buffer_and_a_late_one_empties_it() -> None:
    clock = Clock()
    buffer = Buffer(float(PIECE), clock)
    fills = []
    for seconds in [1] * 10 + [4, 1, 1, 100]:
        clock.now += seconds
        buffer.take(PIECE)
        fills.append(buffer.fill)

    assert fills[:8] == [count / 8 for count in range(1, 9)]
    assert fills[8:10] == [1, 1]
    assert fills[10:] == pytest.approx([6 / 8, 7 / 8, 1, 1 / 8])
    buffer.run_dry()
    assert buffer.fill == 0
