"""The legal moves of attempts and copies, as tables; one function moves each."""

from jobs.errors import IllegalTransition
from models.attempt import Attempt
from models.job import Copy
from models.vocabulary import CopyState, Outcome, Stage

NEXT_STAGE = {
    Stage.ASSIGNED: frozenset({Stage.PREPARING, Stage.SETTLED}),
    Stage.PREPARING: frozenset({Stage.WRITING, Stage.SETTLED}),
    Stage.WRITING: frozenset({Stage.CLOSING, Stage.VERIFYING, Stage.SETTLED}),
    Stage.CLOSING: frozenset({Stage.VERIFYING, Stage.SETTLED}),
    Stage.VERIFYING: frozenset({Stage.SETTLED}),
    Stage.SETTLED: frozenset[Stage](),
}

#: What may be known of an attempt after what is known now. A lost disc may turn up; an operator may look again.
NEXT_OUTCOME = {
    None: frozenset(Outcome),
    Outcome.GOOD: frozenset({Outcome.SPOILED}),
    Outcome.SURPLUS: frozenset({Outcome.SPOILED}),
    Outcome.SPOILED: frozenset({Outcome.GOOD, Outcome.SURPLUS}),
    Outcome.LOST: frozenset({Outcome.GOOD, Outcome.SURPLUS, Outcome.SPOILED, Outcome.UNUSED}),
    Outcome.UNUSED: frozenset[Outcome](),
    Outcome.SIMULATED: frozenset[Outcome](),
}

NEXT_COPY = {
    CopyState.QUEUED: frozenset({CopyState.ASSIGNED, CopyState.DONE, CopyState.CANCELLED}),
    CopyState.ASSIGNED: frozenset({CopyState.ACTIVE, CopyState.QUEUED, CopyState.DONE, CopyState.CANCELLED}),
    CopyState.ACTIVE: frozenset({CopyState.QUEUED, CopyState.DONE, CopyState.CANCELLED}),
    # resolved as spoiled after all: made anew, or by the attempt that was promised meanwhile
    CopyState.DONE: frozenset({CopyState.QUEUED, CopyState.ASSIGNED, CopyState.ACTIVE, CopyState.CANCELLED}),
    CopyState.CANCELLED: frozenset({CopyState.QUEUED}),  # ordered again by a retry
}


def advance(attempt: Attempt, to: Stage) -> None:
    """Move an attempt on.

    Raises:
        IllegalTransition: the table has no such move.
    """
    if to not in NEXT_STAGE[attempt.stage]:
        raise IllegalTransition(f"attempt {attempt.id}", attempt.stage, to)
    attempt.stage = to


def conclude(attempt: Attempt, outcome: Outcome) -> None:
    """Say what became of an attempt; settles one that is not.

    Raises:
        IllegalTransition: what is known already forbids it.
    """
    if outcome not in NEXT_OUTCOME[attempt.outcome]:
        raise IllegalTransition(f"attempt {attempt.id}", str(attempt.outcome), outcome)
    if attempt.stage is not Stage.SETTLED:
        advance(attempt, Stage.SETTLED)
    attempt.outcome = outcome


def move(copy: Copy, to: CopyState) -> None:
    """Move a copy on.

    Raises:
        IllegalTransition: the table has no such move.
    """
    if to not in NEXT_COPY[copy.state]:
        raise IllegalTransition(f"copy {copy.id}", copy.state, to)
    copy.state = to
