"""How fast a disc is verified, against programs that only take a digest of the same bytes."""

import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.images import Image, make_image
from benchmarks.measuring import Scale, interleaved, run_program, seconds
from benchmarks.modelled import Silence, Took, cpu, modelled_drive
from benchmarks.table import Row, Sample, skipped
from jobs.mastering.medium import Family
from jobs.mastering.verification import compare

#: Debian's sha256sum does without the processor's SHA instructions; openssl uses them, as Python does.
_PEERS = (("sha256sum",), ("openssl", "dgst", "-sha256"))
_STRIDE = 1 << 20


def run(scale: Scale) -> list[Row]:
    """Verify an image from the page cache, and a disc in a modelled drive through its SG_IO commands."""
    size = scale.pick(1_500_000_000, 60_000_000)
    lack = scale.lacks_room(4 * size)
    if lack:
        return [skipped("verifying", lack)]
    image = make_image(scale.folder / "content", size)
    rows = _from_the_cache(image, scale.pick(7, 2))
    if shutil.which("xorriso") is None or shutil.which("gcc") is None:
        return [*rows, skipped("over SG_IO", "it takes xorriso and gcc")]
    return rows + _over_sg_io(scale, image)


def _from_the_cache(image: Image, rounds: int) -> list[Row]:
    spent: list[float] = []

    def verify() -> None:
        before = cpu(resource.RUSAGE_SELF)
        if not compare(_pieces(image.file), image.master, Silence(), Family.BD).equal:
            raise RuntimeError("the image is not its master's")
        spent.append((cpu(resource.RUSAGE_SELF) - before) / image.gigabytes)

    present = [peer for peer in _PEERS if shutil.which(peer[0])]
    digests = {peer[0]: lambda peer=peer: seconds(lambda: run_program([*peer, image.file])) for peer in present}
    took = interleaved(rounds, {"ours": lambda: seconds(verify), **digests})
    speed = {name: Sample.of(1000 * image.gigabytes / value for value in found.values) for name, found in took.items()}
    rows = [
        Row("SHA-256 and block checksums, from the page cache", "MB/s", speed["ours"], peer[0], speed[peer[0]])
        for peer in present
    ]
    return [*rows, Row("  its CPU", "s/GB", Sample.of(spent))]


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb", buffering=0) as disc:
        while piece := disc.read(_STRIDE):
            yield piece


def _over_sg_io(scale: Scale, image: Image) -> list[Row]:
    with modelled_drive(scale.folder) as drive:
        drive.load()
        drive.run("burn-hashed", image.master, scale.folder / "burn")
        took = [drive.run("read", image.master, scale.folder / "burn") for _ in range(scale.pick(5, 1))]
    return [
        Row("a disc in a modelled drive, over SG_IO", "MB/s", _speed(image, took)),
        Row("  its CPU, without the model's", "s/GB", Sample.of(each.cpu / image.gigabytes for each in took)),
    ]


def _speed(image: Image, took: list[Took]) -> Sample:
    return Sample.of(1000 * image.gigabytes / each.wall for each in took)
