"""Masters on disk: whole or not there, whoever stores them, however often."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.mastering.checksums import Checksums, take_checksums
from jobs.mastering.extents import Extent, Source
from jobs.mastering.image import ExtentMap
from jobs.mastering.masters import MasterStore, master_key
from jobs.mastering.programme import Programme, Track

KEY = master_key("0" * 64, "family=cd")


@pytest.fixture
def image() -> ExtentMap:
    source = Source("/somewhere/else", 10, 111, 7, "0" * 64)
    return ExtentMap(2048, 20, (Extent(0, 4, data=b"CD00"), Extent(2048, 10, source, place="a.txt")))


@pytest.fixture
def checksums() -> Checksums:
    return take_checksums(ExtentMap(2048, 20, ()))


def whole(image: ExtentMap) -> ExtentMap:
    """Read all of a map, which holds pieces of its file otherwise."""
    read = (extent._replace(data=bytes(extent.data)) for extent in image.extents)
    return replace(image, extents=tuple(read))


def test_what_was_put_is_got(tmp_path: Path, image: ExtentMap, checksums: Checksums) -> None:
    store = MasterStore(tmp_path / "masters")

    put = store.put(KEY, image, checksums)

    got = store.get(KEY)
    assert got == put
    assert got.image_path == tmp_path / "masters" / KEY / "image.map"
    assert whole(got.load_image()) == image
    assert got.load_checksums() == checksums


def test_what_was_not_put_is_not_there(tmp_path: Path) -> None:
    assert MasterStore(tmp_path / "masters").get(KEY) is None


def test_manifest_and_options_both_make_the_key() -> None:
    assert len({KEY, master_key("1" * 64, "family=cd"), master_key("0" * 64, "family=dvd")}) == 3
    assert master_key("0" * 64, "family=cd") == KEY


def test_a_master_that_is_there_stays(tmp_path: Path, image: ExtentMap, checksums: Checksums) -> None:
    store = MasterStore(tmp_path)
    inode = store.put(KEY, image, checksums).image_path.stat().st_ino

    again = store.put(KEY, image, checksums)

    assert again.image_path.stat().st_ino == inode
    assert os.listdir(tmp_path) == [KEY]  # noqa: PTH208  (names, hidden ones too)


def test_many_may_put_the_same_at_once(tmp_path: Path, image: ExtentMap, checksums: Checksums) -> None:
    store = MasterStore(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        put = list(pool.map(lambda _: store.put(KEY, image, checksums), range(32)))

    assert {whole(stored.load_image()) for stored in put} == {image}
    assert [path.name for path in tmp_path.iterdir()] == [KEY]


def test_a_master_that_could_not_be_written_is_not_there(tmp_path: Path, checksums: Checksums) -> None:
    store = MasterStore(tmp_path)
    unwritable = ExtentMap(2048, 1, (Extent(0, 1, data=None),))  # type: ignore[arg-type]

    with pytest.raises(TypeError):
        store.put(KEY, unwritable, checksums)

    assert store.get(KEY) is None
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_said(tmp_path: Path, image: ExtentMap, checksums: Checksums) -> None:
    (tmp_path / KEY).write_bytes(b"")

    with pytest.raises(NotADirectoryError):
        MasterStore(tmp_path).put(KEY, image, checksums)


AUDIO = ExtentMap(2352, 400, ())
PROGRAMME = Programme((Track(400),))


def test_a_master_of_audio_keeps_its_programme(tmp_path: Path) -> None:
    stored = MasterStore(tmp_path).put(KEY, AUDIO, take_checksums(AUDIO), PROGRAMME)

    assert stored.is_whole
    assert stored.programme == PROGRAMME


def test_a_master_of_data_has_no_programme(tmp_path: Path, image: ExtentMap, checksums: Checksums) -> None:
    assert MasterStore(tmp_path).put(KEY, image, checksums).programme is None


@pytest.mark.parametrize("programme", [None, "", "{}", "\xff", Programme((Track(401),)).canonical])
def test_a_master_of_audio_is_not_whole_without_its_programme(tmp_path: Path, programme: str | None) -> None:
    store = MasterStore(tmp_path)
    file = store.put(KEY, AUDIO, take_checksums(AUDIO), PROGRAMME).folder / "programme.json"

    file.unlink() if programme is None else file.write_text(programme, encoding="latin-1")

    assert store.get(KEY) is None
    assert store.put(KEY, AUDIO, take_checksums(AUDIO), PROGRAMME).is_whole
