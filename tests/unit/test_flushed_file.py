"""The file behind an emulated medium: what was written is read back, whatever of it is a hole."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.recorders.flushed_file import FlushedFile

PIECES = st.lists(
    st.one_of(
        st.integers(1, 200_000).map(bytes),
        st.binary(min_size=1, max_size=5000),
        st.integers(1, 70_000).map(lambda size: bytes(size) + b"x"),
    )
)


@settings(deadline=None)  # it writes to a disk
@given(pieces=PIECES, offset=st.sampled_from([0, 2048, 100_000]))
def test_what_was_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], offset: int
) -> None:
    path = tmp_path_factory.mktemp("medium") / "data"
    path.write_bytes(b"o" * 120_000)

    file = FlushedFile(path, offset)
    for piece in pieces:
        file.write(memoryview(piece))
    file.close()

    assert path.read_bytes() == b"o" * offset + b"".join(pieces)


def test_a_file_that_was_abandoned_amid_zeros_is_as_long_as_what_was_written(tmp_path: Path) -> None:
    file = FlushedFile(tmp_path / "data", 0)
    file.write(memoryview(b"x" + bytes(300_000)))
    file.abandon()

    assert (tmp_path / "data").stat().st_size == 300_001


def test_zeros_take_no_room(tmp_path: Path) -> None:
    file = FlushedFile(tmp_path / "data", 0)
    for _ in range(64):
        file.write(memoryview(bytes(1 << 20)))
    file.close()

    found = (tmp_path / "data").stat()
    assert found.st_size == 64 << 20
    assert found.st_blocks * 512 < 1 << 20
