"""Sense data, and the errors it stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import (
    DiscError,
    DiscUnreadable,
    MediumDiffers,
    MediumMissing,
    MediumNotWritable,
    MediumTooSmall,
    MediumUnsuitable,
    RecorderBusy,
    RecorderError,
    RecorderUnsuitable,
    SessionNotClosed,
    WriteFailed,
    WriteNotBegun,
)
from workers.recorders.scsi_sense import Sense, parse_sense


@given(data=st.binary(max_size=64))
def test_whatever_comes_is_sense_data_of_some_kind(data: bytes) -> None:
    sense = parse_sense(data)

    assert isinstance(sense.error("do it"), DiscError)
    assert f"{sense.key:X}/" in str(sense)


@given(key=st.integers(0, 15), asc=st.integers(0, 255), ascq=st.integers(0, 255))
def test_both_formats_are_read(key: int, asc: int, ascq: int) -> None:
    fixed = bytes([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0])
    descriptor = bytes([0x72, key, asc, ascq, 0, 0, 0, 0])

    assert parse_sense(fixed) == parse_sense(descriptor) == Sense(key, asc, ascq)


@pytest.mark.parametrize(
    ("key", "asc", "ascq", "error"),
    [
        (0x2, 0x3A, 0x00, MediumMissing),
        (0x2, 0x3A, 0x02, MediumMissing),
        (0x2, 0x04, 0x01, RecorderBusy),
        (0x2, 0x30, 0x00, MediumUnsuitable),
        (0x3, 0x02, 0x00, DiscUnreadable),
        (0x3, 0x0C, 0x00, WriteFailed),
        (0x3, 0x11, 0x05, MediumDiffers),
        (0x3, 0x72, 0x00, SessionNotClosed),
        (0x3, 0x73, 0x03, WriteNotBegun),
        (0x4, 0x09, 0x00, RecorderError),
        (0x5, 0x20, 0x00, RecorderUnsuitable),
        (0x5, 0x21, 0x00, MediumDiffers),
        (0x5, 0x53, 0x02, RecorderBusy),
        (0x5, 0x63, 0x00, MediumTooSmall),
        (0x7, 0x27, 0x00, MediumNotWritable),
        (0xB, 0x4B, 0x00, RecorderError),
        (0xF, 0xFF, 0xFF, RecorderError),
    ],
)
def test_sense_is_an_error_of_ours(key: int, asc: int, ascq: int, error: type[DiscError]) -> None:
    assert type(Sense(key, asc, ascq).error("do it")) is error


def test_an_error_says_what_the_drive_refused_and_why() -> None:
    error = Sense(0x3, 0x0C, 0x09).error("write 32 blocks at 700")

    assert error.message == "the drive refuses to write 32 blocks at 700: 3/0C/09 (write error, the buffer ran empty)"


def test_unknown_qualifiers_are_told_as_their_code() -> None:
    assert str(Sense(0x3, 0x11, 0x7F)) == "3/11/7F (unreadable)"
    assert str(Sense(0x3, 0xEE, 0x01)) == "3/EE/01"


def test_a_medium_change_and_a_drive_that_spins_up_are_told_apart() -> None:
    assert Sense(0x6, 0x28).is_medium_change
    assert not Sense(0x6, 0x2A, 1).is_medium_change
    assert Sense(0x2, 0x04, 0x01).is_becoming_ready
    assert not Sense(0x2, 0x04, 0x02).is_becoming_ready
