"""Drivers: each turns the port `jobs.mastering.recorder` into one kind of device."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import OrderError

if TYPE_CHECKING:  # the burner passes through here and has to start in a moment
    from collections.abc import Callable

    from jobs.mastering.recorder import Device

#: The module of each scheme; its `open_device(uri, stall_after, home)` makes a device.
DRIVERS = {"emulated": "workers.recorders.emulated", "scsi": "workers.recorders.libburn"}


def open_device(uri: str, *, stall_after: float = 120.0, home: Path = Path()) -> "Device":
    """Open the device that a URI names; a burn counts as stalled after so many seconds without progress.

    `home` is where the rig keeps what outlives it: a robot's journal.

    Raises:
        OrderError: there is no such scheme, or the URI has faults.
    """
    scheme = uri.partition(":")[0]
    module = DRIVERS.get(scheme)
    if module is None:
        known = ", ".join(f"{name}:…" for name in DRIVERS)
        raise OrderError(f"recorder {uri!r}: unknown scheme {scheme!r}; known are {known}")
    make: Callable[[str, float, Path], Device] = import_module(module).open_device
    return make(uri, stall_after, home)
