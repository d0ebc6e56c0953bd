"""What the guest's user `burner` does with two recorders: the whole queue, from the order to the ledger's verdict.

Prints what came of it as one JSON document. The left recorder makes discs of every kind, good ones and, where a fault
waits, bad ones; on the right one, which is slow, an order is called off in the midst of its burn.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import Client, audio_disc, data_disc
from jobs.ordering import Content
from jobs.overview import recorder_documents
from jobs.settings import RecorderSetting, load_settings
from tests.kernel.hands import Hands
from tests.rigs import wait_until
from workers.rig import Rig

LEFT, RIGHT = "KERNELL1", "KERNELR2"
CONTENT, HOME = Path("/share/content"), Path("/tmp/mill")  # noqa: S108  (the guest's own, made for this run)
#: Seconds that anything may take in an emulated machine.
DEADLINE = 600.0
PATIENT = {"heartbeat": 2.0, "lease": 120.0, "tick": 1.0, "watch": 0.5, "back_off": 0.5}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Blank:
    """A blank that is put in, and the faults that wait for it."""

    kind: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """A recorder with the person who serves it."""

    mill: Client
    hands: Hands

    def put_in(self, blank: Blank) -> str:
        """Put a blank in; return the file that its blocks will be in."""
        self.hands.do("fault", specs=list(blank.faults))
        return str(self.hands.do("insert", kind=blank.kind)["medium"]["file"])

    def take_out(self) -> Document:
        """Wait until the tray opens, and take the disc out; return what it was like."""

        def opened() -> Document | None:
            state = self.hands.do("state")
            return state if state["open"] else None

        state = wait_until(opened, "the tray opens", DEADLINE)
        self.hands.do("remove")
        return dict(state["medium"])

    def make(self, content: Content, blanks: Sequence[Blank]) -> Document:
        """Order one copy, serve the recorder with blanks one after the other, and tell what came of it."""
        began = time.monotonic()
        job = self.mill.submit(content, medium=blanks[0].kind)
        discs = []
        for blank in blanks:
            self.put_in(blank)
            discs.append(self.take_out())
        report = job.wait(DEADLINE)
        return {"report": report.document, "discs": discs, "seconds": round(time.monotonic() - began, 1)}

    def call_off(self, content: Content, blank: Blank) -> Document:
        """Order a copy and call it off once blocks are written; tell what the drive was like meanwhile."""
        job = self.mill.submit(content, medium=blank.kind)
        self.put_in(blank)
        amid = wait_until(self._writing, "blocks are written", DEADLINE)
        job.cancel()
        disc = self.take_out()
        return {"report": job.wait(DEADLINE).document, "discs": [disc], "amid": amid}

    def _writing(self) -> Document | None:
        state = self.hands.do("state")
        return state if state["medium"] and state["medium"]["written"] else None


def tell(mill: Client) -> Document:
    """Make all discs."""
    left, right = (Place(mill, Hands(serial)) for serial in (LEFT, RIGHT))
    for place in (left, right):
        place.hands.do("remove")  # QEMU wanted something to be in
    small, large = (data_disc(CONTENT / name, volume_id=name.upper()) for name in ("small", "large"))
    with ThreadPoolExecutor(1) as other:
        called_off = other.submit(right.call_off, large, Blank("dvd-r"))
        told = {
            "cd": left.make(small, [Blank("cd-r")]),
            "audio": left.make(audio_disc(*sorted(CONTENT.glob("*.wav")), title="Noise"), [Blank("cd-r")]),
            "dvd": left.make(small, [Blank("dvd+r")]),
            "bd": left.make(small, [Blank("bd-r")]),
            "unwritable": left.make(small, [Blank("cd-r", ("write-error@700",)), Blank("cd-r")]),
            "unreadable": left.make(small, [Blank("dvd+r", ("read-error@700",)), Blank("dvd+r")]),
            "called_off": called_off.result(),
        }
    with mill.database.read() as db:
        return {**told, "recorders": recorder_documents(db)}


def main() -> None:
    settings = load_settings(home=HOME, content_roots=[CONTENT], **PATIENT)
    named = [RecorderSetting(name=name, uri=f"scsi:{serial}") for name, serial in (("left", LEFT), ("right", RIGHT))]
    with Rig(settings, named, flower=False) as rig, Client(settings=settings) as mill:
        wait_until(lambda: rig.are_ready(mill.database), "both recorders are seen", DEADLINE)
        told = {"user": os.getuid(), "groups": os.getgroups(), **tell(mill)}
    sys.stdout.write(json.dumps(told, default=str) + "\n")


if __name__ == "__main__":
    main()
