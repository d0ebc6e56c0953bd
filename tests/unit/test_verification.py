"""Reading back finds every changed bit, says where it is, and which files lie there."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import MediumDiffers
from jobs.mastering.checksums import take_checksums
from jobs.mastering.image import ImageReader
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.master import Listener
from jobs.mastering.masters import MasterStore, StoredMaster
from jobs.mastering.medium import BLOCK, Family
from jobs.mastering.progress import ProgressEvent, VerifyProgress
from jobs.mastering.verification import Comparison, Difference, compare, describe
from tests.manifests import manifest_of

SILENT = Listener(lambda _: None)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("content")
    for name, size in [("one.bin", 150_000), ("two.bin", 90_000)]:
        (folder / name).write_bytes(random.Random(name).randbytes(size))  # noqa: S311
    return folder


@pytest.fixture(scope="module")
def master(content: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredMaster:
    image = layout(manifest_of(content), LayoutOptions(Family.CD, "VERIFY"))
    return MasterStore(tmp_path_factory.mktemp("masters")).put("key", image, take_checksums(image))


@pytest.fixture(scope="module")
def disc(master: StoredMaster) -> bytes:
    with ImageReader(master.load_image()) as reader:
        return reader.read(0, master.size)


def pieces(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        size = sizes[start % len(sizes)]
        yield data[start : start + size]
        start += size


def read_back(master: StoredMaster, data: bytes, sizes: list[int] | None = None) -> Comparison:
    return compare(pieces(data, sizes or [65_536]), master, SILENT, Family.CD)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_is_found_and_its_block_is_named(
    master: StoredMaster, disc: bytes, data: st.DataObject
) -> None:
    bits = data.draw(st.sets(st.integers(0, len(disc) * 8 - 1), min_size=1, max_size=4))
    sizes = data.draw(st.lists(st.integers(1_000, 200_000), min_size=1, max_size=5))
    damaged = bytearray(disc)
    for bit in bits:
        damaged[bit // 8] ^= 1 << bit % 8

    comparison = read_back(master, bytes(damaged), sizes)

    named = {
        block
        for difference in comparison.differences
        for block in range(difference.first_block, difference.first_block + difference.blocks)
    }
    assert named == {bit // 8 // BLOCK for bit in bits}


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 300_000).filter(lambda size: size > 500), min_size=1, max_size=5))
def test_an_untouched_disc_is_equal_however_it_is_read(master: StoredMaster, disc: bytes, sizes: list[int]) -> None:
    comparison = read_back(master, disc, sizes)

    assert comparison.equal
    assert comparison.sha256 == master.sha256


def test_the_files_that_lie_there_are_named(master: StoredMaster, disc: bytes) -> None:
    image = master.load_image()
    first = next(extent for extent in image.extents if extent.place == "one.bin").offset // BLOCK
    damaged = bytearray(disc)
    damaged[first * BLOCK] ^= 1
    damaged[(first + 1) * BLOCK] ^= 1

    comparison = read_back(master, bytes(damaged))

    assert (
        describe(comparison.differences) == f"the disc differs from its master in blocks {first}-{first + 1} (one.bin)"
    )


def test_where_a_source_is_gone_the_whole_chunk_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone.bin").write_bytes(bytes(100_000))
    image = layout(manifest_of(tmp_path), LayoutOptions(Family.CD, "GONE"))
    master = MasterStore(tmp_path / "masters").put("key", image, take_checksums(image))
    with ImageReader(image) as reader:
        damaged = bytearray(reader.read(0, image.size))
    place = next(extent for extent in image.extents if extent.place == "gone.bin").offset
    damaged[place] ^= 1
    (tmp_path / "gone.bin").unlink()

    (difference,) = read_back(master, bytes(damaged)).differences

    assert "gone.bin" in difference.places
    assert difference.first_block <= place // BLOCK < difference.first_block + difference.blocks


def test_a_disc_that_ends_early_is_no_disc(master: StoredMaster, disc: bytes) -> None:
    with pytest.raises(MediumDiffers, match="ends after"):
        read_back(master, disc[:-BLOCK])


def test_what_lies_behind_the_image_is_not_compared(master: StoredMaster, disc: bytes) -> None:
    assert read_back(master, disc + b"the rest of the medium").equal


def test_progress_ends_at_the_last_block(master: StoredMaster, disc: bytes) -> None:
    heard: list[ProgressEvent] = []

    compare(pieces(disc, [65_536]), master, Listener(heard.append), Family.CD)

    last = heard[-1]
    assert isinstance(last, VerifyProgress)
    assert last.done == last.total == master.blocks


def test_a_name_that_garbles_terminals_is_told_escaped() -> None:
    assert str(Difference(7, 1, ("a\nb\x1b[31m", "plain"))) == r"block 7 ('a\nb\x1b[31m', plain)"
