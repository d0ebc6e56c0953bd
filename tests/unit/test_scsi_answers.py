"""What drives answer, read from bytes."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.mastering.medium import MediumKind
from workers.recorders import scsi_answers as answers
from workers.recorders import scsi_toc as tocs
from workers.recorders.scsi_answers import DiscStatus, Format, SessionStatus

READERS: list[Callable[[bytes], object]] = [
    answers.parse_inquiry,
    answers.parse_serial_page,
    answers.parse_configuration,
    answers.parse_disc_information,
    answers.parse_track_information,
    answers.parse_performance,
    answers.parse_capabilities,
    answers.parse_capacity,
    answers.parse_formats,
    answers.parse_media_event,
    tocs.parse_toc,
    tocs.parse_full_toc,
    tocs.parse_atip,
    tocs.parse_cd_text,
    tocs.parse_mcn,
    tocs.parse_isrc,
    tocs.parse_last_session,
]


@pytest.mark.parametrize("read", READERS)
@given(data=st.binary(max_size=200))
def test_garbage_and_short_answers_are_read_without_a_traceback(read: Callable[[bytes], object], data: bytes) -> None:
    read(data)


@given(data=st.binary(max_size=200), kind=st.sampled_from(MediumKind))
def test_any_lead_in_gives_some_media_id(data: bytes, kind: MediumKind) -> None:
    assert answers.parse_media_id(data, kind).isascii()


@given(data=st.binary(min_size=40, max_size=200))
def test_a_long_table_that_says_it_is_short_is_taken_at_its_word(data: bytes) -> None:
    short = bytes([0, 2]) + data

    assert (tocs.parse_toc(short).tracks, tocs.parse_full_toc(short).tracks) == ((), ())


def test_inquiry_says_who_the_drive_is() -> None:
    data = bytes.fromhex("05 80 05 32 5B 00 00 00") + b"HL-DT-STBD-RE  WH16NS40 1.05"

    said = answers.parse_inquiry(data)

    assert (said.device_type, said.vendor, said.product, said.revision) == (5, "HL-DT-ST", "BD-RE  WH16NS40", "1.05")


def test_what_no_label_may_hold_becomes_question_marks() -> None:
    data = bytes(8) + b"A\x1b[31m\xff\nB"

    assert answers.parse_inquiry(data).vendor == "A?[31m??"


def test_the_serial_number_is_of_its_own_page_alone() -> None:
    assert answers.parse_serial_page(bytes.fromhex("05 80 00 06") + b" K9X2 ") == "K9X2"
    assert answers.parse_serial_page(bytes.fromhex("05 83 00 06") + b" K9X2 ") == ""


def test_features_are_walked_by_their_lengths() -> None:
    profiles = bytes.fromhex("00 00 03 08 00 09 01 00 00 43 00 00")
    unknown = bytes.fromhex("FF 12 00 04 01 02 03 04")
    serial = bytes.fromhex("01 08 03 08") + b"SN12345 "
    body = profiles + unknown + serial

    said = answers.parse_configuration(len(body + bytes(4)).to_bytes(4, "big") + bytes.fromhex("00 00 00 09") + body)

    assert (said.current, said.kind) == (9, MediumKind.CD_R)
    assert said.profiles == (0x09, 0x43)
    assert said.kinds == {MediumKind.CD_R, MediumKind.BD_RE}
    assert said.serial == "SN12345"
    assert said.features == {0x0000, 0xFF12, 0x0108}


def test_a_drive_that_writes_bd_r_writes_both_layers() -> None:
    body = bytes.fromhex("00 00 03 04 00 41 01 00")

    said = answers.parse_configuration(bytes.fromhex("00 00 00 0C 00 00 00 41") + body)

    assert said.kinds == {MediumKind.BD_R, MediumKind.BD_R_DL}


@pytest.mark.parametrize(
    ("feature", "reads"), [("001E 0B 04 03000000", True), ("001E 0B 04 02000000", False), ("", False)]
)
def test_a_drive_says_whether_it_reads_cd_text(feature: str, reads: bool) -> None:  # noqa: FBT001  (the expectation)
    body = bytes.fromhex(feature)

    said = answers.parse_configuration((len(body) + 4).to_bytes(4, "big") + bytes(4) + body)

    assert said.reads_text is reads


def test_disc_information_of_an_appendable_cd() -> None:
    data = bytes.fromhex("0020 01 01 02 02 02 A0 00 00 00 00 12345678 00 04 31 20 00 4F 3B 48").ljust(34, b"\0")

    said = answers.parse_disc_information(data)

    assert (said.status, said.last_session) == (DiscStatus.INCOMPLETE, SessionStatus.EMPTY)
    assert (said.sessions, said.last_track, said.erasable) == (2, 2, False)
    assert said.disc_id == "12345678"


def test_a_disc_id_that_is_not_valid_is_none() -> None:
    data = bytes.fromhex("0020 0E 01 01 01 01 20 00 00 00 00 FFFFFFFF").ljust(34, b"\0")

    assert answers.parse_disc_information(data).disc_id == ""


def test_track_information_tells_the_next_writable_address_where_it_is_valid() -> None:
    head, places = "0022 01 01 00 04 4F", "00000000 00002710 00055550 00000000 00057D60 00000000"

    valid = answers.parse_track_information(bytes.fromhex(f"{head} 01 {places} 00 00 00 00"))
    invalid = answers.parse_track_information(bytes.fromhex(f"{head} 00 {places} 00 00 00 00"))

    assert (valid.track, valid.session, valid.start, valid.next_writable) == (1, 1, 0, 10_000)
    assert (valid.free_blocks, valid.size, valid.blank, valid.is_audio) == (349_520, 359_776, True, False)
    assert invalid.next_writable is None


def test_speeds_are_told_fastest_first_in_bytes_a_second() -> None:
    rows = "00000000 00057D60 00000B06 00000B06 00000000 00057D60 00002114 00002114"

    told = answers.parse_performance(bytes.fromhex(f"00000024 00000000 {rows}"))

    assert told == (8_468_000, 2_822_000)


def test_speeds_of_the_mode_page_are_the_second_best() -> None:
    page = bytearray.fromhex("2A 26") + bytes(26) + bytes.fromhex("2114 0002 0000 2114 0000 0B06")

    assert answers.parse_capabilities(bytes(8) + bytes(page)) == (8_468_000, 2_822_000)
    assert answers.parse_capabilities(bytes(8) + bytes(page[:30])) == (8_468_000,)


def test_formats_tell_the_size_now_and_those_to_be_had() -> None:
    data = bytes.fromhex("00 00 00 18 00B47400 02 000800 00B47400 00 003000 00BA7400 C4 000800")

    assert answers.parse_formats(data) == (
        True,
        (Format(None, 11_826_176), Format(0x00, 11_826_176), Format(0x31, 12_219_392)),
    )


def test_capacity_is_one_more_than_the_last_block() -> None:
    assert answers.parse_capacity(bytes.fromhex("000026DD 00000800")) == 9950
    assert answers.parse_capacity(b"\0\0") == 0


def test_a_media_event_is_told_apart_from_others() -> None:
    new = answers.parse_media_event(bytes.fromhex("0006 04 10 02 02 0000"))
    none = answers.parse_media_event(bytes.fromhex("0002 80 10"))

    assert (new.event, new.medium_present, new.tray_open) == (2, True, False)
    assert (none.event, none.medium_present) == (0, False)


@pytest.mark.parametrize(
    ("kind", "at", "text", "media_id"),
    [
        (MediumKind.DVD_PLUS_R, 19, b"CMC MAG\0M01\0", "CMC MAG/M01"),
        (MediumKind.BD_R, 100, b"VERBATIMa\0", "VERBAT/IMa"),
        (MediumKind.DVD_R, 16, b"\x03MCC 03\0\x04RG20  ", "MCC 03RG20"),
    ],
)
def test_the_lead_in_tells_who_made_the_medium(kind: MediumKind, at: int, text: bytes, media_id: str) -> None:
    body = bytearray(128)
    body[at : at + len(text)] = text
    if kind is MediumKind.BD_R:
        body[:2] = b"DI"

    assert answers.parse_media_id(bytes([0, 130, 0, 0]) + bytes(body), kind) == media_id
