"""The legal moves, each spelled out a second time: whoever changes a table has to mean it."""

from collections.abc import Iterable
from itertools import product

import pytest

from jobs.errors import IllegalTransition
from jobs.lifecycle import NEXT_COPY, NEXT_OUTCOME, NEXT_STAGE, advance, conclude, move
from models.attempt import Attempt
from models.job import Copy
from models.vocabulary import CopyState, Outcome, Stage

STAGES = {
    "assigned": "preparing settled",
    "preparing": "writing settled",
    "writing": "closing verifying settled",
    "closing": "verifying settled",
    "verifying": "settled",
    "settled": "",
}
OUTCOMES = {
    "None": "good spoiled unused surplus lost simulated",
    "good": "spoiled",
    "surplus": "spoiled",
    "spoiled": "good surplus",
    "lost": "good surplus spoiled unused",
    "unused": "",
    "simulated": "",
}
COPIES = {
    "queued": "assigned done cancelled",
    "assigned": "active queued done cancelled",
    "active": "queued done cancelled",
    "done": "queued assigned active cancelled",
    "cancelled": "queued",
}


def spelled(rows: Iterable[tuple[object, Iterable[object]]]) -> dict[str, set[str]]:
    return {str(state): set(map(str, to)) for state, to in rows}


@pytest.mark.parametrize(
    ("table", "meant"),
    [
        (spelled(NEXT_STAGE.items()), STAGES),
        (spelled(NEXT_OUTCOME.items()), OUTCOMES),
        (spelled(NEXT_COPY.items()), COPIES),
    ],
    ids=["stage", "outcome", "copy"],
)
def test_the_tables_say_what_was_meant(table: dict[str, set[str]], meant: dict[str, str]) -> None:
    assert table == {state: set(to.split()) for state, to in meant.items()}


def test_no_state_is_without_a_row() -> None:
    assert set(NEXT_STAGE) == set(Stage)
    assert set(NEXT_OUTCOME) == {None, *Outcome}
    assert set(NEXT_COPY) == set(CopyState)


@pytest.mark.parametrize(("state", "to"), list(product(Stage, Stage)))
def test_an_attempt_advances_as_the_table_says(state: Stage, to: Stage) -> None:
    attempt = Attempt(id="one", stage=state)

    if to in NEXT_STAGE[state]:
        advance(attempt, to)
        assert attempt.stage is to
    else:
        with pytest.raises(IllegalTransition, match=f"attempt one can't go from {state} to {to}"):
            advance(attempt, to)
        assert attempt.stage is state


@pytest.mark.parametrize(("known", "then"), list(product([None, *Outcome], Outcome)))
def test_an_attempt_is_concluded_as_the_table_says(known: Outcome | None, then: Outcome) -> None:
    stage = Stage.VERIFYING if known is None else Stage.SETTLED
    attempt = Attempt(id="one", stage=stage, outcome=known)

    if then in NEXT_OUTCOME[known]:
        conclude(attempt, then)
        assert (attempt.stage, attempt.outcome) == (Stage.SETTLED, then)
    else:
        with pytest.raises(IllegalTransition, match=f"attempt one can't go from {known} to {then}"):
            conclude(attempt, then)
        assert (attempt.stage, attempt.outcome) == (stage, known)


@pytest.mark.parametrize(("state", "to"), list(product(CopyState, CopyState)))
def test_a_copy_moves_as_the_table_says(state: CopyState, to: CopyState) -> None:
    copy = Copy(id=7, state=state)

    if to in NEXT_COPY[state]:
        move(copy, to)
        assert copy.state is to
    else:
        with pytest.raises(IllegalTransition, match=f"copy 7 can't go from {state} to {to}"):
            move(copy, to)
        assert copy.state is state


def test_stages_only_go_forward_and_each_can_be_settled() -> None:
    order = list(Stage)

    for stage, nexts in NEXT_STAGE.items():
        assert all(order.index(to) > order.index(stage) for to in nexts)
        assert stage is Stage.SETTLED or Stage.SETTLED in nexts


def test_nothing_is_known_of_an_attempt_before_it_is_settled_or_forgotten_after() -> None:
    assert all(None not in to for to in NEXT_OUTCOME.values())


def test_every_state_of_a_copy_can_be_reached_from_queued() -> None:
    reached = {CopyState.QUEUED}
    while more := {to for state in reached for to in NEXT_COPY[state]} - reached:
        reached |= more

    assert reached == set(CopyState)
