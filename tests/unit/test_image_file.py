"""Images written to files: checked or not, by one process or two, they have the same bytes, or are not there at all."""

import hashlib
import os
from pathlib import Path

import pytest

from jobs import image_file
from jobs.errors import SourceChanged
from jobs.image_file import copy_image, lay_out_content, write_image
from jobs.laying_out import LaidOut
from jobs.manifest import Manifest
from jobs.mastering.image import ExtentMap, ImageReader
from jobs.mastering.joliet import LayoutOptions, layout
from jobs.mastering.medium import Family
from jobs.roots import ContentRoots
from jobs.scanning import scan


def silent(_phase: str, _done: int, _total: int) -> None:
    pass


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """Give a tree with small files, empty ones, and some that the kernel copies."""
    folder = tmp_path / "content"
    for number in range(60):
        (folder / f"{number % 7}").mkdir(parents=True, exist_ok=True)
        (folder / f"{number % 7}" / f"{number}.dat").write_bytes(bytes([number]) * (number * 97))
    for number in range(3):
        (folder / f"large {number}").write_bytes(os.urandom((300 << 10) + number))
    return folder


@pytest.fixture(params=["one process", "two processes"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Copy alone, or with a second process."""
    if request.param == "two processes":
        monkeypatch.setattr(image_file, "_CROWD", 0)
        monkeypatch.setattr(image_file, "_STRIDE", 4096)
    return str(request.param)


def laid_out(content: Path, *, check: bool) -> LaidOut:
    return lay_out_content(ContentRoots([content]), [content], None, "DISC", silent, check=check)


def read(image: ExtentMap) -> bytes:
    with ImageReader(image) as reader:
        return reader.read(0, image.size)


@pytest.mark.usefixtures("processes")
def test_an_unchecked_image_has_the_bytes_of_a_checked_one(content: Path, tmp_path: Path) -> None:
    checked, unchecked = tmp_path / "checked.iso", tmp_path / "unchecked.iso"

    digest = write_image(laid_out(content, check=True).image, checked, silent)
    copy_image(laid_out(content, check=False).image, unchecked, silent)

    assert unchecked.read_bytes() == checked.read_bytes() == read(laid_out(content, check=True).image)
    assert digest == hashlib.sha256(checked.read_bytes()).hexdigest()


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("changed", ["large 1", "3/3.dat", "3/10.dat", "5/5.dat", "2/9.dat"])
def test_a_source_that_changed_leaves_no_file(content: Path, tmp_path: Path, changed: str) -> None:
    image = laid_out(content, check=False).image
    with (content / changed).open("ab") as file:
        file.write(b"more")

    with pytest.raises(SourceChanged, match="changed its size"):
        copy_image(image, tmp_path / "out.iso", silent)

    assert list(tmp_path.glob("*.iso*")) == []
    assert list(tmp_path.glob(".*")) == []


def test_a_source_with_other_content_leaves_no_checked_file(content: Path, tmp_path: Path) -> None:
    image = laid_out(content, check=True).image
    file = content / "3" / "10.dat"
    before = file.stat()
    file.write_bytes(b"x" * before.st_size)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(SourceChanged, match="has other content"):
        write_image(image, tmp_path / "out.iso", silent)

    assert list(tmp_path.glob("*.iso*")) == []


def test_progress_ends_with_all_bytes(content: Path, tmp_path: Path) -> None:
    image = laid_out(content, check=False).image
    heard: list[tuple[str, int, int]] = []

    copy_image(image, tmp_path / "out.iso", lambda *said: heard.append(said))

    assert heard[-1] == ("writing", image.size, image.size)
    assert all(0 <= done <= image.size for _, done, _ in heard)


def test_an_image_of_95_gb_is_read_near_its_end(tmp_path: Path) -> None:
    folder, end = tmp_path / "content", b"the end of a BD-R XL"
    folder.mkdir()
    with (folder / "huge.bin").open("wb") as file:
        file.seek(95_000_000_000 - len(end))
        file.write(end)
    (folder / "next.txt").write_bytes(b"what follows it")

    image = layout(Manifest.unhashed(scan([folder], ContentRoots([folder])).entries), LayoutOptions(Family.BD, "XL"))
    image.save(tmp_path / "image.map")
    stored = ExtentMap.load(tmp_path / "image.map")

    places = {extent.place: extent for extent in stored.extents}
    huge, following = places["huge.bin"], places["next.txt"]
    with ImageReader(stored) as reader:
        window = reader.read(huge.offset + huge.length - 100, following.offset - huge.offset - huge.length + 200)
    assert stored.size > 95_000_000_000
    assert window.startswith(bytes(100 - len(end)) + end + b"\0")
    assert b"what follows it" in window
