"""How long the manifest of 100,000 small files takes, against `sha256sum` over the same files."""

import os
import shlex
from functools import partial
from pathlib import Path

from benchmarks.measuring import Scale, interleaved, run_program, seconds
from benchmarks.rigs import BenchRig, running_rig
from benchmarks.table import Row, Sample, skipped
from jobs.ordering import data_disc
from jobs.roots import ContentRoots
from jobs.scanning import scan
from jobs.staging import stage

#: Files of one folder; bytes of the smallest file, and of the largest.
_IN_FOLDER, _SMALLEST, _LARGEST = 1000, 100, 8000
_WITH = {"sha256sum": "xargs -0 sha256sum", "sha256sum, 2 at once": "xargs -0 -P2 -n 2000 sha256sum"}


def run(scale: Scale) -> list[Row]:
    """Scan and hash, in turns with the peers, all from the page cache; then order a disc of it."""
    files, rounds = scale.pick(100_000, 2_000), scale.pick(7, 3)
    lack = scale.lacks_room(2 * files * _LARGEST)
    if lack:
        return [skipped(f"{files:,} files", lack)]
    with running_rig(scale) as rig:
        tree = rig.root / "tree"
        _make_files(tree, files)
        peers = {name: partial(_peer, tree, command) for name, command in _WITH.items()}
        found = interleaved(rounds, {"ours": lambda: seconds(lambda: _take_manifest(tree, files)), **peers})
        whole = _order(rig, tree)
    name = f"manifest of {files:,} files (scan, hash)"
    rows = [Row(name, "s", found["ours"], f"find | {command}", found[peer]) for peer, command in _WITH.items()]
    return [*rows, Row(f"submit of {files:,} files, the first time", "s", whole)]


def _take_manifest(tree: Path, files: int) -> None:
    roots = ContentRoots([tree])
    manifest = stage(scan([tree], roots).entries, roots)
    found = sum(not entry.folder for entry in manifest.entries)
    if found != files:
        raise RuntimeError(f"the manifest has {found} files instead of {files}")


def _peer(tree: Path, command: str) -> float:
    line = f"find {shlex.quote(str(tree))} -type f -print0 | {command}"
    return seconds(lambda: run_program(["sh", "-c", line]))


def _order(rig: BenchRig, tree: Path) -> Sample:
    return Sample.of([seconds(lambda: rig.mill.submit(data_disc(tree)))])


def _make_files(tree: Path, files: int) -> None:
    """Make a tree of small files, sizes evenly between the smallest and the largest."""
    content = os.urandom(_LARGEST)
    for number in range(files):
        folder = tree / f"folder {number // _IN_FOLDER:03d}"
        if number % _IN_FOLDER == 0:
            folder.mkdir(parents=True)
        size = _SMALLEST + number * 7919 % (_LARGEST - _SMALLEST)  # a prime: sizes mix within a folder
        (folder / f"file {number:06d}.bin").write_bytes(content[:size])
