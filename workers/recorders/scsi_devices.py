"""Which optical drives and changers this machine has, from sysfs: none is opened, so none is disturbed.

`srN` and `sgN` are only numbers of the moment; a device is known by its stable id.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import NotFound
from workers.recorders.scsi_answers import parse_serial_page, text

#: SCSI peripheral device type of changers (SPC-4 table 147).
_CHANGER = "8"
_NAME = re.compile(r"sr[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class FoundDrive:
    """A drive or changer as the kernel knows it. `device_id`, if it has one, is the same wherever it is plugged in."""

    node: Path
    vendor: str
    product: str
    revision: str
    serial: str
    device_id: str


def find_drives(root: Path = Path("/")) -> list[FoundDrive]:
    """List the optical drives, by the number of their device. `root` is where `sys` and `dev` are."""
    found = (root / "sys/block").glob("sr*")
    names = sorted((path.name for path in found if _NAME.fullmatch(path.name)), key=lambda name: int(name[2:]))
    return [_device(root / "sys/block" / name / "device", root / "dev" / name) for name in names]


def find_drive(wanted: str, root: Path = Path("/")) -> FoundDrive:
    """Find a drive by its device id, its serial number or its device file.

    Raises:
        NotFound: there is none, or more than one.
    """
    return _only(wanted, find_drives(root), "drive")


def find_changer(wanted: str, root: Path = Path("/")) -> FoundDrive:
    """Find a changer by its device id, its serial number or its generic device file.

    Raises:
        NotFound: there is none, or more than one.
    """
    found = [_device(root / "sys/class/scsi_generic" / node.name / "device", node) for node in changers(root)]
    return _only(wanted, found, "changer")


def _only(wanted: str, known: list[FoundDrive], what: str) -> FoundDrive:
    fitting = [device for device in known if wanted in _names(device)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(f"{device.node} ({device.device_id})" for device in fitting or known) or "none"
    if fitting:
        raise NotFound(f"several {what}s are called {wanted!r}: {names}; name it by its device id")
    raise NotFound(f"there is no {what} {wanted!r}; known are: {names}")


def changers(root: Path = Path("/")) -> list[Path]:
    """List the generic device files of media changers."""
    generic = (root / "sys/class/scsi_generic").glob("sg*")
    return sorted(root / "dev" / path.name for path in generic if _word(path / "device/type") == _CHANGER)


def _names(drive: FoundDrive) -> Iterator[str]:
    yield from filter(None, (drive.device_id, drive.serial))
    yield str(drive.node)
    yield str(drive.node.resolve())


def _device(folder: Path, node: Path) -> FoundDrive:
    vendor, product = _word(folder / "vendor"), _word(folder / "model")
    serial = parse_serial_page(_bytes(folder / "vpd_pg80"))
    return FoundDrive(
        node=node,
        vendor=vendor,
        product=product,
        revision=_word(folder / "rev"),
        serial=serial,
        device_id=stable_id(_word(folder / "wwid"), vendor, product, serial),
    )


def stable_id(wwid: str, vendor: str, product: str, serial: str) -> str:
    """Return what names a drive for ever: the kernel's world wide id, else its maker's name and serial number.

    A drive that has neither shares its id with its twins; empty if it says nothing at all.
    """
    if wwid:
        return re.sub(r"\s+", "_", wwid)
    return "-".join(re.sub(r"\s+", "_", word) for word in (vendor, product, serial) if word)


def _word(path: Path) -> str:
    data = _bytes(path)
    return text(data.strip(), 0, len(data))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
