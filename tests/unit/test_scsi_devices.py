"""Drives as sysfs has them."""

from pathlib import Path

import pytest

from jobs.errors import NotFound
from workers.recorders.scsi_devices import FoundDrive, changers, find_changer, find_drive, find_drives


def a_drive(root: Path, name: str, **files: bytes) -> None:
    device = root / "sys/block" / name / "device"
    device.mkdir(parents=True)
    facts = {"vendor": b"HL-DT-ST\n", "model": b"BD-RE  WH16NS40 \n", "rev": b"1.05\n", **files}
    for file, data in facts.items():
        (device / file).write_bytes(data)


def a_serial(serial: str) -> bytes:
    return bytes([5, 0x80, 0, len(serial)]) + serial.encode()


def test_drives_are_listed_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("sr10", "sr2", "sda", "sr0", "srx"):
        a_drive(tmp_path, name)

    assert [drive.node.name for drive in find_drives(tmp_path)] == ["sr0", "sr2", "sr10"]


def test_a_drive_is_told_with_its_stable_id(tmp_path: Path) -> None:
    a_drive(tmp_path, "sr0", vpd_pg80=a_serial("K9X2"))

    assert find_drives(tmp_path) == [
        FoundDrive(
            node=tmp_path / "dev/sr0",
            vendor="HL-DT-ST",
            product="BD-RE  WH16NS40",
            revision="1.05",
            serial="K9X2",
            device_id="HL-DT-ST-BD-RE_WH16NS40-K9X2",
        )
    ]


def test_the_world_wide_id_goes_before_a_serial_number(tmp_path: Path) -> None:
    a_drive(tmp_path, "sr0", vpd_pg80=a_serial("K9X2"), wwid=b"t10.ATAPI   BD-RE  K9X2\n")

    assert find_drives(tmp_path)[0].device_id == "t10.ATAPI_BD-RE_K9X2"


@pytest.mark.parametrize("wanted", ["HL-DT-ST-BD-RE_WH16NS40-K9X2", "K9X2", "dev/sr1"])
def test_a_drive_is_found_by_id_serial_or_device_file(tmp_path: Path, wanted: str) -> None:
    a_drive(tmp_path, "sr0", vpd_pg80=a_serial("OTHER"))
    a_drive(tmp_path, "sr1", vpd_pg80=a_serial("K9X2"))
    name = str(tmp_path / wanted) if wanted.startswith("dev") else wanted

    assert find_drive(name, tmp_path).node.name == "sr1"


def test_a_renumbered_drive_keeps_its_name(tmp_path: Path) -> None:
    a_drive(tmp_path / "before", "sr0", vpd_pg80=a_serial("K9X2"))
    a_drive(tmp_path / "after", "sr3", vpd_pg80=a_serial("K9X2"))

    before, after = (find_drives(tmp_path / when)[0] for when in ("before", "after"))

    assert before.node.name != after.node.name
    assert before.device_id == after.device_id


def test_a_drive_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    a_drive(tmp_path, "sr0", vpd_pg80=a_serial("K9X2"))

    with pytest.raises(NotFound, match=r"known are: .*sr0"):
        find_drive("/dev/sr9", tmp_path)
    with pytest.raises(NotFound, match="known are: none"):
        find_drive("/dev/sr9", tmp_path / "elsewhere")


def test_twins_without_serial_numbers_must_be_told_apart_by_their_device_files(tmp_path: Path) -> None:
    a_drive(tmp_path, "sr0")
    a_drive(tmp_path, "sr1")

    with pytest.raises(NotFound, match="several drives"):
        find_drive("HL-DT-ST-BD-RE_WH16NS40", tmp_path)

    assert find_drive(str(tmp_path / "dev/sr1"), tmp_path).node.name == "sr1"


def test_changers_are_told_by_their_type(tmp_path: Path) -> None:
    for name, kind in (("sg0", "5"), ("sg1", "8")):
        device = tmp_path / "sys/class/scsi_generic" / name / "device"
        device.mkdir(parents=True)
        (device / "type").write_text(f"{kind}\n")

    assert changers(tmp_path) == [tmp_path / "dev/sg1"]


def test_a_changer_is_found_by_its_id_its_serial_number_and_its_device_file(tmp_path: Path) -> None:
    device = tmp_path / "sys/class/scsi_generic/sg3/device"
    device.mkdir(parents=True)
    facts = {"type": b"8\n", "vendor": b"PLASMON\n", "model": b"D-SERIES \n", "vpd_pg80": a_serial("0042")}
    for file, data in facts.items():
        (device / file).write_bytes(data)

    found = [find_changer(name, tmp_path) for name in ("PLASMON-D-SERIES-0042", "0042", str(tmp_path / "dev/sg3"))]

    assert {(one.device_id, one.node) for one in found} == {("PLASMON-D-SERIES-0042", tmp_path / "dev/sg3")}
    with pytest.raises(NotFound, match=r"there is no changer '0043'; known are: .*sg3"):
        find_changer("0043", tmp_path)
