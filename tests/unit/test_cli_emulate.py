"""`discmill emulate` at a drive in a folder."""

import pytest

from jobs.mastering.medium import MediumKind
from tests import builders
from tests.command_line import CommandLine
from workers.recorders.emulated_drive import EmulatedDrive
from workers.recorders.emulated_faults import FaultName
from workers.recorders.emulated_uri import parse_uri


@pytest.fixture
def drive(shell: CommandLine) -> EmulatedDrive:
    uri = f"emulated:{shell.home / 'drive'}?feed=dvd-r*2"
    with shell.database.write() as db:
        builders.a_recorder(db, "r1", uri=uri)
        builders.a_recorder(db, "real", uri="scsi:/dev/sr0")
        builders.a_recorder(db, "far", uri=uri, machine_id="there")
    made = EmulatedDrive(parse_uri(uri).folder)
    made.configure(parse_uri(uri))
    return made


def test_a_disc_is_put_in_and_taken_out(shell: CommandLine, drive: EmulatedDrive) -> None:
    assert shell.run("emulate", "r1", "insert", "cd-r").exit_code == 0
    seen = drive.probe()
    assert seen is not None
    assert seen.kind is MediumKind.CD_R
    assert shell.run("emulate", "r1", "insert", "cd-r").exit_code == 1
    assert shell.run("emulate", "r1", "remove").exit_code == 0
    assert drive.probe() is None


def test_a_used_disc_goes_to_the_shelf_and_its_file_is_printed(shell: CommandLine, drive: EmulatedDrive) -> None:
    shell.run("emulate", "r1", "insert", "dvd-r", "--status", "complete")

    result = shell.run("emulate", "r1", "remove")

    assert result.stdout.startswith(str(drive.folder.path / "shelf" / "reject"))


def test_a_used_disc_may_hold_an_image_of_ones_own(shell: CommandLine, drive: EmulatedDrive) -> None:
    image = shell.home / "own.iso"
    image.write_bytes(b"own!" * 512 * 7)

    result = shell.run("emulate", "r1", "insert", "cd-r", "--status", "appendable", "--from", image)

    assert result.exit_code == 0
    seen = drive.probe()
    assert seen is not None
    assert (seen.sessions, seen.next_writable) == (1, 7 + 11_400)
    assert shell.run("emulate", "r1", "remove").exit_code == 0
    assert shell.run("emulate", "r1", "insert", "cd-r", "--from", image).exit_code == 1


def test_the_help_knows_every_fault(shell: CommandLine) -> None:
    text = shell.run("emulate", "--help").stdout

    assert [fault for fault in FaultName if fault not in text] == []


def test_faults_are_set_and_forgotten(shell: CommandLine, drive: EmulatedDrive) -> None:
    assert shell.run("emulate", "r1", "fault", "write-error@12:disc2").exit_code == 0
    assert shell.run("emulate", "r1", "fault", "tea-spilt").exit_code == 1
    assert drive.status()["faults"] == ["write-error@12:disc2"]
    assert shell.run("emulate", "r1", "clear").exit_code == 0
    assert drive.status()["faults"] == []


def test_the_plug_is_pulled_and_put_in(shell: CommandLine, drive: EmulatedDrive) -> None:
    assert shell.run("emulate", "r1", "unplug").exit_code == 0
    assert drive.status()["plugged"] is False
    assert "unplugged" in shell.run("emulate", "r1", "status").stdout
    assert shell.run("emulate", "r1", "replug").exit_code == 0
    assert shell.read("emulate", "r1", "status")["plugged"] is True


@pytest.mark.usefixtures("drive")
@pytest.mark.parametrize(
    ("name", "message"),
    [("real", "only an emulated recorder"), ("far", "is on here; type this there"), ("gone", "no recorder gone")],
)
def test_no_other_recorder_can_be_emulated(shell: CommandLine, name: str, message: str) -> None:
    result = shell.run("emulate", name, "unplug")

    assert result.exit_code == 1
    assert message in result.stderr
