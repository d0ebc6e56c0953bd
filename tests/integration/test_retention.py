"""What may be forgotten, and what never: on both databases, and beside a rig that works."""

import hashlib
import os
import threading
import time
from array import array
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from jobs import control, data_disc
from jobs.catalogue import store_manifest
from jobs.errors import NotAllowed
from jobs.manifest import Entry, Manifest
from jobs.mastering.checksums import Checksums
from jobs.mastering.image import ExtentMap
from jobs.mastering.masters import MasterStore
from jobs.overview import event_documents, find_documents
from jobs.retention import Pruned, prune
from jobs.rollup import journal
from jobs.settings import Settings, load_settings
from models.attempt import Attempt
from models.base import Base, new_id, now
from models.database import Database
from models.event import Event
from models.job import Copy, Job
from models.manifest import Manifest as StoredManifest
from models.manifest import ManifestEntry
from models.vocabulary import JobState, Outcome, Stage
from tests.builders import a_disc, an_attempt, job_row, make_ready, order, settle
from tests.rigs import running_rig

NEVER_PRUNED = ("recorder", "tally", "service")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


def soon() -> datetime:
    """Return a moment before which everything is that a test has made."""
    return now() + timedelta(days=1)


def count(database: Database, table: type[Base]) -> int:
    with database.read() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def everything(database: Database) -> dict[str, list[str]]:
    with database.read() as db:
        return {
            name: sorted(map(repr, db.execute(table.select()).all())) for name, table in Base.metadata.tables.items()
        }


def an_entry(name: str = "wanted") -> Entry:
    return Entry(name, 1, 0, source=f"/srv/{name}", inode=1, sha256=hashlib.sha256(name.encode()).hexdigest())


def a_history(database: Database, copies: int = 2) -> str:
    """Make a job with a good and a spoiled disc, and its manifest; return its id."""
    manifest = store_manifest(database, Manifest.of([an_entry(new_id())]))
    job = order(database, copies, max_spoiled=9, manifest_id=manifest)
    a_disc(database, Outcome.SPOILED)
    for _ in range(copies):
        a_disc(database, Outcome.GOOD)
    assert job_row(database, job).state is JobState.COMPLETED
    return job


def test_a_discs_row_and_every_digest_stay_for_ever(database: Database, settings: Settings) -> None:
    job = a_history(database)
    before = everything(database)

    prune(database, settings, soon() + timedelta(days=36_500))

    after = everything(database)
    for table in ("attempt", "job", "copy", "manifest", "manifest_entry", *NEVER_PRUNED):
        assert after[table] == before[table], table
    with database.read() as db:
        name = db.scalars(select(ManifestEntry.path)).one()
        (found,) = find_documents(db, name)
    assert (found["job"], found["good"]) == (job, 2)


def test_old_events_go_and_young_ones_and_those_of_unfinished_jobs_stay(database: Database, settings: Settings) -> None:
    a_history(database)
    unfinished = order(database, recorders=())
    with database.write() as db:
        db.execute(update(Event).values(at=now() - timedelta(days=100)))
        journal(db, "young")

    pruned = prune(database, settings, now() - timedelta(days=90))

    with database.read() as db:
        left = [(event["job"], event["kind"]) for _, event in event_documents(db)]
    assert pruned.events == 0, "the job is not over for 90 days yet"
    with database.write() as db:
        db.execute(update(Job).where(Job.finished.is_not(None)).values(finished=now() - timedelta(days=100)))
    assert prune(database, settings, now() - timedelta(days=90)).events == sum(
        job not in {unfinished, None} for job, _ in left
    )
    with database.read() as db:
        assert [(event["job"], event["kind"]) for _, event in event_documents(db)] == [
            pair for pair in left if pair[0] in {unfinished, None}
        ]


def test_a_follower_goes_on_where_it_was(database: Database, settings: Settings) -> None:
    for number in range(10):
        with database.write() as db:
            journal(db, "something", number=number)
    with database.read() as db:
        newest, _ = event_documents(db)[-1]

    prune(database, settings, soon())
    with database.write() as db:
        journal(db, "next")

    with database.read() as db:
        assert [event["kind"] for _, event in event_documents(db, after=newest)] == ["next"]


def test_a_job_without_a_disc_is_forgotten_unless_it_has_a_key(database: Database, settings: Settings) -> None:
    jobs = {name: order(database, 3, recorders=(), key=key) for name, key in (("plain", None), ("keyed", "4711"))}
    running = order(database, recorders=())
    for job in jobs.values():
        control.cancel(database, job)

    pruned = prune(database, settings, soon())

    assert (pruned.jobs, pruned.manifests) == (1, 1)
    with database.read() as db:
        assert set(db.scalars(select(Job.id))) == {jobs["keyed"], running}
        assert set(db.scalars(select(Copy.job_id))) == {jobs["keyed"], running}


def test_an_attempt_that_was_taken_back_is_forgotten_with_its_job(database: Database, settings: Settings) -> None:
    job = order(database)
    an_attempt(database)
    control.cancel(database, job)

    pruned = prune(database, settings, soon())

    assert (pruned.attempts, pruned.jobs) == (1, 1)


def test_an_attempt_that_was_taken_back_stays_while_another_one_of_its_job_is_lost(
    database: Database, settings: Settings
) -> None:
    job = order(database, copies=2, recorders=["left", "right"])
    an_attempt(database)
    lost = an_attempt(database, Stage.WRITING, "right")
    settle(database, lost, Outcome.LOST)
    control.cancel(database, job)

    assert prune(database, settings, soon()).attempts == 0


@pytest.mark.parametrize("stage", list(Stage)[:-1])
def test_nothing_of_a_job_with_an_open_attempt_is_forgotten(
    database: Database, settings: Settings, stage: Stage
) -> None:
    order(database)
    an_attempt(database, stage)
    before = everything(database)

    pruned = prune(database, settings, soon())

    assert everything(database) == before
    assert not any(asdict(pruned).values())


def test_a_lost_disc_keeps_all_that_its_recovery_needs(database: Database, settings: Settings) -> None:
    job = order(database)
    attempt = an_attempt(database, Stage.WRITING)
    settle(database, attempt, Outcome.LOST)
    control.cancel(database, job)
    evidence(settings, attempt)
    a_master(settings, job_row(database, job).master_key)

    pruned = prune(database, settings, soon())

    assert (pruned.evidence, pruned.masters, pruned.events) == (0, 0, 0)


def evidence(settings: Settings, attempt: str) -> Path:
    folder = settings.evidence / attempt
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text("{}")
    return folder


def test_evidence_stays_until_the_disc_has_left(database: Database, settings: Settings) -> None:
    order(database, copies=2)
    left, still_in = a_disc(database, Outcome.GOOD), a_disc(database, Outcome.GOOD)
    with database.write() as db:
        db.get_one(Attempt, left).ejected = now()
    folders = [evidence(settings, attempt) for attempt in (left, still_in)]

    pruned = prune(database, settings, soon())

    assert pruned.evidence == 1
    assert [folder.exists() for folder in folders] == [False, True]


def test_evidence_of_another_database_stays(database: Database, settings: Settings) -> None:
    folder = evidence(settings, new_id())

    assert prune(database, settings, soon()).evidence == 0
    assert folder.exists()


def a_master(settings: Settings, key: str) -> Path:
    checksums = Checksums("0" * 64, array("I", [0]))
    return MasterStore(settings.store / "masters").put(key, ExtentMap(2048, 16, ()), checksums).folder


def test_masters_stay_while_a_job_needs_them_or_is_being_submitted(database: Database, settings: Settings) -> None:
    order(database, recorders=(), master_key="a" * 64)
    needed, unneeded, young = (a_master(settings, letter * 64) for letter in "abc")
    long_ago = time.time() - 100 * 86_400
    for folder in (needed, unneeded, young):
        os.utime(folder, (long_ago, long_ago))
    assert MasterStore(settings.store / "masters").renew("c" * 64) is not None

    pruned = prune(database, settings, now() - timedelta(days=90))

    assert pruned.masters == 1
    assert [folder.exists() for folder in (needed, unneeded, young)] == [True, False, True]
    assert MasterStore(settings.store / "masters").renew("b" * 64) is None


def test_the_master_of_a_session_stays_while_its_job_needs_it(database: Database, settings: Settings) -> None:
    order(database)
    attempt = an_attempt(database, Stage.WRITING)
    with database.write() as db:
        db.get_one(Attempt, attempt).master_key = "5" * 64
    folder = a_master(settings, "5" * 64)

    prune(database, settings, soon())

    assert folder.exists()


def test_a_manifest_that_is_submitted_again_is_whole(database: Database, settings: Settings) -> None:
    manifest = Manifest.of([an_entry(f"file {number}") for number in range(50)])
    number = store_manifest(database, manifest)
    with database.write() as db:  # half forgotten, as when a prune is killed
        db.execute(update(StoredManifest).values(created=now() - timedelta(days=100), complete=False))
        db.execute(ManifestEntry.__table__.delete().where(ManifestEntry.position < 20))  # type: ignore[attr-defined]

    again = store_manifest(database, manifest)
    pruned = prune(database, settings, now() - timedelta(days=90))

    assert (again, pruned.manifests, count(database, ManifestEntry)) == (number, 0, 50)


def test_a_job_that_is_half_forgotten_can_t_be_tried_again(database: Database) -> None:
    job = order(database, 3, recorders=())
    control.cancel(database, job)
    with database.write() as db:
        db.execute(Copy.__table__.delete().where(Copy.number == 3))  # type: ignore[attr-defined]

    with pytest.raises(NotAllowed, match="is being forgotten"):
        control.retry(database, job)


def test_a_dry_run_says_what_would_go_and_changes_nothing(database: Database, settings: Settings) -> None:
    a_history(database)
    control.cancel(database, order(database, recorders=()))
    evidence(settings, a_disc_that_left(database))
    a_master(settings, "f" * 64)
    before = everything(database)

    planned = prune(database, settings, soon(), dry_run=True)

    assert everything(database) == before
    done = prune(database, settings, soon())
    assert isinstance(planned, Pruned)
    assert (planned.events, planned.jobs, planned.evidence, planned.masters) == (
        done.events,
        done.jobs,
        done.evidence,
        done.masters,
    )
    assert done.events
    assert done.evidence


def a_disc_that_left(database: Database) -> str:
    order(database, recorders=())
    make_ready(database, "left")
    attempt = a_disc(database, Outcome.GOOD)
    with database.write() as db:
        db.get_one(Attempt, attempt).ejected = now()
    return attempt


def test_nobody_waits_long_while_much_is_forgotten(database: Database, settings: Settings) -> None:
    with database.write() as db:
        db.execute(Event.__table__.insert(), [{"kind": "old", "data": {}} for _ in range(60_000)])  # type: ignore[attr-defined]
    longest, done = [0.0], threading.Event()

    def write() -> None:
        while not done.is_set():
            began = time.monotonic()
            with database.write() as db:
                journal(db, "meanwhile")
            longest[0] = max(longest[0], time.monotonic() - began)

    writer = threading.Thread(target=write)
    writer.start()
    pruned = prune(database, settings, soon())
    done.set()
    writer.join()

    assert pruned.events >= 59_000
    assert longest[0] < 2, "seconds that a writer waited for its turn"


def test_a_rig_makes_its_discs_while_everything_old_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    stop, failures = threading.Event(), list[BaseException]()

    with running_rig(tmp_path / "rig", tmp_path / "content", recorders=2) as rig:

        def forget() -> None:
            while not stop.wait(0.1):
                try:  # far younger than the command allows
                    prune(rig.mill.database, rig.settings, now() - timedelta(seconds=5))
                except BaseException as error:  # noqa: BLE001  (told below, in the test's own thread)
                    failures.append(error)
                    return

        pruner = threading.Thread(target=forget)
        pruner.start()
        try:
            same = rig.content("same", size=1 << 20)
            jobs = []
            for number in range(8):
                content = same if number % 2 else rig.content(f"content {number}", size=1 << 20)
                jobs.append(rig.mill.submit(data_disc(content), copies=2, stage="copy"))
                jobs[-1].wait(timeout=60)
            rig.until_idle()
        finally:
            stop.set()
            pruner.join()
        discs = len(rig.shelf())
        prune(rig.mill.database, rig.settings, soon())
        events = count(rig.mill.database, Event)

    assert failures == []
    assert discs == 16
    assert events <= 3
    assert not any((tmp_path / "rig" / "store" / "objects").glob("??/*"))
