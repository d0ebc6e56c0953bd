"""A folder of the content is swapped for a link, again and again, while it is read: nothing from there gets in."""

import contextlib
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from jobs.errors import DiscError
from jobs.manifest_file import read_manifest_file
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.medium import Family
from jobs.roots import ContentRoots
from jobs.scanning import scan
from jobs.staging import stage
from workers.sources import check_sources, find_changed

OURS, THEIRS = b"ours" * 256, b"THEM" * 256
#: Rounds of each race, and turns of the swapper meanwhile, at least.
ROUNDS = 300
#: Seconds until a race that shows nothing is given up.
DEADLINE = 90.0


@pytest.fixture
def roots(tmp_path: Path) -> ContentRoots:
    for place, content in (("in/folder", OURS), ("out", THEIRS)):
        (tmp_path / place).mkdir(parents=True)
        for number in range(3):
            (tmp_path / place / f"file {number}").write_bytes(content)
    return ContentRoots([tmp_path / "in"])


@contextlib.contextmanager
def swapping(folder: Path, outside: Path) -> Iterator[list[int]]:
    """Exchange a folder and a link to another one as fast as a process can; yields how often, so far."""
    turns, stop = [0], threading.Event()
    aside = folder.with_name("aside")

    def swap() -> None:
        while not stop.is_set():
            folder.rename(aside)
            folder.symlink_to(outside)
            turns[0] += 1
            folder.unlink()
            aside.rename(folder)
            stop.wait(0.0005)  # or a round that opens several files would never find all of them

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield turns
    finally:
        stop.set()
        thread.join()


def rounds(turns: list[int], seen: Counter[str], *wanted: str) -> Iterator[int]:
    """Count rounds until there were enough, with as many turns, and all that is wanted was seen."""
    end = time.monotonic() + DEADLINE
    for number in count():
        if number >= ROUNDS and turns[0] > ROUNDS and all(seen[each] for each in wanted):
            return
        assert time.monotonic() < end, f"{number} rounds, {turns[0]} turns: the race proves nothing"
        yield number


def test_nothing_from_outside_is_listed_or_staged(tmp_path: Path, roots: ContentRoots) -> None:
    inside = {str(tmp_path / "in" / "folder" / f"file {number}") for number in range(3)}
    (tmp_path / "out" / "only there").write_bytes(THEIRS)
    seen = Counter[str]()

    with swapping(tmp_path / "in" / "folder", tmp_path / "out") as turns:
        for _ in rounds(turns, seen, "whole"):
            scanned = scan([tmp_path / "in"], roots)
            assert {entry.source for entry in scanned.entries if entry.source} <= inside | {
                str(tmp_path / "in" / "aside" / f"file {number}") for number in range(3)
            }
            with contextlib.suppress(DiscError):
                manifest = stage(scanned.entries, roots)
                assert all(entry.size == len(OURS) for entry in manifest.entries if not entry.folder)
                assert len({entry.sha256 for entry in manifest.entries if not entry.folder}) <= 1
                seen["whole"] += bool(manifest.bytes)


def test_no_byte_from_outside_is_burnt(tmp_path: Path, roots: ContentRoots) -> None:
    manifest = stage(scan([tmp_path / "in"], roots).entries, roots)
    image = layout(manifest, LayoutOptions(family=Family.CD, volume_id="RACE"))
    like_ours(image, tmp_path / "out")
    seen = Counter[str]()

    with swapping(tmp_path / "in" / "folder", tmp_path / "out") as turns:
        for _ in rounds(turns, seen, "whole", "refused"):
            try:
                check_sources(image)
                with ImageReader(image) as reader:
                    content = reader.read(0, image.size)
            except DiscError:
                seen["refused"] += 1
                continue
            assert b"THEM" not in content
            seen["whole"] += 1

    assert "changed and changed back" in find_changed(image).message


def like_ours(image: ExtentMap, outside: Path) -> None:
    """Make the other side's files look like ours by size and time, as an attacker would."""
    for source in image.sources:
        os.utime(outside / Path(source.path).name, ns=(source.mtime_ns, source.mtime_ns))


@pytest.mark.parametrize("bare", ["../out/file 0", "{out}/file 0", "folder/link/file 0", "folder/../../out/file 0"])
def test_a_manifest_file_that_points_elsewhere_is_refused(tmp_path: Path, roots: ContentRoots, bare: str) -> None:
    (tmp_path / "in" / "folder" / "link").symlink_to(tmp_path / "out")
    source = bare.format(out=tmp_path / "out")
    file = tmp_path / "in" / "order.json"
    file.write_text(f'{{"version": 1, "entries": [{{"path": "a", "source": "{source}"}}]}}')

    scanned = read_manifest_file(file, roots)

    assert [entry for entry in scanned.entries if entry.source] == []
    assert "is outside the content roots" in scanned.faults[0]
