"""Where discs lie after an emulated drive let them go: plain files, each with a side file and its log of writes."""

import json
from dataclasses import asdict
from itertools import count
from pathlib import Path

from jobs.mastering.medium import BLOCK
from workers.durable import write_durably
from workers.recorders.emulated_medium import WRITES, Medium, MediumFolder
from workers.recorders.emulated_state import Leaving

_SIDE = "side.json"
#: Bytes of a name, with room for a number and suffixes in the 255 that file systems hold.
_LONGEST = 200


def leave_for_shelf(folder: MediumFolder, shelf: Path, label: str) -> tuple[Leaving, Path | None]:
    """Prepare a medium's way to a shelf: what has to be renamed, and what its file will be called.

    The bytes are never copied. No file on the shelf is written over.
    """
    medium = folder.load()
    shelf.mkdir(parents=True, exist_ok=True)
    suffixes = (_suffix(medium), ".json", ".writes.jsonl")
    stem = _free_stem(shelf, _file_name(label), suffixes)
    side = {**asdict(medium), "medium_id": medium.id, "label": label, "bin": shelf.name}
    write_durably(folder.path / _SIDE, json.dumps(side, indent=1) + "\n")
    files = (folder.data, folder.path / _SIDE, folder.path / WRITES)
    targets = [shelf / f"{stem}{suffix}" for suffix in suffixes]
    moves = [(str(file), str(target)) for file, target in zip(files, targets, strict=True)]
    return Leaving(medium.id, moves), targets[0] if folder.data.exists() else None


def _suffix(medium: Medium) -> str:
    sessions = (*medium.sessions, medium.open_session)
    is_data = all(session.block_size == BLOCK for session in sessions if session is not None)
    return ".iso" if is_data else ".bin"


def _free_stem(shelf: Path, stem: str, suffixes: tuple[str, ...]) -> str:
    stems = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(name for name in stems if not any((shelf / f"{name}{suffix}").exists() for suffix in suffixes))


def _file_name(label: str) -> str:
    kept = "".join("_" if letter in "/\0" else letter for letter in label).lstrip(".")
    return kept.encode(errors="surrogateescape")[:_LONGEST].decode(errors="ignore") or "disc"
