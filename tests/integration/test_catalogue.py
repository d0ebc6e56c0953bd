"""Manifests in the database: each once, whole or not there, on both kinds of server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest
from sqlalchemy import func, select, update

from jobs import catalogue
from jobs.catalogue import load_manifest, store_manifest
from jobs.errors import DiscError, NotFound
from jobs.manifest import Entry, Manifest
from models.base import Base
from models.database import Database
from models.manifest import Manifest as StoredManifest
from models.manifest import ManifestEntry


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    Base.metadata.create_all(database.engine)
    yield database
    database.close()


def a_manifest(files: int = 3) -> Manifest:
    """Make one whose files have the oddest figures a file system can give."""
    odd = Entry(
        "folder/ünïcödé 💿",
        size=2**40,
        mtime_ns=-1,
        source="/a 'quoted'\nplace",
        inode=2**64 - 1,
        sha256="f" * 64,
        source_mtime_ns=2**62,
    )
    many = (
        Entry(f"f{number}", number, number, source=f"/s/{number}", inode=number, sha256=f"{number:064x}")
        for number in range(files)
    )
    return Manifest.of([Entry("folder", 0, 5, folder=True), odd, *many])


def an_audio_manifest() -> Manifest:
    track = Entry("01", 705_600, 9, source="/store/ab/cd", inode=3, sha256="c" * 64, source_mtime_ns=8)
    tracks = [
        replace(track, path=f"0{number}", origin=f"/music/{number}.flac", origin_sha256=f"{number:064x}")
        for number in (1, 2)
    ]
    return Manifest.of(tracks, '{"places":[0,705600],"programme":{"mcn":""}}')


def counts(database: Database) -> tuple[int | None, int | None]:
    with database.read() as db:
        manifests = db.scalar(select(func.count()).select_from(StoredManifest))
        return manifests, db.scalar(select(func.count()).select_from(ManifestEntry))


def test_what_was_stored_is_loaded(database: Database) -> None:
    manifest = a_manifest()

    manifest_id = store_manifest(database, manifest)

    with database.read() as db:
        assert load_manifest(db, manifest_id) == manifest
        stored = db.get_one(StoredManifest, manifest_id)
    assert (stored.sha256, stored.entries, stored.bytes) == (manifest.sha256, 5, manifest.bytes)
    assert stored.complete


def test_what_the_entries_do_not_say_is_kept_too(database: Database) -> None:
    manifest = an_audio_manifest()

    manifest_id = store_manifest(database, manifest)

    with database.read() as db:
        assert load_manifest(db, manifest_id) == manifest
    assert store_manifest(database, Manifest.of(manifest.entries)) != manifest_id


def test_entries_can_be_found_by_name_and_digest(database: Database) -> None:
    store_manifest(database, a_manifest())

    with database.read() as db:
        by_name = db.scalars(select(ManifestEntry.path).where(ManifestEntry.name == "ünïcödé 💿")).all()
        by_digest = db.scalars(select(ManifestEntry.path).where(ManifestEntry.sha256 == "f" * 64)).all()
    assert by_name == by_digest == ["folder/ünïcödé 💿"]


def test_the_same_manifest_is_stored_once(database: Database) -> None:
    first = store_manifest(database, a_manifest())

    assert store_manifest(database, a_manifest()) == first
    assert store_manifest(database, a_manifest(4)) != first
    assert counts(database) == (2, 5 + 6)


def test_an_empty_manifest_is_a_manifest(database: Database) -> None:
    manifest_id = store_manifest(database, Manifest.of([]))

    with database.read() as db:
        assert load_manifest(db, manifest_id) == Manifest.of([])


def test_a_large_manifest_goes_in_by_batches(database: Database) -> None:
    manifest = a_manifest(12_000)

    manifest_id = store_manifest(database, manifest)

    with database.read() as db:
        assert load_manifest(db, manifest_id) == manifest


def test_many_may_store_the_same_at_once(database: Database) -> None:
    manifest = a_manifest(6_000)
    start = Barrier(4)

    def store(_: int) -> int:
        start.wait()
        return store_manifest(database, manifest)

    with ThreadPoolExecutor(4) as pool:
        ids = set(pool.map(store, range(4)))

    assert len(ids) == 1
    assert counts(database) == (1, 6_002)


def test_what_a_crashed_submitter_left_is_completed(database: Database) -> None:
    manifest = a_manifest(20)
    manifest_id, _ = catalogue._find_or_begin(database, manifest)
    with database.write() as db:
        half = list(catalogue._rows(manifest_id, manifest))[5:9]
        db.connection().execute(catalogue._insert_missing(database, ManifestEntry), half)
    with database.read() as db, pytest.raises(NotFound):
        load_manifest(db, manifest_id)

    again = store_manifest(database, manifest)

    assert again == manifest_id
    with database.read() as db:
        assert load_manifest(db, manifest_id) == manifest


def test_a_manifest_nobody_stored_is_not_found(database: Database) -> None:
    with database.read() as db, pytest.raises(NotFound, match="there is no manifest 7"):
        load_manifest(db, 7)


def test_a_manifest_that_changed_in_the_database_is_refused(database: Database) -> None:
    manifest_id = store_manifest(database, a_manifest())
    with database.write() as db:
        db.execute(update(ManifestEntry).where(ManifestEntry.path == "f1").values(size=99))

    with database.read() as db, pytest.raises(DiscError, match="is damaged"):
        load_manifest(db, manifest_id)
