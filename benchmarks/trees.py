"""Trees of content that mastering programs differ on: few large files, many small ones, names that are hard to hold."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measuring import Scale, fill

#: Bytes of the longest name that is not yet cut by what holds the fewest characters.
_LONG = "a name that every tree has to cut, since it is longer than the 64 characters that Joliet has room for "

#: Where the first of many small files lies.
FIRST_SMALL = Path("folder0000", "file000000.dat")


@dataclass(frozen=True, slots=True)
class Tree:
    """Content to master: `large` if it takes a file above 4 GiB, which genisoimage needs UDF for."""

    name: str
    files: int
    bytes: int
    make: Callable[[Path], None]
    large: bool = False


def trees(scale: Scale) -> list[Tree]:
    """Return the trees of the goals, by name in the order of the report."""
    return [
        _large("one file", 1, scale.pick(4_300_000_000, 30_000_000)),
        _large("7 large files", 7, scale.pick(100_000_000, 3_000_000)),
        small(scale.pick(10_000, 500), 4096, 100),
        small(scale.pick(100_000, 2_000), 1024, 100),
        _named("long unicode names", scale.pick(1_000, 100), lambda number: f"{'Größe 日本語 ж ' * 4}{number:04d}.txt"),
        _named("clashing names", scale.pick(2_000, 100), lambda number: f"{_LONG}{number:05d}.txt"),
    ]


def small(files: int, size: int, per_folder: int) -> Tree:
    """Describe many small files of one size, in folders."""
    return Tree(f"{files:,} x {size // 1024} KB", files, files * size, partial(_make_small, files, size, per_folder))


def _large(name: str, files: int, size: int) -> Tree:
    make = partial(_make_large, files, size)
    return Tree(f"{name} of {size / 1e6:,.0f} MB", files, files * size, make, large=size >= 1 << 32)


def _named(kind: str, files: int, named: Callable[[int], str]) -> Tree:
    return Tree(f"{files:,} {kind}", files, files * 500, partial(_make_named, files, named))


def _make_large(files: int, size: int, folder: Path) -> None:
    folder.mkdir()
    for number in range(files):
        fill(folder / f"large {number}.bin", size)


def _make_small(files: int, size: int, per_folder: int, folder: Path) -> None:
    content = os.urandom(size + files)
    for number in range(files):
        inner = folder / f"folder{number // per_folder:04d}"
        if number % per_folder == 0:
            inner.mkdir(parents=True)
        (inner / f"file{number:06d}.dat").write_bytes(content[number : number + size])


def _make_named(files: int, named: Callable[[int], str], folder: Path) -> None:
    folder.mkdir()
    for number in range(files):
        (folder / named(number)).write_bytes(os.urandom(500))
