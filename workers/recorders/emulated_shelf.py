"""Where discs lie after an emulated drive let them go: plain files, each with a side file and its log of writes."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from itertools import count
from pathlib import Path

from jobs.mastering.programme import Programme
from jobs.mastering.recorder import Bin
from workers.durable import write_durably
from workers.recorders.emulated_medium import WRITES, Medium, MediumFolder
from workers.recorders.emulated_state import Leaving

_SIDE, _CUE = "side.json", "disc.cue"
_SUFFIXES = (".cue", ".json", ".writes.jsonl")
#: Bytes of a name, with room for a number and suffixes in the 255 that file systems hold.
_LONGEST = 200


def leave_for_shelf(folder: MediumFolder, shelf: Path, label: str) -> tuple[Leaving, Path | None]:
    """Prepare a medium's way to a shelf: what has to be renamed, and what its file will be called.

    The bytes are never copied. No file on the shelf is written over. What is left on a blanked medium is no file:
    nothing leads to it.
    """
    medium = folder.load()
    shelf.mkdir(parents=True, exist_ok=True)
    disc = ".bin" if medium.has_audio else ".iso"
    stem = _free_stem(shelf, _file_name(label, in_sheet=medium.has_audio), (disc, *_SUFFIXES))
    _describe(folder, medium, label, shelf.name)
    files = {folder.path / _SIDE: ".json", folder.path / WRITES: ".writes.jsonl"}
    if medium.written:
        files[folder.data] = disc
    told = _programme(medium)
    if told is not None:
        files[_write_cue(folder, told, f"{stem}.bin")] = ".cue"
    moves = [(str(file), str(shelf / f"{stem}{suffix}")) for file, suffix in files.items()]
    return Leaving(medium.id, moves), shelf / f"{stem}{disc}" if folder.data in files else None


def find_on_shelf(shelves: Path, label: str) -> Path | None:
    """Return the file of the disc that left first under a label; None if none did, or nothing was on it."""
    names = f"{_file_name(label, in_sheet=False)}.iso", f"{_file_name(label, in_sheet=True)}.bin"
    return next((path for to in Bin for name in names if (path := shelves / to / name).exists()), None)


def _describe(folder: MediumFolder, medium: Medium, label: str, shelf: str) -> None:
    audio = next((session.programme for session in medium.sessions if session.programme), "null")
    side = {**asdict(medium), "medium_id": medium.id, "label": label, "bin": shelf}
    side["sessions"] = [{k: v for k, v in asdict(session).items() if k != "programme"} for session in medium.sessions]
    side |= {"toc": list(_toc(medium)), "programme": json.loads(audio)}
    write_durably(folder.path / _SIDE, json.dumps(side, indent=1) + "\n")


def _toc(medium: Medium) -> Iterator[dict[str, object]]:
    """List the tracks as a table of contents does: number, session, kind, first block."""
    for session in medium.sessions:
        starts = Programme.read(session.programme).starts if session.programme else (0,)
        kind = "audio" if session.is_audio else "data"
        for start in starts:
            yield {"session": session.number, "kind": kind, "start": session.first + start}


def _programme(medium: Medium) -> Programme | None:
    """Return what an audio disc that was closed tells of itself."""
    told = next((session.programme for session in medium.sessions if session.programme), "")
    return Programme.read(told) if told else None


def _write_cue(folder: MediumFolder, programme: Programme, name: str) -> Path:
    """Write the cue sheet of an audio disc; its bytes are ISO-8859-1, as CD-TEXT is."""
    from jobs.mastering.redbook_sheets import cue_sheet  # noqa: PLC0415  (audio alone needs it)

    path = folder.path / _CUE
    path.write_bytes(cue_sheet(programme, name).encode("iso-8859-1"))
    return path


def _free_stem(shelf: Path, stem: str, suffixes: tuple[str, ...]) -> str:
    stems = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    return next(name for name in stems if not any((shelf / f"{name}{suffix}").exists() for suffix in suffixes))


def _file_name(label: str, *, in_sheet: bool) -> str:
    """Make a file's name of a label, one that a cue sheet can name if it has to."""
    kept = "".join("_" if letter in "/\0" else letter for letter in label).lstrip(".")
    if in_sheet:
        kept = "".join(letter if letter.isprintable() and letter != '"' else "_" for letter in kept)
    return kept.encode(errors="surrogateescape")[:_LONGEST].decode(errors="ignore") or "disc"
