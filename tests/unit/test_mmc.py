"""The rules that the model of a recorder keeps, told by commands alone."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.errors import OrderError
from jobs.mastering.medium import MediumKind
from workers.mmc.control import ControlServer
from workers.mmc.cue_sheet import parse_cue_sheet
from workers.mmc.drive import Drive
from workers.mmc.faults import Fault, Trouble, parse_fault
from workers.mmc.mechanism import Unplugged
from workers.mmc.medium import Medium
from workers.mmc.sectors import NoSectors
from workers.mmc.shelf import Shelf
from workers.recorders.scsi_sense import Sense

READY = bytes(6)
SYNCHRONIZE = bytes([0x35, *bytes(9)])
MODE_05 = bytes(8) + bytes([0x05, 0x32, 1, 4, 8]) + bytes(47)


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with Shelf(tmp_path / "media") as media:
        yield media


def a_drive(medium: Medium | None = None) -> Drive:
    drive = Drive("MM000001")
    if medium is not None:
        drive.mechanism.insert(medium)
        drive.execute(READY)  # takes the unit attention
    return drive


def write(drive: Drive, first: int, count: int) -> Sense | None:
    cdb = bytes([0x2A, 0, *first.to_bytes(4, "big"), 0, *count.to_bytes(2, "big"), 0])
    return drive.execute(cdb, bytes(count * 2048)).sense


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(MediumKind),
    commands=st.lists(
        st.tuples(
            st.sampled_from([*range(256), *[0x2A, 0x35, 0x5B, 0x53, 0x04, 0xA1, 0x43, 0x52] * 16]),
            st.binary(min_size=11, max_size=11),
            st.binary(max_size=80),
        ),
        max_size=12,
    ),
)
def test_no_command_whatsoever_is_answered_with_a_traceback(
    kind: MediumKind, commands: list[tuple[int, bytes, bytes]]
) -> None:
    drive = a_drive(Medium(kind, 1000, NoSectors()))

    for opcode, rest, data in commands:
        reply = drive.execute(bytes([opcode]) + rest, data)
        assert reply.sense is None or not reply.data


@given(data=st.binary(max_size=80))
def test_any_bytes_are_a_cue_sheet_or_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_cue_sheet(data)


def test_a_medium_that_comes_in_is_announced_once(shelf: Shelf) -> None:
    drive = a_drive()
    drive.mechanism.insert(shelf.blank(MediumKind.CD_R))

    assert drive.execute(READY).sense == Sense(6, 0x28)
    assert drive.execute(READY).sense is None


def test_an_empty_and_an_open_tray_are_told_apart() -> None:
    drive = a_drive()
    empty = drive.execute(READY).sense
    drive.execute(bytes([0x1B, 0, 0, 0, 2, 0]))
    drive.execute(READY)  # takes the unit attention

    assert (empty, drive.execute(READY).sense) == (Sense(2, 0x3A, 1), Sense(2, 0x3A, 2))


def test_a_locked_tray_does_not_open() -> None:
    drive = a_drive()
    drive.execute(bytes([0x1E, 0, 0, 0, 1, 0]))

    assert drive.execute(bytes([0x1B, 0, 0, 0, 2, 0])).sense == Sense(5, 0x53, 2)


def test_a_drive_spins_up_for_as_long_as_it_is_told_to(shelf: Shelf) -> None:
    drive = a_drive()
    drive.mechanism.insert(shelf.blank(MediumKind.CD_R), busy=2)
    drive.execute(READY)  # takes the unit attention

    assert [drive.execute(READY).sense for _ in range(3)] == [Sense(2, 4, 1), Sense(2, 4, 1), None]


@pytest.mark.parametrize("kind", [MediumKind.DVD_R, MediumKind.DVD_PLUS_R, MediumKind.BD_R])
def test_sequential_media_take_the_next_block_alone(shelf: Shelf, kind: MediumKind) -> None:
    drive = a_drive(shelf.blank(kind))

    assert [write(drive, first, 32) for first in (0, 32)] == [None, None]
    assert write(drive, 128, 32) == Sense(5, 0x21, 2)
    assert write(drive, 32, 32) == Sense(5, 0x21, 2)


def test_a_track_at_once_takes_two_blocks_more_than_it_has(shelf: Shelf) -> None:
    medium = shelf.blank(MediumKind.CD_R)
    drive = a_drive(medium)
    drive.execute(bytes([0x55, *bytes(9)]), MODE_05)

    write(drive, 0, 300)
    drive.execute(SYNCHRONIZE)

    assert (medium.tracks[0].blocks, medium.tracks[0].end) == (300, 302)
    assert medium.next_writable == 452


def test_nothing_is_written_past_the_end(shelf: Shelf) -> None:
    drive = a_drive(shelf.blank(MediumKind.DVD_PLUS_R, 64))

    assert write(drive, 0, 65) == Sense(5, 0x63)
    assert write(drive, 0, 64) is None


def test_an_unformatted_medium_is_not_written_over(shelf: Shelf) -> None:
    drive = a_drive(shelf.blank(MediumKind.DVD_PLUS_RW))
    before = write(drive, 0, 16)
    drive.execute(bytes([0x04, 0x11, 0, 0, 0, 0]), bytes.fromhex("00820008 00230540 98000000"))

    assert (before, write(drive, 4096, 16)) == (Sense(2, 0x30, 0x10), None)


def test_blocks_before_a_write_error_are_written(shelf: Shelf) -> None:
    medium = shelf.blank(MediumKind.DVD_PLUS_R)
    drive = a_drive(medium)
    drive.mechanism.script(Fault(Trouble.WRITE_ERROR, 20))

    assert write(drive, 0, 32) == Sense(3, 0x0C)
    assert medium.next_writable == 20


def test_a_drive_that_is_unplugged_answers_nothing(shelf: Shelf) -> None:
    drive = a_drive(shelf.blank(MediumKind.DVD_PLUS_R))
    drive.mechanism.script(Fault(Trouble.UNPLUG, 20))

    for _ in range(2):
        with pytest.raises(Unplugged):
            write(drive, 0, 32)


@given(trouble=st.sampled_from(Trouble), block=st.integers(0, 999_999_999))
def test_a_fault_is_read_as_it_is_written(trouble: Trouble, block: int) -> None:
    fault = Fault(trouble, block if trouble.has_block else 0)

    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize("spec", ["", "smoke@7", "write-error", "sync-error@7", "write-error@\u0667"])
def test_other_words_are_refused(spec: str) -> None:
    with pytest.raises(OrderError, match="fault"):
        parse_fault(spec)


def test_a_drive_can_be_handled_from_another_process(shelf: Shelf, short_path: Path) -> None:
    drive, path = a_drive(), short_path / "control"
    requests = [
        b'{"do": "insert", "kind": "cd-r", "capacity": 5000}',
        b'{"do": "fault", "specs": ["write-error@700"]}',
        b'{"do": "fault", "specs": ["smoke"]}',
        b'{"do": "insert", "kind": "cd-x"}',
        b'{"do": "fly"}',
        b"[]",
        b"not json",
        b'{"do": "remove"}',
    ]

    with (
        ControlServer(drive, shelf, path),
        socket.socket(socket.AF_UNIX) as line,
        line.makefile("rwb") as words,
    ):
        line.connect(str(path))
        answers = []
        for request in requests:
            words.write(request + b"\n")
            words.flush()
            answers.append(json.loads(words.readline()))

    assert [answer["ok"] for answer in answers] == [True, True, False, False, False, False, False, True]
    assert (answers[0]["medium"]["kind"], answers[0]["medium"]["free_blocks"]) == ("cd-r", 5000)
    assert answers[1]["faults"] == ["write-error@700"]
    assert answers[7]["medium"] is None
