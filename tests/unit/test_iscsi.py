"""The modelled drives' target, told by messages: what it agrees on, how data moves, what it refuses."""

import contextlib
import string
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.mastering.medium import BLOCK, MediumKind
from tests.initiator import (
    COMMAND,
    DATA_SENT,
    FINAL,
    LOGGED_IN,
    LOGGED_OUT,
    LOGOUT,
    NOP,
    NOP_ANSWERED,
    READS,
    REJECTED,
    SENT,
    TASK,
    TASK_ANSWERED,
    TEXT,
    WANTED,
    WRITES,
    Answer,
    Initiator,
)
from tests.rigs import wait_until
from workers.mmc.drive import Drive
from workers.mmc.faults import parse_fault
from workers.mmc.iscsi_login import LoginStatus
from workers.mmc.iscsi_requests import HEADER, ProtocolError, Request, parse_request
from workers.mmc.iscsi_session import pieces
from workers.mmc.iscsi_target import IscsiTarget, target_name
from workers.mmc.iscsi_text import Terms, format_text, negotiate, parse_text
from workers.mmc.shelf import Shelf

READY, INQUIRY = bytes(6), bytes([0x12, 0, 0, 0, 36, 0])
GOOD, REFUSED = 0, 2
BLOCKS = 4096
KEYS = st.text(string.ascii_letters, min_size=1)
VALUES = st.text(st.characters(codec="ascii", exclude_characters="\0"))


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    """Give a drive with a medium that can be written anywhere, its unit attention taken."""
    with Shelf(tmp_path / "media") as shelf:
        drive = Drive("MM000001")
        medium = shelf.blank(MediumKind.BD_RE, BLOCKS)
        medium.format()
        drive.mechanism.insert(medium)
        drive.execute(READY)
        yield drive


@pytest.fixture
def target(drive: Drive) -> Iterator[IscsiTarget]:
    with IscsiTarget([drive]) as target:
        yield target


@pytest.fixture
def initiator(target: IscsiTarget, drive: Drive) -> Iterator[Initiator]:
    with Initiator(target) as initiator:
        assert initiator.log_in(drive, MaxRecvDataSegmentLength="65536").login_status == LoginStatus.GOOD
        yield initiator


def write(first: int, blocks: int) -> bytes:
    return bytes([0x2A, 0, *first.to_bytes(4, "big"), 0, *blocks.to_bytes(2, "big"), 0])


def read(first: int, blocks: int) -> bytes:
    return bytes([0xA8, 0, *first.to_bytes(4, "big"), *blocks.to_bytes(4, "big"), 0, 0])


def written(initiator: Initiator, first: int, data: bytes, immediate: int = 0) -> Answer:
    """Write blocks: some at once, the rest in parts of 16 KiB as they are asked for; return the last answer."""
    initiator.command(write(first, len(data) // BLOCK), WRITES, len(data), data[:immediate])
    while (answer := initiator.answer()).opcode == WANTED:
        offset, end = answer.word(40), answer.word(40) + answer.word(44)
        for part, at in enumerate(range(offset, end, 16384)):
            last = at + 16384 >= end
            initiator.data_out(answer, data[at : min(end, at + 16384)], part, at - offset, final=last)
    return answer


def read_back(initiator: Initiator, first: int, blocks: int) -> bytes:
    initiator.command(read(first, blocks), READS, blocks * BLOCK)
    data = b""
    while True:
        answer = initiator.answer()
        assert (answer.opcode, answer.word(40)) == (DATA_SENT, len(data))
        data += answer.data
        if answer.flags & 1:
            assert answer.status == GOOD
            return data


# What is read from bytes.


@settings(deadline=None)
@given(st.binary(min_size=HEADER, max_size=HEADER), st.binary(max_size=64))
def test_whatever_comes_is_a_request_or_a_protocol_error(header: bytes, data: bytes) -> None:
    try:
        request = parse_request(header, data)
    except ProtocolError:
        return

    assert isinstance(request, Request)
    assert request.data == data


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_text_comes_is_agreed_on_or_refused(data: bytes) -> None:
    try:
        answers, terms = negotiate(parse_text(data), Terms())
    except ProtocolError:
        return

    assert all(isinstance(answer, str) for answer in answers.values())
    assert 512 <= terms.first_burst <= terms.burst <= Terms().burst


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES))
def test_text_is_read_as_it_is_written(told: dict[str, str]) -> None:
    assert parse_text(format_text(told)) == told


@settings(deadline=None)
@given(st.integers(1, 600_000), st.integers(512, 1 << 18), st.integers(512, 1 << 18))
def test_data_goes_out_in_messages_that_fit(size: int, segment: int, burst: int) -> None:
    cut = pieces(size, Terms(segment=segment, burst=burst))

    assert cut[0][0] == 0
    assert cut[-1][1] == size
    assert all(end == start for (_, end), (start, _) in pairwise(cut))
    assert all(0 < end - start <= segment and start // burst == (end - 1) // burst for start, end in cut)


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [
        ({"HeaderDigest": "CRC32C,None"}, {"HeaderDigest": "None"}),
        ({"DataDigest": "CRC32C"}, {"DataDigest": "Reject"}),
        ({"MaxBurstLength": "16776192"}, {"MaxBurstLength": "262144"}),
        ({"FirstBurstLength": "0x2000"}, {"FirstBurstLength": "8192"}),
        ({"FirstBurstLength": "none"}, {"FirstBurstLength": "Reject"}),
        ({"InitialR2T": "No"}, {"InitialR2T": "Yes"}),
        ({"ImmediateData": "No"}, {"ImmediateData": "No"}),
        ({"MaxConnections": "8"}, {"MaxConnections": "1"}),
        ({"X-com.example": "1"}, {"X-com.example": "NotUnderstood"}),
        ({"InitiatorAlias": "me"}, {}),
    ],
)
def test_each_key_is_answered_by_what_both_can_do(offered: dict[str, str], agreed: dict[str, str]) -> None:
    assert negotiate(offered, Terms())[0] == agreed


# Who comes in.


def test_a_login_in_two_stages_gets_in(target: IscsiTarget, drive: Drive) -> None:
    with Initiator(target) as initiator:
        first = initiator.log_in(drive, 0x81, AuthMethod="CHAP,None")
        initiator.send(bytes([0x43, 0x87]) + bytes(22) + (1).to_bytes(4, "big"), b"ErrorRecoveryLevel=2\0")
        second = initiator.answer()

    assert first.told == {"AuthMethod": "None", "TargetPortalGroupTag": "1"}
    assert second.told == {"ErrorRecoveryLevel": "0", "MaxRecvDataSegmentLength": "262144"}
    assert (second.opcode, second.flags, second.login_status) == (LOGGED_IN, 0x87, LoginStatus.GOOD)


@pytest.mark.parametrize(
    ("keys", "flags", "status"),
    [
        ({"TargetName": "iqn.2026-01.localhost:other"}, 0x87, LoginStatus.NOT_FOUND),
        ({"InitiatorName": ""}, 0x87, LoginStatus.PARAMETER_MISSING),
        ({"SessionType": "Other"}, 0x87, LoginStatus.NO_SUCH_SESSION_TYPE),
        ({"AuthMethod": "CHAP"}, 0x81, LoginStatus.NOT_AUTHENTICATED),
        ({"HeaderDigest": "CRC32C"}, 0x87, LoginStatus.INITIATOR_ERROR),
        ({"MaxRecvDataSegmentLength": "7"}, 0x87, LoginStatus.INITIATOR_ERROR),
        ({}, 0x86, LoginStatus.INITIATOR_ERROR),
        ({}, 0x8B, LoginStatus.INITIATOR_ERROR),
        ({}, 0xC7, LoginStatus.INITIATOR_ERROR),
    ],
)
def test_a_login_that_can_not_be_is_refused_with_its_reason(
    target: IscsiTarget, drive: Drive, keys: dict[str, str], flags: int, status: LoginStatus
) -> None:
    with Initiator(target) as initiator:
        refused = initiator.log_in(drive, flags, **keys)

        assert refused.login_status == status
        assert initiator.receive() is None


def test_an_unplugged_drive_is_not_to_be_had(target: IscsiTarget, drive: Drive) -> None:
    drive.mechanism.unplug()

    with Initiator(target) as initiator:
        assert initiator.log_in(drive).login_status == LoginStatus.UNAVAILABLE


def test_an_initiator_that_comes_again_ends_its_session_before(
    target: IscsiTarget, drive: Drive, initiator: Initiator
) -> None:
    with Initiator(target) as again:
        again.log_in(drive)

        assert initiator.receive() is None
        again.command(READY)
        assert again.answer().status == GOOD


def test_all_drives_that_are_there_are_found(drive: Drive) -> None:
    other, gone = Drive("Other 7"), Drive("MM000009")
    gone.mechanism.unplug()

    with IscsiTarget([drive, other, gone]) as target, Initiator(target) as initiator:
        initiator.log_in(None)
        listed = initiator.immediate(TEXT | 0x40, data=b"SendTargets=All\0").data.decode()
        address = "{}:{},1".format(*target.address)

    names = [target_name(drive), "iqn.2026-01.localhost:discmill.other-7"]
    assert listed == "".join(f"TargetName={name}\0TargetAddress={address}\0" for name in names)


# Commands and their data.


@pytest.mark.parametrize("immediate", [0, 2048, 65536])
def test_blocks_that_are_written_are_read_back(initiator: Initiator, immediate: int) -> None:
    data = bytes(range(256)) * (300 * BLOCK // 256)

    answer = written(initiator, 7, data, immediate)

    assert (answer.opcode, answer.status, answer.word(44)) == (SENT, GOOD, 0)
    assert read_back(initiator, 7, 300) == data


def test_a_refusal_carries_its_sense(initiator: Initiator, drive: Drive) -> None:
    drive.mechanism.remove()

    initiator.command(READY)
    attention = initiator.answer()
    initiator.command(READY)
    refusal = initiator.answer()

    assert [(answer.status, answer.data[4], answer.data[14]) for answer in (attention, refusal)] == [
        (REFUSED, 6, 0x28),
        (REFUSED, 2, 0x3A),
    ]
    assert int.from_bytes(refusal.data[:2], "big") == len(refusal.data) - 2


def test_less_data_than_was_expected_is_told(initiator: Initiator) -> None:
    initiator.command(INQUIRY, READS, 255)

    answer = initiator.answer()

    assert (len(answer.data), answer.flags, answer.word(44)) == (36, FINAL | 0x02 | 0x01, 255 - 36)


def test_a_unit_that_is_not_there_says_so(initiator: Initiator) -> None:
    initiator.command(INQUIRY, READS, 36, lun=3)
    inquiry = initiator.answer()
    initiator.command(READY, lun=3)
    ready = initiator.answer()

    assert inquiry.data[0] == 0x7F
    assert (ready.status, ready.data[4], ready.data[14]) == (REFUSED, 5, 0x25)


def test_a_command_that_moves_too_much_is_refused_before_its_data_is_asked_for(initiator: Initiator) -> None:
    initiator.command(write(0, 65535), WRITES, 0xFFFFFFFF)
    refusal = initiator.answer()
    initiator.command(read(0, 0xFFFFFFF), READS, 1 << 20)
    refused_too = initiator.answer()

    assert [(answer.opcode, answer.status, answer.data[4]) for answer in (refusal, refused_too)] == [
        (SENT, REFUSED, 5)
    ] * 2


def test_a_target_answers_while_its_drive_hangs(initiator: Initiator, drive: Drive) -> None:
    drive.mechanism.script(parse_fault("hang@9"))
    tag = initiator.command(write(9, 1), WRITES, BLOCK, bytes(BLOCK))
    waiting = initiator.command(write(20, 1), WRITES, BLOCK)
    assert initiator.answer().opcode == WANTED

    pinged = initiator.immediate(NOP, data=b"ping")
    ended, ended_too, unknown = (initiator.immediate(TASK, 1, about) for about in (tag, waiting, 77))
    drive.mechanism.script()
    initiator.command(INQUIRY, READS, 36)
    after = initiator.answer()

    assert (pinged.opcode, pinged.data) == (NOP_ANSWERED, b"ping")
    assert [(answer.opcode, answer.header[2]) for answer in (ended, ended_too, unknown)] == [
        (TASK_ANSWERED, 0),
        (TASK_ANSWERED, 0),
        (TASK_ANSWERED, 1),
    ]
    assert after.opcode == DATA_SENT


def test_a_reset_ends_all_and_is_told(initiator: Initiator, drive: Drive) -> None:
    drive.execute(bytes([0x1E, 0, 0, 0, 1, 0]))
    initiator.command(write(0, 1), WRITES, BLOCK)
    asked = initiator.answer()

    reset = initiator.immediate(TASK, 5)
    initiator.data_out(asked, bytes(BLOCK))
    initiator.command(READY)
    answer = initiator.answer()

    assert (reset.opcode, reset.header[2]) == (TASK_ANSWERED, 0)
    assert (answer.status, answer.data[4], answer.data[14]) == (REFUSED, 6, 0x29)
    assert not drive.mechanism.is_locked


def test_a_drive_that_is_unplugged_amid_a_command_ends_the_session(initiator: Initiator, drive: Drive) -> None:
    drive.mechanism.unplug()
    initiator.command(READY)

    assert initiator.receive() is None


def test_a_logout_is_answered_and_ends_the_session(initiator: Initiator) -> None:
    answer = initiator.immediate(LOGOUT)

    assert answer.opcode == LOGGED_OUT
    assert initiator.receive() is None


def test_an_old_command_is_ignored(initiator: Initiator) -> None:
    initiator.send(bytes([COMMAND, FINAL]) + bytes(22) + (0).to_bytes(4, "big"))
    initiator.command(READY)

    answer = initiator.answer()

    assert (answer.word(16), answer.word(28)) == (1, 2)


# Hostile messages.


@pytest.mark.parametrize("claimed", [8193, 0xFFFFFF])
def test_too_much_data_at_the_login_is_rejected_unread(target: IscsiTarget, claimed: int) -> None:
    with Initiator(target) as initiator:
        initiator.send(bytes([0x43, 0x87]), claimed=claimed)

        assert initiator.answer().opcode == REJECTED
        assert initiator.receive() is None


@pytest.mark.parametrize(
    "header",
    [
        bytes([0x1C]),
        bytes([0x21]),
        bytes([0x43, 0x87]),
        bytes([COMMAND, FINAL, 0, 0, 255]),
        bytes([COMMAND, WRITES]),
        bytes([COMMAND, FINAL]) + bytes(22) + (9).to_bytes(4, "big"),
        bytes([COMMAND, FINAL]) + bytes(22) + (1).to_bytes(4, "big"),
    ],
    ids=[
        "unknown",
        "a target's",
        "login again",
        "additional headers",
        "unsolicited data",
        "too early",
        "data for none",
    ],
)
def test_a_message_that_breaks_the_rules_is_rejected_and_ends_the_session(
    initiator: Initiator, header: bytes, drive: Drive
) -> None:
    before = len(drive.history)
    initiator.send(header, bytes(2048))

    answer = initiator.answer()

    assert (answer.opcode, answer.data[:2]) == (REJECTED, header.ljust(2, b"\0")[:2])
    assert initiator.receive() is None
    assert drive.history[before:] == []


@pytest.mark.parametrize(("part", "offset", "size"), [(1, 0, BLOCK), (0, 4, BLOCK - 4), (0, 0, 100), (0, 0, BLOCK + 4)])
def test_data_that_was_not_asked_for_is_rejected(initiator: Initiator, part: int, offset: int, size: int) -> None:
    initiator.command(write(0, 1), WRITES, BLOCK)
    asked = initiator.answer()

    initiator.data_out(asked, bytes(size), part, offset)

    assert initiator.answer().opcode == REJECTED
    assert initiator.receive() is None


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_noise_neither_hangs_nor_ends_a_target(noise: bytes) -> None:
    drive = Drive("MM000001")
    with IscsiTarget([drive]) as target:
        with Initiator(target) as initiator, contextlib.suppress(ConnectionError):  # it need not hear all of it
            initiator._socket.sendall(noise)
        with Initiator(target) as initiator:
            assert initiator.log_in(drive).login_status == LoginStatus.GOOD


def test_commands_that_are_ended_and_ended_do_not_pile_up_behind_a_drive_that_hangs(
    initiator: Initiator, drive: Drive
) -> None:
    drive.mechanism.script(parse_fault("hang@9"))
    answers = []

    for _ in range(60):
        tag = initiator.command(write(9, 1), WRITES, BLOCK, bytes(BLOCK))
        answers.append(initiator.immediate(TASK, 1, tag).opcode)
        if answers[-1] == REJECTED:
            break

    assert answers[-1] == REJECTED
    assert answers[:16] == [TASK_ANSWERED] * 16


def test_more_connections_than_a_target_takes_are_closed(target: IscsiTarget, drive: Drive) -> None:
    many = [Initiator(target) for _ in range(16)]

    with Initiator(target) as one_more:
        assert one_more.receive() is None
    for initiator in many:
        with initiator:
            pass
    wait_until(lambda: _gets_in(target, drive), "there is room again")


def _gets_in(target: IscsiTarget, drive: Drive) -> bool:
    with Initiator(target) as initiator:
        try:
            return initiator.log_in(drive).login_status == LoginStatus.GOOD
        except (AssertionError, OSError):
            return False


def test_a_target_that_is_left_lets_go_of_everybody(drive: Drive) -> None:
    drive.mechanism.script(parse_fault("hang@9"))
    with IscsiTarget([drive]) as target:
        initiator = Initiator(target)
        initiator.log_in(drive)
        initiator.command(write(9, 1), WRITES, BLOCK, bytes(BLOCK))
        wait_until(lambda: any(cdb[0] == 0x2A for cdb in drive.history), "the drive hangs")

    with initiator:
        while initiator.receive() is not None:
            pass
    wait_until(lambda: not any(thread.name.startswith("mmc-iscsi") for thread in threading.enumerate()), "threads end")
