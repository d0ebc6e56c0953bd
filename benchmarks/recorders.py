"""How many recorders two cores keep at full speed: emulated ones that burn at once, each with a worker of its own."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Scale, fill, wait_until
from benchmarks.rigs import BenchRig, running_rig
from benchmarks.table import Row, Sample, skipped
from jobs import control
from jobs.mastering.medium import Family
from jobs.ordering import data_disc
from jobs.overview import recorder_documents
from workers.recorders.emulated_buffer import SIZE

#: Multiples of 1x that discs are burnt with.
_SPEED = 16
#: Recorders that burn at once, by family: the goal first, then on until they starve.
_Steps = dict[Family, tuple[int, ...]]
_STEPS: _Steps = {Family.DVD: (16, 24, 32), Family.BD: (4, 6, 8, 12)}
_QUICK_STEPS: _Steps = {Family.DVD: (2,), Family.BD: (2,)}
_MB = 1e6


@dataclass(frozen=True, slots=True)
class _Burn:
    """What one emulated drive says of a burn: how often its laser had nothing to write, what its buffer lacked."""

    starved: int
    deficit: int  #: bytes
    speed: float  #: bytes a second


def run(scale: Scale) -> list[Row]:
    """Burn short discs on more and more recorders; content comes from the page cache, and every burner hashes it."""
    steps = scale.pick(_STEPS, _QUICK_STEPS)
    count = max(max(numbers) for numbers in steps.values())
    rows: list[Row] = []
    with running_rig(scale, count, f"?speed={_SPEED}x") as rig:
        for family, numbers in steps.items():
            rows += _climb(rig, scale, family, numbers)
    return rows


def _climb(rig: BenchRig, scale: Scale, family: Family, numbers: tuple[int, ...]) -> list[Row]:
    """Burn on more and more recorders at once, until their lasers starve."""
    size = int(scale.pick(12, 2) * _SPEED * family.speed_1x)
    content = rig.root / str(family)
    content.mkdir()
    fill(content / "content.bin", size)
    rows: list[Row] = []
    held = 0
    for number in numbers:
        lack = scale.lacks_room(number * size)
        if lack:
            rows.append(skipped(f"{number} {family} recorders at once", lack))
            break
        burns = _burn(rig, family, number, content)
        rows += _rows(family, number, burns)
        if any(burn.starved for burn in burns):
            break
        held = number
    shutil.rmtree(content)
    return [*rows, Row(f"{family}: the most that held", "recorders", Sample.of([held]))]


def _burn(rig: BenchRig, family: Family, number: int, content: Path) -> list[_Burn]:
    """Burn a disc on each of some recorders, all at once."""
    names = [each.name for each in rig.rig.recorders]
    control.pause(rig.mill.database, names)
    control.resume(rig.mill.database, names[:number])
    wait_until(lambda: _ready(rig) == number, f"{number} recorders are ready")
    disc = data_disc(content, volume_id=f"{family}_{number}".upper().replace("-", "_"))
    job = rig.mill.submit(disc, copies=number, medium=family, verify=False)
    report = job.wait()
    if report.good != number:
        raise RuntimeError(f"{report.good} of {number} discs are good")
    burns = [_read(file) for file in (rig.settings.home / "recorders").glob("*/shelf/accept/*.writes.jsonl")]
    wait_until(lambda: _ready(rig) == number, "the discs have left")
    rig.clear_shelf()
    return burns


def _ready(rig: BenchRig) -> int:
    with rig.mill.database.read() as db:
        return [row["state"] for row in recorder_documents(db)].count("ready")


def _read(file: Path) -> _Burn:
    opened, closed = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    seconds = closed["clock"] - opened["clock"]
    return _Burn(closed["starved"], closed["deficit"], (closed["last"] + 1 - opened["first"]) * 2048 / seconds)


def _rows(family: Family, number: int, burns: list[_Burn]) -> list[Row]:
    rated = Sample.of([_SPEED * family.speed_1x / _MB])
    return [
        Row(f"{number} {family} recorders at {_SPEED}x: starved", "times", Sample.of([sum(b.starved for b in burns)])),
        Row(
            "  worst deficit of each",
            "MB",
            Sample.of(burn.deficit / _MB for burn in burns),
            "what a buffer holds",
            Sample.of([SIZE / _MB]),
        ),
        Row("  speed of each", "MB/s", Sample.of(burn.speed / _MB for burn in burns), "rated", rated),
    ]
