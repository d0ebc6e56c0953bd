"""Drives of a host without recorders, and the doctor at a drive: sysfs is a folder, the drives are modelled."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs.mastering.medium import MediumKind
from tests.scsi_rig import ScsiRig, ended
from workers.locks import FileLock
from workers.mmc.shim import environment
from workers.recorders.libburn import locks_of

ROOT = Path(__file__).parents[2]
SERIAL = bytes([5, 0x80, 0, 4]) + b"K9X2"
ID = "DISCMILL-MMC_RECORDER-K9X2"

ATTACHED = """
import json, sys
from pathlib import Path
from workers.attached import attached_drives, configuration
drives = attached_drives(json.loads(sys.argv[2]), Path(sys.argv[1]))
print(json.dumps({"drives": drives, "toml": configuration(drives)}))
"""
DOCTOR = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from jobs.settings import RecorderSetting
from workers.doctor.drives import drive_findings
left = RecorderSetting(name="left", uri=sys.argv[2])
print(json.dumps([asdict(finding) for finding in drive_findings(left, Path(sys.argv[1]))]))
"""


@pytest.fixture
def host(rig: ScsiRig, shim: Path) -> ScsiRig:
    """Let the drive be attached to a host of its own: a folder with `sys` and `dev`."""
    device = rig.folder / "sys/block/sr0/device"
    device.mkdir(parents=True)
    facts = {"vendor": b"DISCMILL\n", "model": b"MMC RECORDER\n", "rev": b"1.0\n", "vpd_pg80": SERIAL}
    for name, data in facts.items():
        (device / name).write_bytes(data)
    rig.variables = environment(shim, {str(rig.folder / "dev/sr0"): rig.folder / "drive"})
    return rig


def said(host: ScsiRig, words: str, *more: str) -> Any:  # noqa: ANN401  (JSON)
    ran = ended(host.start(sys.executable, "-c", words, str(host.folder), *more, folder=ROOT))
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_a_drive_that_is_no_recorder_is_told_ready_to_be_one(host: ScsiRig) -> None:
    host.insert(MediumKind.DVD_PLUS_R)

    answer = said(host, ATTACHED, "{}")

    (drive,) = answer["drives"]
    assert (drive["uri"], drive["node"]) == (f"scsi:{ID}", str(host.folder / "dev/sr0"))
    assert (drive["vendor"], drive["product"], drive["firmware"], drive["serial"]) == (
        "DISCMILL",
        "MMC RECORDER",
        "1.0",
        "K9X2",
    )
    assert set(drive["writes"]) == set(MediumKind)
    assert (drive["medium"]["kind"], drive["medium"]["status"]) == ("dvd+r", "blank")
    assert (drive["recorder"], drive["message"]) == (None, "")
    assert answer["toml"] == f'[[recorder]]\nname = "sr0"\nuri = "scsi:{ID}"\n'


def test_a_drive_that_is_a_recorder_is_not_asked_anything(host: ScsiRig) -> None:
    before = len(host.drive.history)

    answer = said(host, ATTACHED, json.dumps({ID: "left"}))

    assert answer["drives"][0]["recorder"] == "left"
    assert answer["toml"] == ""
    assert len(host.drive.history) == before


def test_a_drive_that_does_not_answer_is_told_with_the_reason(host: ScsiRig) -> None:
    host.drive.mechanism.unplug()

    (drive,) = said(host, ATTACHED, "{}")["drives"]

    assert (drive["writes"], drive["medium"]) == (None, None)
    assert "is no drive" in drive["message"]


def node_of(host: ScsiRig) -> str:
    return f"scsi:{host.folder / 'dev/sr0'}"


def test_the_doctor_tells_of_a_drive_and_its_medium(host: ScsiRig) -> None:
    host.insert(MediumKind.CD_R)

    (found,) = said(host, DOCTOR, node_of(host))

    assert found["grade"] == "ok", found
    assert "firmware 1.0" in found["seen"]
    assert "a cd-r is in, blank" in found["seen"]


def test_the_doctor_asks_a_drive_nothing_while_it_is_in_use(host: ScsiRig) -> None:
    said(host, DOCTOR, node_of(host))
    locks = locks_of(f"DISCMILL-MMC_RECORDER-{host.drive.serial}")
    with FileLock(locks / "drive"):
        before = sum(cdb[0] not in {0x12, 0x46} for cdb in host.drive.history)

        (found,) = said(host, DOCTOR, node_of(host))

        assert found["grade"] == "ok"
        assert "in use" in found["seen"]
        assert sum(cdb[0] not in {0x12, 0x46} for cdb in host.drive.history) == before


def test_another_program_at_the_drive_is_worrying_and_an_unplugged_one_a_failure(host: ScsiRig) -> None:
    words = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_EXCL); print(1, flush=True); sys.stdin.read()"
    other = host.start_talking(sys.executable, "-c", words, str(host.folder / "dev/sr0"))
    (busy,) = said(host, DOCTOR, node_of(host))
    other.communicate(timeout=30)
    host.drive.mechanism.unplug()

    (gone,) = said(host, DOCTOR, node_of(host))

    assert (busy["grade"], gone["grade"]) == ("warning", "failure")
    assert "mounted" in busy["seen"]
