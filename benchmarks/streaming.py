"""What it costs to stream a master through the burner, against `cat` of its image into the same burn program."""

import itertools
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.images import Image, make_image
from benchmarks.measuring import Scale, interleaved, run_program, seconds
from benchmarks.modelled import NODE, ModelledDrive, Silence, Took, cpu, modelled_drive
from benchmarks.table import Row, Sample, skipped
from jobs.mastering.medium import MediumInfo, MediumKind, MediumStatus
from jobs.mastering.recorder import Bin
from workers.evidence import Plan
from workers.recorders import open_device
from workers.recorders.libburn_command import Target, data_command

Contest = Callable[[], Took]


def run(scale: Scale) -> list[Row]:
    """Burn one image again and again: through xorriso on a modelled drive, and into an emulated medium."""
    size = scale.pick(1_500_000_000, 60_000_000)
    lack = scale.lacks_room(5 * size)
    if lack:
        return [skipped("streaming", lack)]
    image = make_image(scale.folder / "content", size)
    rows = _emulated(scale, image)
    if shutil.which("xorriso") is None or shutil.which("gcc") is None:
        return [*rows, skipped("xorriso on a modelled drive", "it takes xorriso and gcc")]
    with modelled_drive(scale.folder) as drive:
        return [*_modelled(scale, image, drive), *rows]


def _modelled(scale: Scale, image: Image, drive: ModelledDrive) -> list[Row]:
    burns = (scale.folder / f"burn {number}" for number in itertools.count())

    def burn(what: str) -> Took:
        drive.load()
        return drive.run(what, image.master, next(burns))

    def bare() -> Took:
        drive.load()
        return _cat_into_xorriso(image, drive)

    contests = {"second": lambda: burn("burn"), "first": lambda: burn("burn-hashed"), "bare": bare}
    took = _contest(scale.pick(5, 1), contests)
    return _rows("xorriso on a modelled drive", image, took, "cat image | xorriso")


def _cat_into_xorriso(image: Image, drive: ModelledDrive) -> Took:
    """Run the very command that the burner runs, fed by `cat`."""
    plan = Plan("", image.master.size, image.master.block_size, "", "", False, 1, {})  # noqa: FBT003
    medium = MediumInfo(MediumKind.BD_R, MediumStatus.BLANK, 0, 0)
    command = data_command(plan, Target(NODE, medium))
    before = cpu()

    def feed() -> None:
        with subprocess.Popen(["cat", image.file], stdout=subprocess.PIPE) as cat:  # noqa: S607
            nowhere = subprocess.DEVNULL
            subprocess.run(command, stdin=cat.stdout, stdout=nowhere, stderr=nowhere, env=drive.environment, check=True)

    wall = seconds(feed)
    return Took(wall, cpu() - before)


def _emulated(scale: Scale, image: Image) -> list[Row]:
    device = open_device(f"emulated:{scale.folder / 'emulated'}?feed=bd-r*1000")
    burns = (scale.folder / f"emulated burn {number}" for number in itertools.count())

    def burn(*, digest: bool) -> Took:
        device.loader.load(MediumKind.BD_R)
        order, before = image.order(next(burns), digest=digest), cpu()
        wall = seconds(lambda: device.recorder.record(order, Silence(), _permit))
        took = Took(wall, cpu() - before)
        disc = device.loader.unload(Bin.ACCEPT, order.label)
        if disc is not None:
            disc.unlink()
        return took

    contests = {
        "second": lambda: burn(digest=False),
        "first": lambda: burn(digest=True),
        "bare": lambda: _cat_into_file(image, scale.folder / "copy.iso"),
    }
    return _rows("an emulated medium", image, _contest(scale.pick(5, 1), contests), "cat image > file; sync file")


def _permit(_: MediumInfo) -> None:
    """Permit any medium."""


def _cat_into_file(image: Image, copy: Path) -> Took:
    before = cpu()

    def copy_it() -> None:
        with copy.open("wb") as out:
            subprocess.run(["cat", image.file], stdout=out, check=True)  # noqa: S607
        run_program(["sync", copy])

    wall = seconds(copy_it)
    copy.unlink()
    return Took(wall, cpu() - before)


def _contest(rounds: int, contests: Mapping[str, Contest]) -> dict[str, list[Took]]:
    took: dict[str, list[Took]] = {name: [] for name in contests}

    def note(name: str, contest: Contest) -> float:
        took[name].append(contest())
        return took[name][-1].wall

    interleaved(rounds, {name: lambda n=name, c=contest: note(n, c) for name, contest in contests.items()})  # type: ignore[misc]
    return took


def _rows(where: str, image: Image, took: dict[str, list[Took]], peer: str) -> list[Row]:
    costs = {name: Sample.of(each.cpu / image.gigabytes for each in runs) for name, runs in took.items()}
    rates = {name: Sample.of(1000 * image.gigabytes / each.wall for each in runs) for name, runs in took.items()}
    hashing = Sample.of(
        (first.cpu - second.cpu) / image.gigabytes for first, second in zip(took["first"], took["second"], strict=True)
    )
    return [
        Row(f"{where}, second copy on: CPU", "s/GB", costs["second"], peer, costs["bare"]),
        Row("  the first copy, hashed on its way: CPU", "s/GB", costs["first"], peer, costs["bare"]),
        Row("  of that, the SHA-256", "s/GB", hashing),
        Row("  second copy on: speed", "MB/s", rates["second"], peer, rates["bare"]),
        Row("  first copy: speed", "MB/s", rates["first"], peer, rates["bare"]),
    ]
