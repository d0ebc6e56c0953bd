"""The journal of a robot's moves."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import MechanismFault
from workers.loaders.robot_journal import Discs, Errand, Journal, Move

NUMBERS, LABELS = st.integers(0, 99), st.text(max_size=20)
MOVES = st.builds(Move, st.sampled_from(Errand), NUMBERS, LABELS)
DISCS = st.builds(
    Discs,
    st.dictionaries(NUMBERS, MOVES, max_size=3),
    st.dictionaries(NUMBERS, NUMBERS, max_size=3),
    st.dictionaries(NUMBERS, LABELS, max_size=3),
    st.dictionaries(NUMBERS, LABELS, max_size=3),
)


@settings(deadline=None, max_examples=30)  # each example waits for the disk
@given(discs=DISCS)
def test_what_is_known_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, discs: Discs) -> None:
    journal = Journal(tmp_path_factory.mktemp("robot"))

    journal.write(discs)

    assert journal.read() == discs


def test_a_robot_that_never_moved_has_an_empty_journal(tmp_path: Path) -> None:
    assert Journal(tmp_path / "none").read() == Discs()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"moves": {"0": 1}}', '{"moves": 7}', "\0"])
def test_a_damaged_journal_is_refused_and_says_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "discs.json").write_text(text)

    with pytest.raises(MechanismFault, match="empty all drives of the robot by hand and remove the file"):
        Journal(tmp_path).read()


def test_nothing_is_moved_where_the_journal_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "robots").touch()

    with pytest.raises(MechanismFault, match="can't hold the robot's journal"):
        Journal(tmp_path / "robots").write(Discs())


def test_a_disc_is_where_its_last_move_went() -> None:
    loaded = Discs().begin(0, Move(Errand.LOAD, 3)).end(0)
    gone = loaded.begin(0, Move(Errand.ACCEPT, 7, "PHOTOS")).end(0)
    returned = loaded.begin(0, Move(Errand.RETURN, 3, "cd-r")).end(0)

    assert loaded == Discs(origins={0: 3})
    assert gone == Discs(labels={7: "PHOTOS"})
    assert returned == Discs(kinds={3: "cd-r"})
    assert gone.only_in([1, 2]) == returned.only_in([]) == Discs()


def test_slots_of_a_neighbours_move_are_promised() -> None:
    discs = Discs().begin(0, Move(Errand.LOAD, 3)).begin(1, Move(Errand.REJECT, 12, "bad"))

    assert discs.promised(besides=0) == {12}
    assert discs.promised(besides=1) == {3}
    assert discs.forget(0).promised(besides=1) == set()
