"""Tells which changers devices are, or why they are none, one a line; for a process that finds modelled ones."""

import sys

from jobs.errors import DiscError
from workers.loaders.changer_device import ChangerDevice

for device in sys.argv[1:]:
    try:
        print(ChangerDevice.find(device).device_id)  # noqa: T201
    except DiscError as error:
        print(type(error).__name__)  # noqa: T201
