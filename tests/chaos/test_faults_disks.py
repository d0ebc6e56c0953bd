"""Disks that fill up under the database, the burns' evidence, the store and the logs, each a small one of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jobs import data_disc
from jobs.errors import WriteFailed
from jobs.store import StoreFull
from models.vocabulary import JobState, Outcome
from tests.chaos.gates import Gates
from tests.chaos.rig import broken_rig, short_folder
from tests.faults import Bench
from workers.evidence import EvidenceWriter, ProgressWriter, read_evidence

MEGABYTES = 24


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Put a file system of a few megabytes at a folder; that takes root, as CI is."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Write until nothing fits any more; return the file that takes the room."""
    filler = folder / "filler"
    piece = bytes(4096)
    with filler.open("wb", buffering=0) as out:
        try:
            while out.write(piece):
                pass
        except OSError:
            return filler
    raise AssertionError


@pytest.fixture
def rig() -> Iterator[Bench]:
    """Run a rig whose evidence, store, logs and database lie on small disks of their own."""
    with short_folder() as folder:
        home, data = folder / "home", folder / "data"
        with small_disk(home / "evidence"), small_disk(home / "store"), small_disk(home / "logs"), small_disk(data):
            gates = Gates(folder / "gates")
            url = f"sqlite:///{data / 'discmill.db'}"
            with broken_rig(folder, 1, None, gates.environment, speed=8, database_url=url) as broken:
                yield Bench(broken, gates, "sqlite", evidence=[broken.settings.evidence])


@pytest.mark.parametrize(
    ("what", "stages"),
    [
        ("evidence", ["preparing", "writing", "verifying"]),
        ("logs", ["preparing", "writing", "verifying"]),
        ("store", ["preparing", "writing", "verifying"]),
        ("database", ["preparing", "writing", "verifying"]),
    ],
)
def test_a_disk_that_fills_up_spoils_no_disc(rig: Bench, what: str, stages: list[str]) -> None:
    home = rig.broken.settings.home
    folder = home.parent / "data" if what == "database" else home / what
    for stage in stages:
        job, _ = rig.reach(stage)

        filler = fill(folder)
        rig.gates.open()
        if what != "database":
            job.wait(60)  # it is over, or waits for room
        filler.unlink()
        if job.report().state is JobState.WAITING:
            job.retry()
        rig.end(job)

        assert job.report().state is JobState.COMPLETED
        assert Outcome.SPOILED not in rig.outcomes(job)
        rig.write_row(f"disk full under the {what}", stage, job)


def test_an_order_that_finds_no_room_in_the_store_leaves_nothing_behind(rig: Bench) -> None:
    folder = rig.broken.content("too large", 2 << 20)
    filler = fill(rig.broken.settings.home / "store")

    with pytest.raises(StoreFull):
        rig.broken.mill.submit(data_disc(folder), stage="copy")

    filler.unlink()
    job = rig.broken.mill.submit(data_disc(folder), stage="copy")
    rig.end(job)
    assert rig.outcomes(job) == [Outcome.GOOD]


def test_evidence_and_news_of_a_burn_are_written_though_the_disk_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "evidence"):
        evidence, progress = EvidenceWriter(tmp_path / "evidence"), ProgressWriter(tmp_path / "evidence")
        evidence.opened(0)
        fill(tmp_path / "evidence")

        for block in range(1000):
            progress.blocks(block, 1.0)
        evidence.failed(WriteFailed("x" * 9000), 7)
        evidence.ended(1)

        found = read_evidence(tmp_path / "evidence")
    assert found.wrote
    assert found.failure is not None
    assert found.failure.message == "x" * 9000
    assert found.ended
