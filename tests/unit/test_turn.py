"""Writers of a SQLite database take turns: in order, one at a time, and nobody for ever."""

import threading
import time
from functools import partial
from pathlib import Path

from models.turn import turn
from tests.rigs import DEADLINE, wait_until


def waiting_threads() -> int:
    return sum(thread.name == "turn" for thread in threading.enumerate())


def test_turns_come_in_the_order_in_which_they_were_asked_for(tmp_path: Path) -> None:
    queue, had = tmp_path / "queue", []

    def take(number: int) -> None:
        with turn(queue, DEADLINE):
            had.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    with turn(queue, DEADLINE):
        for number, thread in enumerate(threads):
            thread.start()
            wait_until(partial(has_waiting, queue, number + 1), "it waits in the kernel")
    for thread in threads:
        thread.join(DEADLINE)

    assert had == list(range(8))


def has_waiting(queue: Path, number: int) -> bool:
    """Say whether the kernel keeps so many waiting for the lock on a file, as /proc/locks tells (proc(5))."""
    inode = f":{queue.stat().st_ino} "
    return sum("->" in line and inode in line for line in Path("/proc/locks").read_text().splitlines()) == number


def test_who_waits_in_vain_goes_on_without(tmp_path: Path) -> None:
    queue = tmp_path / "queue"

    with turn(queue, DEADLINE):
        began = time.monotonic()
        with turn(queue, 0.1):
            waited = time.monotonic() - began

    assert waited >= 0.1
    wait_until(lambda: waiting_threads() == 0, "nobody is left waiting")
    with turn(queue, DEADLINE):
        assert waiting_threads() == 0


def test_a_wait_that_was_given_up_holds_no_turn(tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    with turn(queue, DEADLINE), turn(queue, 0.1):
        pass

    wait_until(lambda: waiting_threads() == 0, "nobody is left waiting")
    with turn(queue, DEADLINE):
        assert waiting_threads() == 0
