"""What a drive in a changer is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import Faults
from jobs.mastering.medium import MediumKind
from workers.loaders.changer_uri import Shelving, device_of, format_slots, parse_slots, parse_uri

CD, DVD = MediumKind.CD_R, MediumKind.DVD_R
WHOLE = "scsi:/dev/sr0?changer=/dev/sg2&drive=1&input=dvd-r@1-3,cd-r@5&accept=8-10&reject=12"


def test_a_uri_says_what_each_slot_is_for() -> None:
    device, shelving = parse_uri(WHOLE)

    assert device == "/dev/sr0"
    assert shelving == Shelving("/dev/sg2", 1, {1: DVD, 2: DVD, 3: DVD, 5: CD}, (8, 9, 10), (12,))
    assert shelving.slots == {1, 2, 3, 5, 8, 9, 10, 12}


def test_a_drive_without_a_changer_has_no_options() -> None:
    assert parse_uri("scsi:HL-DT-ST-BD-RE-K9X2") == ("HL-DT-ST-BD-RE-K9X2", None)


def test_the_drive_is_found_in_any_uri() -> None:
    assert device_of(WHOLE) == "/dev/sr0"
    assert device_of("scsi:ID") == "ID"


def test_all_faults_of_a_uri_are_told_at_once() -> None:
    with pytest.raises(Faults) as refusal:
        parse_uri("scsi:/dev/sr0?changer=&drive=x&input=floppy@1,dvd-r@4-2&accept=0&speed=2")

    faults = "\n".join(refusal.value.faults)
    assert "unknown option 'speed=2'" in faults
    assert "say the changer's device file" in faults
    assert "drive=x: not the number of a drive" in faults
    assert "'floppy@1' is not KIND@SLOT" in faults
    assert "'4-2' is not SLOT or FIRST-LAST" in faults
    assert "'0' is not SLOT" in faults
    assert "reject= is missing" in faults


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("accept=8-10", "accept=5-10", "slot 5 is both input and accept"),
        ("reject=12", "reject=1", "slot 1 is both input and reject"),
        ("reject=12", "reject=10", "slot 10 is both accept and reject"),
    ],
)
def test_a_slot_has_one_purpose(before: str, after: str, fault: str) -> None:
    with pytest.raises(Faults) as refusal:
        parse_uri(WHOLE.replace(before, after))

    assert refusal.value.faults == (fault,)


@given(st.lists(st.integers(1, 9999), min_size=1, max_size=50, unique=True))
def test_slots_are_read_as_they_are_written(slots: list[int]) -> None:
    assert parse_slots(format_slots(tuple(slots))) == tuple(slots)
