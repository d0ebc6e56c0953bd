"""Transcripts of `mtx`, as `tests.recording` keeps them; recorded anew with `python -m tests.recording_mtx`.

The words are those of the real program; that a changer was there is the model's doing.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from jobs.mastering.medium import MediumKind
from tests.recording import FOLDER
from workers.loaders.mtx import find_mtx
from workers.mmc.changer import Changer, Mishap
from workers.mmc.drive import Drive
from workers.mmc.server import DriveServer
from workers.mmc.shelf import Shelf
from workers.mmc.shim import build_shim, environment


def tags(changer: Changer) -> None:
    """Give every disc a volume tag."""
    for number, place in enumerate(changer.contents.slots, 1):
        place.tag = f"BLANK{number:03d}" if place.disc is not None else ""


def loaded(changer: Changer) -> None:
    """Have the first slot's disc in the first drive, whose tray is out."""
    bay, slot = changer.contents.bays[0], changer.contents.slots[0]
    bay.drive.mechanism.is_open, bay.drive.mechanism.loaded, slot.disc = True, slot.disc, None
    bay.source, bay.tag, slot.tag = slot.address, slot.tag, ""


def of_unknown_origin(changer: Changer) -> None:
    """Have no slot empty that the drive's disc could be from: else `mtx` takes the first one for it."""
    loaded(changer)
    changer.contents.bays[0].source = None
    for place in (*changer.contents.slots, *changer.contents.ports):
        place.disc = changer.contents.bays[0].disc


def tagged(changer: Changer) -> None:
    tags(changer)
    loaded(changer)


def open_tray(changer: Changer) -> None:
    changer.contents.bays[0].drive.mechanism.is_open = True


def jammed(changer: Changer) -> None:
    open_tray(changer)
    changer.mechanism.script(Mishap.MOVE_ERROR)


def locked(changer: Changer) -> None:
    loaded(changer)
    changer.contents.bays[0].drive.mechanism.is_locked = True


def untouched(_: Changer) -> None:
    """Leave everything as it is."""


Prepare = Callable[[Changer], None]
CASES: dict[str, tuple[str, Prepare]] = {
    "status": ("status", untouched),
    "status-loaded": ("status", loaded),
    "status-unknown-origin": ("status", of_unknown_origin),
    "status-tags": ("status", tagged),
    "load": ("load 1 0", open_tray),
    "load-occupied": ("load 2 0", loaded),
    "load-empty-slot": ("load 6 1", lambda changer: setattr(changer.contents.bays[1].drive.mechanism, "is_open", True)),
    "load-closed-tray": ("load 1 0", untouched),
    "load-jammed": ("load 1 0", jammed),
    "load-no-slot": ("load 19 0", untouched),
    "load-no-drive": ("load 1 7", untouched),
    "unload": ("unload 5 0", loaded),
    "unload-full-slot": ("unload 2 0", loaded),
    "unload-empty-drive": ("unload 5 0", open_tray),
    "unload-locked": ("unload 5 0", locked),
    "gone": ("status", lambda changer: changer.mechanism.unplug()),
}


def record(folder: Path, shim: Path, arguments: str, prepare: Prepare) -> "subprocess.CompletedProcess[str]":
    """Run `mtx` on a changer with two drives, six slots and a port, three slots full."""
    changer = Changer("MC000001", [Drive("MM000001"), Drive("MM000002")], 6, 1)
    with DriveServer(changer, folder / "c") as server, Shelf(folder / "media") as shelf:
        for slot in (1, 2, 3):
            changer.put(slot, shelf.blank(MediumKind.CD_R))
        prepare(changer)
        variables = {**os.environ, **environment(shim, {"/dev/sg2": server.path}), "LC_ALL": "C"}
        command = [find_mtx(), "-f", "/dev/sg2", *arguments.split()]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def version() -> str:
    said = subprocess.run([find_mtx(), "--version"], capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).splitlines()[0].replace("version ", "")


def main() -> None:
    """Record all transcripts."""
    (FOLDER / "mtx").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="dm-") as home:
        shim = build_shim(Path(home))
        for name, (arguments, prepare) in CASES.items():
            folder = Path(home) / name
            folder.mkdir()
            ran = record(folder, shim, arguments, prepare)
            lines = [version(), f"command: mtx -f /dev/sg2 {arguments}", f"exit: {ran.returncode}"]
            for stream, text in (("out", ran.stdout), ("err", ran.stderr)):
                lines += [f"{stream}: {line}" for line in text.splitlines() if line.strip()]
            (FOLDER / "mtx" / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
