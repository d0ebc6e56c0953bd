"""What is broken when, drawn from a seed: the same seed, the same plan."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a step does."""

    KILL_WORKER = "kill-worker"
    KILL_BURNER = "kill-burner"
    KILL_DISPATCHER = "kill-dispatcher"
    TERM_WORKER = "term-worker"  #: SIGTERM: the disc under way is finished
    STOP_WORKER = "stop-worker"  #: SIGSTOP, SIGCONT a while later, perhaps after its lease has run out
    STOP_BURNER = "stop-burner"
    STOP_DISPATCHER = "stop-dispatcher"
    KILL_REDIS = "kill-redis"
    EMPTY_REDIS = "empty-redis"  #: killed, and restarted without what it held
    HOLD_REDIS = "hold-redis"  #: unreachable for a while
    CUT_REDIS = "cut-redis"  #: all its connections are closed
    REPLAY = "replay"  #: old messages again, to the right queues and to wrong ones
    STOP_DATABASE = "stop-database"  #: PostgreSQL crashes and is restarted; SQLite is locked by somebody for a while
    CUT_DATABASE = "cut-database"  #: PostgreSQL ends all sessions; SQLite is locked for a moment
    UNPLUG = "unplug"
    STALL = "stall"
    WRITE_ERROR = "write-error"
    CLOSE_ERROR = "close-error"
    FLIP = "flip"  #: a bit lands wrong on the disc
    CANCEL = "cancel"
    RETRY = "retry"
    PAUSE = "pause"
    PRIORITY = "priority"


#: How often each is drawn.
EVERYTHING: Mapping[Kind, int] = {
    Kind.KILL_WORKER: 5,
    Kind.KILL_BURNER: 3,
    Kind.KILL_DISPATCHER: 2,
    Kind.TERM_WORKER: 2,
    Kind.STOP_WORKER: 3,
    Kind.STOP_BURNER: 2,
    Kind.STOP_DISPATCHER: 1,
    Kind.KILL_REDIS: 1,
    Kind.EMPTY_REDIS: 1,
    Kind.HOLD_REDIS: 1,
    Kind.CUT_REDIS: 1,
    Kind.REPLAY: 2,
    Kind.STOP_DATABASE: 2,
    Kind.CUT_DATABASE: 2,
    Kind.UNPLUG: 2,
    Kind.STALL: 1,
    Kind.WRITE_ERROR: 2,
    Kind.CLOSE_ERROR: 1,
    Kind.FLIP: 1,
    Kind.CANCEL: 2,
    Kind.RETRY: 1,
    Kind.PAUSE: 1,
    Kind.PRIORITY: 1,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One act: seconds after the last one, on which recorder, and how much of it (0 to 1)."""

    after: float
    kind: Kind
    recorder: int
    much: float


def make_plan(seed: int, seconds: float, recorders: int, kinds: Mapping[Kind, int] = EVERYTHING) -> list[Step]:
    """Draw steps that fill so many seconds."""
    draw = random.Random(f"discmill {seed}")  # noqa: S311  (a plan, no secret)
    names, weights = list(kinds), list(kinds.values())
    steps: list[Step] = []
    left = seconds
    while left > 0:
        step = Step(draw.uniform(0.2, 1.0), draw.choices(names, weights)[0], draw.randrange(recorders), draw.random())
        steps.append(step)
        left -= step.after
    return steps
