"""Burns held in their midst, and what is asserted of discs after them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs.errors import MediumDiffers
from jobs.mastering.medium import BLOCK, MediumInfo, MediumStatus
from jobs.mastering.recorder import Bin, BurnOrder, Device
from tests.burns import DEADLINE, Content, Ear, allow, beside, eventually
from workers.evidence import Evidence, read_evidence

#: Blocks of the test image, one in its midst that burns are held at, and the option that holds them.
BLOCKS, MIDDLE = 2000, 700
HELD = f"?fault=stall@{MIDDLE}"


def evidence_of(content: Content, name: str = "burn") -> Evidence:
    return read_evidence(content.evidence / name)


def pid_of_burner(evidence: Path) -> int:
    pid = read_evidence(evidence).pid
    assert pid is not None
    return pid


def tray(device: Device) -> MediumInfo:
    medium = device.recorder.probe()
    assert medium is not None
    return medium


def writes_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_untouched(device: Device) -> None:
    assert (tray(device).status, tray(device).used) == (MediumStatus.BLANK, False)
    assert device.loader.unload(Bin.ACCEPT, "blank") is None


def assert_spoiled(device: Device) -> Path:
    """Check that the write-once medium can't be used any more; return its file on the shelf."""
    assert (tray(device).status, tray(device).free_blocks, tray(device).used) == (MediumStatus.COMPLETE, 0, True)
    with pytest.raises(MediumDiffers):
        device.recorder.read_back(2048)
    path = device.loader.unload(Bin.REJECT, "spoiled")
    assert path is not None
    assert json.loads(path.with_suffix(".json").read_text())["damaged"]
    return path


class Burning:
    """A burn in a thread, held at the middle of the image."""

    def __init__(self, device: Device, order: BurnOrder, ear: Ear) -> None:
        self.device = device
        self.order = order
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(ear,))
        self._thread.start()
        eventually(self._is_held, "the burn reaches the middle")

    def _run(self, ear: Ear) -> None:
        try:
            self.device.recorder.record(self.order, ear, allow)
        except BaseException as error:  # noqa: BLE001  (told to the test)
            self.error = error

    def _is_held(self) -> bool:
        return not self._thread.is_alive() or bytes_on(self.device) >= MIDDLE * BLOCK

    @property
    def burner(self) -> int:
        return pid_of_burner(self.order.evidence)

    def end(self) -> None:
        """Let the burn go on and wait for its end; raises what it raised."""
        beside(self.device).clear_faults()
        self.join()

    def join(self) -> None:
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error


@contextmanager
def burning(device: Device, order: BurnOrder, ear: Ear | None = None) -> Iterator[Burning]:
    burn = Burning(device, order, ear or Ear())
    try:
        yield burn
    finally:
        beside(device).clear_faults()
        burn._thread.join(DEADLINE)


def bytes_on(device: Device) -> int:
    """Return the bytes that are on the medium by now."""
    data = beside(device).folder.medium(beside(device).folder.read().medium or "").data
    return data.stat().st_size if data.exists() else 0
