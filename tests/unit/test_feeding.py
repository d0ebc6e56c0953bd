"""Feeding an image to a drive, seen and unseen: the same bytes in the same order."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import SourceChanged, WriteFailed
from jobs.mastering.extents import Extent, Source
from jobs.mastering.image import ExtentMap, FileRun, ImageReader
from jobs.mastering.medium import BLOCK
from workers.feeding import Feeder, new_digest
from workers.recorders.burn_program import BurnProgram


class Collector:
    """A sink that keeps what it is given."""

    block, buffer_fill = 0, None

    def __init__(self) -> None:
        self.data = bytearray()
        self.unseen = 0

    @property
    def written(self) -> int:
        return len(self.data)

    def write(self, data: memoryview) -> None:
        assert len(data) % BLOCK == 0
        self.data += data

    def write_file(self, run: FileRun) -> None:
        self.unseen += run.length
        self.write(memoryview(run.read()))

    def check(self) -> None: ...
    def open(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


def a_file(folder: Path, name: str, size: int) -> Source:
    path = folder / name
    path.write_bytes(hashlib.shake_128(name.encode()).digest(size))
    stat = path.stat()
    return Source(str(path), size, stat.st_mtime_ns, stat.st_ino, hashlib.sha256(path.read_bytes()).hexdigest())


def an_image(folder: Path, sizes: list[int], gap: int) -> ExtentMap:
    """Lay out some metadata, then files with gaps between them, and padding."""
    extents, block = [Extent(0, 5, None, b"CD001")], 1
    for number, size in enumerate(sizes):
        extents.append(Extent(block * BLOCK, size, a_file(folder, f"{number}", size), place=f"/{number}"))
        block += -(-size // BLOCK) + gap
    return ExtentMap(BLOCK, block + 16, tuple(extents))


def feed(image: ExtentMap, sink: Collector, around: Callable[[], None] = lambda: None) -> Feeder:
    return Feeder(ImageReader(image), sink, around, around)


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 300_000), max_size=5), gap=st.integers(0, 40))
def test_what_is_fed_is_the_image_whether_seen_or_not(sizes: list[int], gap: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        image = an_image(Path(folder), sizes, gap)
        with ImageReader(image) as reader:
            wanted = reader.read(0, image.size)
        unseen, hashed, digest = Collector(), Collector(), new_digest(BLOCK)

        feed(image, unseen).feed_unseen()
        feed(image, hashed).feed_hashed(digest)

    assert bytes(unseen.data) == bytes(hashed.data) == wanted
    assert digest.result() == hashlib.sha256(wanted).hexdigest()
    assert unseen.unseen >= sum(size // BLOCK * BLOCK for size in sizes) - sum(1 << 18 for _ in sizes)
    assert hashed.unseen == 0


def test_a_file_that_became_shorter_ends_unseen_feeding(tmp_path: Path) -> None:
    image, sink = an_image(tmp_path, [1_000_000], 0), Collector()

    def cut() -> None:
        if sink.written > 300_000:
            os.truncate(tmp_path / "0", 400_000)

    with pytest.raises(SourceChanged, match="became shorter"):
        feed(image, sink, cut).feed_unseen()


def test_a_block_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    class Full(Collector):
        block = 77

        def write(self, _: memoryview) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(WriteFailed, match="block 77 can't be written: No space left"):
        feed(an_image(tmp_path, [5000], 0), Full()).feed_unseen()


def a_program(target: Path) -> BurnProgram:
    """Start a burn program that only keeps what it is fed."""
    code = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, open(sys.argv[1], 'wb'))"
    command = [sys.executable, "-c", code, str(target)]
    return BurnProgram(command, lambda _: None, target.parent, [], environment={}, fed=True)


@pytest.mark.parametrize("passes_pages_on", [True, False])
def test_a_program_is_fed_from_a_file_whether_or_not_the_system_passes_pages_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, passes_pages_on: bool
) -> None:
    def refuse(*_: int) -> int:
        raise OSError(22, "Invalid argument")

    if not passes_pages_on:
        monkeypatch.setattr(os, "sendfile", refuse)
    source = a_file(tmp_path, "source", 3 << 20)
    program = a_program(tmp_path / "target")
    with Path(source.path).open("rb") as content:
        program.feed_file(FileRun(source, content.fileno(), 1 << 20, 2 << 20), lambda: None)

    program.wait()

    assert (tmp_path / "target").read_bytes() == Path(source.path).read_bytes()[1 << 20 :]


def test_a_file_that_is_shorter_than_it_was_ends_the_feeding_of_a_program(tmp_path: Path) -> None:
    source = a_file(tmp_path, "source", 5000)
    program = a_program(tmp_path / "target")

    with Path(source.path).open("rb") as content, pytest.raises(SourceChanged, match="became shorter"):
        program.feed_file(FileRun(source, content.fileno(), 0, 6144), lambda: None)

    program.wait()
    assert (tmp_path / "target").stat().st_size == 5000


def test_hurrying_a_program_that_has_all_its_bytes_is_no_trouble(tmp_path: Path) -> None:
    program = a_program(tmp_path / "fed")
    program.end_of_data()

    program.hurry()

    program.wait()
    assert program.has_ended
