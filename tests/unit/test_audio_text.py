"""CD-TEXT says what it can hold, and what it could not is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.audio_text import MOST_CHARACTERS, sayable, sayable_text
from jobs.mastering.programme import DiscText
from tests.programmes import PRINTABLE


@given(st.text())
def test_every_text_becomes_one_that_a_disc_can_say(text: str) -> None:
    said = sayable(text)

    assert set(said) <= set(PRINTABLE)
    assert len(said) <= MOST_CHARACTERS
    assert said == said.strip()


@given(st.text(PRINTABLE, max_size=MOST_CHARACTERS).map(lambda text: " ".join(text.split())))
def test_latin_1_stays_as_it_is(text: str) -> None:
    assert sayable(text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Dvořák: Příběh", "Dvorák: Príbeh"),
        ("Für Elise", "Für Elise"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("“Quoted” — so…", '"Quoted" - so...'),
        ("Чайковский", "Chaykovskiy"),
        ("Σ", "S"),
        ("line\r\nbreak\tand\x00nul\x1b[31m", "line break and nul [31m"),
        ("😀", ":grinning:"),
        ("x" * 200, "x" * 160),
    ],
)
def test_what_latin_1_lacks_is_transliterated(text: str, said: str) -> None:
    assert sayable(text) == said


def test_what_was_changed_is_noted_and_nothing_else() -> None:
    notes: list[str] = []

    said = sayable_text(DiscText("Řež", "Café", composer="Σ"), "track 3", notes)

    assert said == DiscText("Rez", "Café", composer="S")
    assert notes == ["track 3: title written as 'Rez' (CD-TEXT)", "track 3: composer written as 'S' (CD-TEXT)"]
