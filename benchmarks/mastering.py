"""Content to an image, and to a recorder's first byte, next to genisoimage and xorriso: whole processes, in turns."""

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.measuring import Scale, seconds
from benchmarks.processes import Run, Runs, run_streaming, run_whole
from benchmarks.rigs import running_rig
from benchmarks.table import Row, Sample, skipped
from benchmarks.trees import FIRST_SMALL, Tree, small, trees
from jobs import control
from jobs.image_file import lay_out_content
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.roots import ContentRoots

#: A disk in memory, so that nobody waits for the disk where images are written.
_IN_MEMORY = Path("/dev/shm")  # noqa: S108  (a folder of our own is made in it)
_RESERVE = 1 << 30
_OURS, _COMMAND, _CHECKED = "the library", "discmill master --no-check", "discmill master"
_GENISOIMAGE, _XORRISO = "genisoimage -r -J", "xorriso -as mkisofs -r -J"
#: Our seconds over the peer's, at most: what this project wants to hold.
_GOALS = {_GENISOIMAGE: 1.0, _XORRISO: 0.5}
#: Files from which on genisoimage is to be met; and bytes of files that are large.
_MANY, _LARGE = 10_000, 100_000_000
_MS = 1000.0


def run(scale: Scale) -> list[Row]:
    """Measure one tree after the other; each is removed before the next is made."""
    rows: list[Row] = []
    for tree in trees(scale):
        lack = scale.lacks_room(2 * tree.bytes)
        if lack:
            rows.append(skipped(tree.name, lack))
            continue
        with _made(scale, tree) as content, _place_of_images(scale, tree) as image:
            rows += _to_a_file(tree, content, image, scale)
            if tree.files >= scale.pick(100_000, 2_000):
                rows += [*_first_byte(tree, content, scale), *_second_copy(tree, content, image, scale)]
    for size, goal in ((64, 1.3), (1, 4.0)):
        with tempfile.TemporaryDirectory(dir=scale.folder) as folder:
            tree = small(scale.pick(100_000, 2_000), size << 10, 1000)
            rows += _submit(tree, goal, replace(scale, folder=Path(folder)))
    return rows


@contextmanager
def _made(scale: Scale, tree: Tree) -> Iterator[Path]:
    content = scale.folder / "content"
    tree.make(content)
    try:
        yield content
    finally:
        shutil.rmtree(content)


@contextmanager
def _place_of_images(scale: Scale, tree: Tree) -> Iterator[Path]:
    """Give a file's name in memory if the image fits there, else on the disk."""
    fits = _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > 2 * tree.bytes + _RESERVE
    with tempfile.TemporaryDirectory(prefix="discmill-bench-", dir=_IN_MEMORY if fits else scale.folder) as folder:
        yield Path(folder) / "image.iso"


def _in_turns(rounds: int, contestants: Mapping[str, Callable[[], Run | None]], image: Path) -> dict[str, Runs]:
    """Let programs take turns; one that fails is left out."""
    found: dict[str, list[Run]] = {name: [] for name in contestants}
    failed: set[str] = set()
    for _ in range(rounds):
        for name, contest in contestants.items():
            image.unlink(missing_ok=True)
            os.sync()  # nobody pays for what another one left in the cache
            run = contest() if name not in failed else None
            if run is None:
                failed.add(name)
            else:
                found[name].append(run)
    image.unlink(missing_ok=True)
    return {name: Runs(tuple(runs)) for name, runs in found.items() if name not in failed}


def _python(module: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


def _peers(tree: Tree, content: Path, *output: str | Path) -> dict[str, list[str]]:
    """Say how the peers are asked for an image: on their output, or in a file (`-o`, its path)."""
    where = [*map(str, output), str(content)]
    large = ["-udf", "-allow-limited-size"] if tree.large else []
    return {
        _GENISOIMAGE: ["genisoimage", "-quiet", "-r", "-J", *large, *where],
        _XORRISO: ["xorriso", "-as", "mkisofs", "-quiet", "-r", "-J", "-iso-level", "3", *where],
    }


def _to_a_file(tree: Tree, content: Path, image: Path, scale: Scale) -> list[Row]:
    """Compare whole processes that write an image: the library's call, and the command with and without its checks."""
    peers = _peers(tree, content, "-o", image)
    digest = f"{shlex.join(peers[_GENISOIMAGE])} && openssl dgst -sha256 {shlex.quote(str(image))}"
    master = _python("workers", "master", content, "--output", image)
    commands = {
        _OURS: _python("benchmarks.alone", "copy", content, image),
        _COMMAND: [*master, "--no-check"],
        _CHECKED: master,
        **peers,
        "genisoimage, openssl": ["sh", "-c", digest],
    }
    os.environ["DISCMILL_CONTENT_ROOTS"] = str(content.parent)
    contestants = {name: partial(run_whole, command) for name, command in commands.items()}
    found = _in_turns(scale.pick(5, 1), contestants, image)
    rows = [row for peer, goal in _GOALS.items() for row in _compared(tree, found, peer, goal)]
    for name, peer in ((_COMMAND, _GENISOIMAGE), (_CHECKED, "genisoimage, openssl")):
        theirs = found[peer].seconds if peer in found else None
        rows.append(Row(f"  {name}", "s", found[name].seconds, peer, theirs))
    if tree.files >= scale.pick(100_000, 2_000):
        peak = found[_XORRISO].peak_mb
        rows.append(Row("  most memory", "MB", found[_OURS].peak_mb, _XORRISO, peak, goal=1.5))
        rows.append(Row(f"  most memory, {_COMMAND}", "MB", found[_COMMAND].peak_mb, _XORRISO, peak))
    return rows


def _compared(tree: Tree, found: Mapping[str, Runs], peer: str, goal: float) -> list[Row]:
    name, ours = f"{tree.name}, to a file", found[_OURS]
    if peer not in found:
        return [Row(name, "s", ours.seconds, f"{peer}: it fails")]
    counts = peer == _XORRISO or tree.files >= _MANY or tree.bytes // tree.files >= _LARGE
    return [
        Row(name, "s", ours.seconds, peer, found[peer].seconds, goal if counts else None),
        Row("  processors' time of it", "s", ours.cpu, peer, found[peer].cpu),
    ]


def _first_byte(tree: Tree, content: Path, scale: Scale) -> list[Row]:
    commands = {_OURS: _python("benchmarks.alone", "stream", content), **_peers(tree, content)}
    contestants = {name: partial(run_streaming, command) for name, command in commands.items()}
    found = _in_turns(scale.pick(5, 1), contestants, scale.folder / "none.iso")
    ours, name = found[_OURS], f"{tree.name}, on the fly: first byte"
    return [
        Row(name, "s", ours.first_byte, _GENISOIMAGE, found[_GENISOIMAGE].first_byte, goal=1.0),
        Row(name, "s", ours.first_byte, _XORRISO, found[_XORRISO].first_byte),
        Row("  its last byte", "s", ours.seconds, _GENISOIMAGE, found[_GENISOIMAGE].seconds),
    ]


def _second_copy(tree: Tree, content: Path, image: Path, scale: Scale) -> list[Row]:
    """Open the stored map of a master, as the burner of each further copy does, and read its first blocks."""
    laid = lay_out_content(ContentRoots([content]), [content], None, "DISC", lambda *_: None, check=False)
    stored = image.with_suffix(".map")
    laid.image.save(stored)
    took = Sample.of(_MS * seconds(partial(_read_first, stored)) for _ in range(scale.pick(9, 3)))
    stored.unlink()
    return [Row(f"{tree.name}, second copy: first byte", "ms", took, "the goal", Sample.of([20.0]), goal=1.0)]


def _read_first(stored: Path) -> None:
    with ImageReader(ExtentMap.load(stored)) as reader:
        reader.read(0, 1 << 16)


def _submit(tree: Tree, goal: float, scale: Scale) -> list[Row]:
    """Order the same files again and again, each time with one that has another time: nothing of it is known."""
    lack = scale.lacks_room(tree.bytes)
    if lack:
        return [skipped(f"submit of {tree.name}", lack)]
    with _made(scale, tree) as content, running_rig(scale) as rig:
        control.pause(rig.mill.database, ["r1"])
        peer = f"find {shlex.quote(str(content))} -type f -print0 | xargs -0 -P2 sha256sum"
        contestants = {
            _OURS: partial(_order, rig.settings.home, content),
            "xargs -P2 sha256sum": partial(run_whole, ["sh", "-c", peer]),
        }
        found = _in_turns(scale.pick(3, 1), contestants, scale.folder / "none.iso")
    theirs = found["xargs -P2 sha256sum"]
    return [
        Row(f"submit of {tree.name}", "s", found[_OURS].seconds, "xargs -P2 sha256sum", theirs.seconds, goal),
        Row("  processors' time of it", "s", found[_OURS].cpu, "xargs -P2 sha256sum", theirs.cpu),
    ]


def _order(home: Path, content: Path) -> Run | None:
    os.utime(content / FIRST_SMALL)
    return run_whole(_python("benchmarks.alone", "submit", home, content))
