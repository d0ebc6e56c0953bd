"""Which changer is meant: known by its stable id, as drives are, whatever number its device file has today."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import NotFound, RecorderMissing, RecorderUnsuitable
from workers.recorders import scsi_answers as answers
from workers.recorders import scsi_commands as commands
from workers.recorders.scsi import ScsiDevice, SgIo
from workers.recorders.scsi_devices import find_changer, stable_id

#: SCSI peripheral device type of changers (SPC-4 table 147).
_CHANGER = 8


@dataclass(frozen=True, slots=True)
class ChangerDevice:
    """A changer, and the device file it had when it was found."""

    device_id: str
    node: Path

    @classmethod
    def find(cls, wanted: str) -> "ChangerDevice":
        """Find a changer by its id, its serial number or its device file.

        Raises:
            RecorderMissing, RecorderNotAccessible: it is not there, or not for this user.
            RecorderUnsuitable: it is no changer.
        """
        try:
            found = find_changer(wanted)
        except NotFound as error:
            if not wanted.startswith("/"):
                raise RecorderMissing(error.message) from error
        else:
            if found.device_id:
                return cls(found.device_id, found.node)
        node = Path(wanted)  # a device file that the kernel tells nothing of: a container's, or a modelled changer
        with contextlib.closing(ScsiDevice(SgIo(node))) as device:
            return cls(_identify(node, device), node)

    def now(self) -> Path:
        """Return the device file it has now."""
        try:
            return find_changer(self.device_id).node
        except NotFound:
            return self.node


def _identify(node: Path, device: ScsiDevice) -> str:
    said = device.call(commands.inquiry())
    if not said or said[0] & 0x1F != _CHANGER:
        raise RecorderUnsuitable(f"{node} is no changer; see which device is one with `lsscsi -g`")
    who = answers.parse_inquiry(said)
    serial = answers.parse_serial_page(device.ask(commands.serial_page()) or b"")
    return stable_id("", who.vendor, who.product, serial)
