"""The file of an extent map: what was written is read, whatever names are made of, and what is damaged is refused."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.mastering.extents import Extent, Source, StoredExtents, read_figures, read_sources, write_extents

NUMBERS = st.integers(0, 2**62)
#: Paths may have bytes that are no UTF-8, as surrogates.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.just("broken \udcff")
SOURCES = st.builds(Source, TEXTS, NUMBERS, NUMBERS, NUMBERS, TEXTS)
EXTENTS = st.builds(Extent, NUMBERS, NUMBERS, st.just(None), st.binary(max_size=50), TEXTS) | st.builds(
    Extent, NUMBERS, NUMBERS, SOURCES, st.just(b""), TEXTS
)


def read(path: Path) -> list[Extent]:
    return [extent._replace(data=bytes(extent.data)) for extent in StoredExtents(path)]


@given(st.lists(EXTENTS, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_what_was_written_is_read(tmp_path: Path, extents: list[Extent]) -> None:
    file = tmp_path / "image.map"

    write_extents(file, (2048, 7), extents)

    assert read(file) == extents
    assert read_figures(file) == (2048, 7)
    assert list(read_sources(file)) == [extent.source for extent in extents if extent.source is not None]


def test_runs_are_counted_from_both_ends_and_in_slices(tmp_path: Path) -> None:
    extents = [Extent(number, 1, Source(f"/{number}", 1, 2, 3, "")) for number in range(5)]
    write_extents(tmp_path / "image.map", (2048, 7), extents)

    stored = StoredExtents(tmp_path / "image.map")

    assert (len(stored), stored[0].offset, stored[-1].offset) == (5, 0, 4)
    assert [extent.offset for extent in stored[1:3]] == [1, 2]
    for beyond in (5, -6):
        with pytest.raises(IndexError):
            stored[beyond]


@pytest.mark.parametrize("kept", [0, 10, 60, -1])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, kept: int) -> None:
    file = tmp_path / "image.map"
    write_extents(file, (2048, 7), [Extent(0, 4, data=b"1234", place="x" * 100)])
    file.write_bytes(file.read_bytes()[:kept])

    with pytest.raises(ValueError, match="is no extent map"):
        StoredExtents(file)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "image.map"
    file.write_bytes(b'{"block_size": 2048, "blocks": 10}\n' * 10)

    with pytest.raises(ValueError, match="is no extent map"):
        StoredExtents(file)
