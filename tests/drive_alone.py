"""Uses a real recorder's driver in a process of its own, which finds a modelled drive as a device file.

`python -m tests.drive_alone NODE FOLDER WHAT [OPTION...]` prints what came of it as one JSON document.
"""

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from jobs.errors import DiscError
from jobs.mastering.medium import AUDIO_BLOCK, BLOCK
from jobs.mastering.programme import DiscText, Programme, Track
from jobs.mastering.progress import BlockProgress, ProgressEvent, TrackProgress
from jobs.mastering.recorder import BurnOrder, Device
from tests.burns import Content, Ear, a_content, allow
from workers.recorders import open_device

PROGRAMME = Programme(
    tracks=(
        Track(600, isrc="GBAYE0000351", text=DiscText(title="First", composer="Somebody")),
        Track(500, pregap=150, copy_permitted=True, text=DiscText(title="Zw\u00f6lf")),
        Track(312, text=DiscText(title='Third "quoted"')),
    ),
    mcn="0724354526824",
    text=DiscText(title="Bench Album", performer="The Lab"),
)
#: Blocks of an image; of one that no buffer takes in whole.
BLOCKS, MANY_BLOCKS = 1600, 12_000


def content_of(folder: Path, what: str, options: list[str]) -> Content:
    if "audio" in what:
        return a_content(folder / "content", PROGRAMME.blocks, AUDIO_BLOCK)
    return a_content(folder / "content", MANY_BLOCKS if "large" in options else BLOCKS, BLOCK)


def order_of(content: Content, what: str, options: list[str]) -> BurnOrder:
    order = content.order(simulate="simulate" in options)
    start = next((int(option[6:]) for option in options if option.startswith("start=")), 0)
    return replace(
        order,
        programme=PROGRAMME if "audio" in what else None,
        leave_open="leave_open" in options,
        digest="unseen" not in options,
        start=start,
        evidence=content.evidence / f"burn-{start}",
    )


def burn(device: Device, folder: Path, options: list[str]) -> dict[str, Any]:
    """Burn, then read back what was written."""
    what = options[0] if options else "data"
    content = content_of(folder, what, options)
    order = order_of(content, what, options)
    cancel = threading.Event()
    ear = Ear(cancel=cancel.is_set, on_event=_cancel_after(cancel) if "cancel" in options else lambda _: None)
    device.recorder.record(order, ear, allow)
    done = {
        "sha256": content.sha256,
        "blocks": [event.done for event in ear.events if isinstance(event, BlockProgress)],
        "tracks": [event.done for event in ear.events if isinstance(event, TrackProgress)],
        "events": list(dict.fromkeys(type(event).__name__ for event in ear.events)),
    }
    return done if order.simulate else {**done, "read": _digest(device.recorder.read_back(order.size))}


def _cancel_after(cancel: threading.Event) -> Callable[[ProgressEvent], object]:
    def hear(event: ProgressEvent) -> None:
        if isinstance(event, BlockProgress) and event.done:
            cancel.set()

    return hear


def _digest(pieces: Iterator[bytes]) -> str:
    sha256 = hashlib.sha256()
    for piece in pieces:
        sha256.update(piece)
    return sha256.hexdigest()


def programme(device: Device, *_: object) -> dict[str, Any]:
    return asdict(device.recorder.read_programme())


def tell(device: Device, *_: object) -> dict[str, Any]:
    features, medium = device.recorder.features(), device.recorder.probe()
    return {
        "identity": asdict(device.recorder.identify()),
        "kinds": sorted(features.kinds),
        "formats": sorted(features.formats),
        "medium": None if medium is None else asdict(medium),
        "stock": list(device.loader.stock()),
    }


def blank(device: Device, *_: object) -> dict[str, Any]:
    ear = Ear()
    with_hold = device.recorder.hold()
    device.recorder.blank(ear)
    with_hold.close()
    medium = device.recorder.probe()
    return {"events": len(ear.events), "medium": None if medium is None else asdict(medium)}


def eject(device: Device, *_: object) -> dict[str, Any]:
    device.recorder.eject()
    return {"medium": device.recorder.probe()}


WORKS: dict[str, Callable[..., dict[str, Any]]] = {
    "burn": burn,
    "programme": programme,
    "tell": tell,
    "blank": blank,
    "eject": eject,
}


def main(node: str, folder: str, what: str, *options: str) -> None:
    try:
        device = open_device(f"scsi:{node}", stall_after=20)
        said = WORKS[what](device, Path(folder), list(options))
    except DiscError as error:
        said = {"error": type(error).__name__, "message": error.message}
    sys.stdout.write(json.dumps(said, default=str) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
