"""The words that faults are scripted in."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Faults
from workers.recorders.emulated_faults import Fault, FaultName, biting, parse_fault


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    name = draw(st.sampled_from(FaultName))
    block = draw(st.integers(0, 999_999_999)) if name.has_block else None
    disc = draw(st.none() | st.integers(1, 999_999_999)) if name.has_disc else None
    return Fault(name, block, disc)


@given(fault=faults())
def test_a_fault_is_read_as_it_is_written(fault: Fault) -> None:
    assert parse_fault(str(fault)) == fault


@given(spec=st.text() | st.from_regex(r"[a-z-]{1,12}(@[0-9]*)?(:disc[0-9]*)?", fullmatch=True))
def test_any_other_words_are_refused(spec: str) -> None:
    fault = None
    with contextlib.suppress(Faults):
        fault = parse_fault(spec)

    assert fault is None or parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("write-error", "needs a block"),
        ("starve", "needs a block"),
        ("stream-loss:disc2", "needs a block"),
        ("close-error@7", "leave out @7"),
        ("init-error@7", "leave out @7"),
        ("mounted@7", "leave out @7"),
        ("feeder-empty:disc2", "leave out :disc2"),
        ("smoke@7", "write-error, stall, unplug"),
        ("write-error@7:disc0", "write-error, stall, unplug"),
        ("write-error@\u0667", "write-error, stall, unplug"),
        ("", "NAME"),
    ],
)
def test_a_refusal_names_the_remedy(spec: str, hint: str) -> None:
    with pytest.raises(Faults, match=hint):
        parse_fault(spec)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Faults) as refusal:
        parse_fault("feeder-empty@3:disc2")

    assert len(refusal.value.faults) == 2


def test_a_fault_bites_its_disc_or_every_disc() -> None:
    specs = ["close-error:disc2", "wrong-medium"]

    assert biting(specs, FaultName.CLOSE_ERROR, 1) is None
    assert biting(specs, FaultName.CLOSE_ERROR, 2) == Fault(FaultName.CLOSE_ERROR, disc=2)
    assert biting(specs, FaultName.WRONG_MEDIUM, 7) == Fault(FaultName.WRONG_MEDIUM)
