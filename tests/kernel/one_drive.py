"""What the guest's user `burner` sees of one drive: how the kernel tells of it, before and after a burn.

`python -m tests.kernel.one_drive burn` burns `/share/image.iso`, `... reload` lets the tray out and in again,
`... look` only looks; each prints what came of it as JSON.
"""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jobs.errors import DiscError
from jobs.mastering.recorder import Device
from tests.burns import Ear, allow, content_of
from tests.kernel.hands import Hands
from workers.recorders import open_device
from workers.recorders.scsi import ScsiDevice, SgIo
from workers.recorders.scsi_devices import find_drives
from workers.recorders.scsi_drive import ScsiDrive

SERIAL = "KERNELD1"
IMAGE, WORK = Path("/share/image.iso"), Path("/tmp/one-drive")  # noqa: S108  (the guest's own)
_BLKGETSIZE64 = 0x80081272

Document = dict[str, Any]


def kernel_size() -> int:
    """Say how large the kernel takes the disc to be, in bytes."""
    handle = os.open("/dev/sr0", os.O_RDONLY | os.O_NONBLOCK)
    try:
        return int.from_bytes(fcntl.ioctl(handle, _BLKGETSIZE64, bytes(8)), sys.byteorder)
    finally:
        os.close(handle)


def seen(device: Device) -> Document | None:
    medium = device.recorder.probe()
    return None if medium is None else {**asdict(medium), "size": kernel_size()}


def burn(device: Device) -> Document:
    """Change the disc twice, burn the last one and read it back; tell what was seen at each step."""
    hands = Hands(SERIAL)
    watched = [seen(device)]
    for kind in ("cd-r", "dvd+r"):
        hands.do("remove")
        watched.append(seen(device))
        hands.do("insert", kind=kind)
        watched.append(seen(device))
    WORK.mkdir()
    content = content_of(Path(shutil.copy(IMAGE, WORK)))
    order = content.order()
    device.recorder.record(order, Ear(), allow)
    stale = kernel_size()
    read = b"".join(device.recorder.read_back(order.size))
    return {
        "watched": watched,
        "drives": [asdict(each) for each in find_drives()],
        "stale": stale,
        "read": read == IMAGE.read_bytes(),
    }


def reload(device: Device) -> Document:
    """Let the tray out and in again."""
    device.recorder.eject()
    drive = ScsiDrive(ScsiDevice(SgIo(Path("/dev/sr0"))))
    drive.close_tray()
    drive.close()
    return look(device)


def look(device: Device) -> Document:
    return {"medium": seen(device)}


def main(what: str) -> None:
    works: dict[str, Callable[[Device], Document]] = {"burn": burn, "reload": reload, "look": look}
    try:
        said = works[what](open_device(f"scsi:{SERIAL}", stall_after=120))
    except DiscError as error:
        said = {"error": type(error).__name__, "message": error.message}
    sys.stdout.write(json.dumps(said, default=str) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
