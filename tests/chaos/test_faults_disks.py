"""Disks that fill up under the database, the burns' evidence, the store and the logs, each a small one of its own."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from jobs import data_disc
from jobs.client import JobHandle
from jobs.errors import WriteFailed
from jobs.store import StoreFull
from models.base import now
from models.event import Event
from models.vocabulary import JobState, Outcome
from tests.chaos.gates import Gates
from tests.chaos.rig import broken_rig, short_folder
from tests.faults import Bench
from tests.rigs import DEADLINE, wait_until
from tests.servers import PostgresServer
from workers.evidence import EvidenceWriter, ProgressWriter, read_evidence

#: Of a small disk, and of one for a PostgreSQL cluster, whose log of writes alone takes 32.
MEGABYTES, FOR_A_CLUSTER = 24, 128
#: What a worker logs whose verdict can't be written down.
WAITS = "the verdict of r1 waits"


@contextmanager
def small_disk(folder: Path, megabytes: int = MEGABYTES) -> Iterator[None]:
    """Put a file system of a few megabytes at a folder; that takes root, as CI is."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)], check=True)
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
        mark = rig.mark("r1")

        filler = fill(folder)
        if what == "database":
            wait_until(lambda mark=mark: "disk is full" in rig.logged("r1", mark), "its heart has met it")  # type: ignore[misc]
        rig.gates.open()
        if what == "database":
            until_over_or_waiting(rig, job)
        else:
            job.wait(DEADLINE)  # it is over, or waits for room
        filler.unlink()
        if job.report().state is JobState.WAITING:
            job.retry()
        rig.end(job)

        assert job.report().state is JobState.COMPLETED
        assert Outcome.SPOILED not in rig.outcomes(job)
        rig.write_row(f"disk full under the {what}", stage, job)


def until_over_or_waiting(rig: Bench, job: JobHandle) -> None:
    """Wait until the attempt under way has its verdict, or cannot write it down."""
    log = rig.broken.settings.home / "logs" / "r1.log"
    before = log.read_text().count(WAITS)
    wait_until(lambda: any(rig.outcomes(job)) or log.read_text().count(WAITS) > before, "a verdict, or one that waits")


@pytest.fixture
def cluster() -> Iterator[tuple[Bench, Path]]:
    """Run a rig whose PostgreSQL has a small disk for all it keeps; give the disk, too."""
    options = ["max_wal_size=32MB", "min_wal_size=32MB"]
    with short_folder() as folder, short_folder() as disk, small_disk(disk, FOR_A_CLUSTER):
        gates = Gates(folder / "gates")
        with (
            PostgresServer(disk, options=options) as server,
            broken_rig(folder, 1, server, gates.environment, speed=8) as broken,
        ):
            yield Bench(broken, gates, "postgresql", evidence=[broken.settings.evidence]), disk


def refuses_more(rig: Bench) -> bool:
    """Say whether the database finds no room for one large row."""
    try:
        with rig.broken.database.write() as db:
            db.add(Event(kind="filler", at=now(), data={"words": secrets.token_hex(1 << 20)}))
            db.flush()
            db.rollback()
    except OperationalError as error:
        return "No space left on device" in str(error)
    return False


@pytest.mark.parametrize("stage", ["preparing", "writing", "verifying"])
def test_a_disk_that_fills_up_under_postgresql_spoils_no_disc(cluster: tuple[Bench, Path], stage: str) -> None:
    rig, disk = cluster
    job, _ = rig.reach(stage)

    filler = fill(disk)
    full = refuses_more(rig)
    rig.gates.open()
    until_over_or_waiting(rig, job)
    filler.unlink()
    rig.end(job)

    assert full
    assert job.report().state is JobState.COMPLETED
    assert Outcome.SPOILED not in rig.outcomes(job)
    rig.write_row("disk full under the database", stage, job)


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
