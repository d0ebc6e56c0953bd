"""Modelled drives over iSCSI as libiscsi finds them, an initiator we did not write, with tests of its own."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs.mastering.medium import MediumKind
from workers.mmc.drive import Drive
from workers.mmc.iscsi_target import IscsiTarget, target_name
from workers.mmc.shelf import Shelf

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0


def ran(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[Drive]:
    with Shelf(tmp_path / "media") as shelf:
        drive = Drive("MM000001")
        medium = shelf.blank(MediumKind.BD_RE, 4096)
        medium.format()
        drive.mechanism.insert(medium)
        drive.execute(bytes(6))  # takes the unit attention, which iscsi-ls makes too much of
        yield drive


@pytest.fixture
def target(drive: Drive) -> Iterator[IscsiTarget]:
    with IscsiTarget([drive]) as target:
        yield target


def test_drives_are_found(target: IscsiTarget, drive: Drive) -> None:
    listed = ran("iscsi-ls", "--show-luns", "iscsi://{}:{}".format(*target.address))

    assert listed.returncode == 0, listed.stderr
    assert f"Target:{target_name(drive)} " in listed.stdout
    assert re.search(r"Lun:0 +Type:MMC", listed.stdout), listed.stdout


def test_a_drive_says_who_it_is(target: IscsiTarget, drive: Drive) -> None:
    said = ran("iscsi-inq", target.url(drive))
    serial = ran("iscsi-inq", "-e", "1", "-c", "128", target.url(drive))

    assert "Vendor:DISCMILL" in said.stdout, said.stderr
    assert "Peripheral Device Type:MMC" in said.stdout
    assert "[MM000001]" in serial.stdout, serial.stderr


def test_a_target_that_is_not_there_is_refused(target: IscsiTarget, drive: Drive) -> None:
    refused = ran("iscsi-inq", target.url(drive).replace("mm000001", "other"))

    assert refused.returncode != 0
    assert "Target not found" in refused.stderr


@pytest.mark.parametrize(
    "suite",
    [
        "SCSI.Inquiry.Standard",
        "SCSI.Read10.Simple",
        "SCSI.Read12.Simple",
        "SCSI.Write10.Simple",
        "iSCSI.iSCSIResiduals.Read10Invalid",
        "iSCSI.iSCSIResiduals.Read10Residuals",
        "iSCSI.iSCSIResiduals.Read12Residuals",
    ],
)
def test_a_suite_of_another_project_is_content(target: IscsiTarget, drive: Drive, suite: str) -> None:
    judged = ran("iscsi-test-cu", "--dataloss", "--fail", "--normal", "--test", suite, target.url(drive))

    asserts = re.search(r"asserts +\d+ +(\d+) +(\d+) +(\d+)", judged.stdout)
    assert asserts is not None, judged.stdout + judged.stderr
    made, passed, failed = map(int, asserts.groups())
    assert (passed, failed) == (made, 0), judged.stdout
    assert made > 1


def test_the_program_that_serves_a_drive_serves_it_over_iscsi_too(short_path: Path) -> None:
    command = [sys.executable, "-m", "workers.mmc", str(short_path), "--iscsi", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        program.stdout.readline()
        said = ran("iscsi-inq", program.stdout.readline().strip())
        program.terminate()

        assert program.wait(DEADLINE) == 0
    assert "Vendor:DISCMILL" in said.stdout, said.stderr


@pytest.mark.parametrize("address", ["3260", ":3260", "localhost:iscsi", "127.0.0.1:65536"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, address: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "workers.mmc", str(tmp_path), "--iscsi", address],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )

    assert refused.returncode == 2
    assert "say HOST:PORT" in refused.stderr
