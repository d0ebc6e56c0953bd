"""Keeps manifests in the database: staged in batches, whole or not there, each once."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from jobs.errors import DiscError, NotFound
from jobs.manifest import Entry, Manifest
from models.base import Base, now
from models.database import Database
from models.manifest import Manifest as StoredManifest
from models.manifest import ManifestEntry

#: How long a manifest counts as just stored; `prune` takes none that is younger than a day.
_RENEWED = timedelta(hours=1)
#: Rows of one transaction: others who want to write wait for less than a tenth of a second.
_BATCH = 5_000
_COLUMNS = (
    ManifestEntry.path,
    ManifestEntry.size,
    ManifestEntry.mtime_ns,
    ManifestEntry.folder,
    ManifestEntry.source,
    ManifestEntry.inode,
    ManifestEntry.sha256,
    ManifestEntry.source_mtime_ns,
    ManifestEntry.origin,
    ManifestEntry.origin_sha256,
)


def store_manifest(database: Database, manifest: Manifest) -> int:
    """Store a manifest in short transactions and return its id; one that is there already is not stored again.

    Several may store the same one at the same moment, and one may go on where another crashed: the rows of
    a digest are the same whoever writes them.
    """
    manifest_id, complete = _find_or_begin(database, manifest)
    if complete:
        return manifest_id
    rows = _rows(manifest_id, manifest)
    while batch := list(islice(rows, _BATCH)):
        with database.write() as db:
            db.connection().execute(_insert_missing(database, ManifestEntry), batch)
    with database.write() as db:
        _complete(db, manifest_id, len(manifest.entries))
    return manifest_id


def load_manifest(db: Session, manifest_id: int) -> Manifest:
    """Load a manifest, and check it by its digest.

    Raises:
        NotFound: there is none with this id, or not all of it.
        DiscError: the database gave back something else than was stored.
    """
    stored = db.get(StoredManifest, manifest_id)
    if stored is None or not stored.complete:
        raise NotFound(f"there is no manifest {manifest_id}")
    query = select(*_COLUMNS).where(ManifestEntry.manifest_id == manifest_id).order_by(ManifestEntry.position)
    manifest = Manifest.of((_entry(row) for row in db.execute(query)), stored.head or "")
    if manifest.sha256 != stored.sha256:
        raise DiscError(f"manifest {manifest_id} is damaged: its digest is {manifest.sha256}, not {stored.sha256}")
    return manifest


def _entry(row: Row[*tuple[object, ...]]) -> Entry:
    return Entry(
        path=row.path,
        size=row.size,
        mtime_ns=row.mtime_ns,
        folder=row.folder,
        source=row.source or "",
        inode=row.inode % 2**64,
        sha256=row.sha256 or "",
        source_mtime_ns=row.source_mtime_ns,
        origin=row.origin or "",
        origin_sha256=row.origin_sha256 or "",
    )


def _find_or_begin(database: Database, manifest: Manifest) -> tuple[int, bool]:
    mine = StoredManifest.sha256 == manifest.sha256
    query = select(StoredManifest.id, StoredManifest.complete, StoredManifest.created).where(mine)
    with database.read() as db:
        found = db.execute(query).one_or_none()
    if found is not None and found.created < now() - _RENEWED:  # no `prune` may take it for forgotten from here on
        with database.write() as db:
            db.execute(update(StoredManifest).where(mine).values(created=now()))
            found = db.execute(query).one_or_none()
    if found is None:
        row = {
            "sha256": manifest.sha256,
            "entries": len(manifest.entries),
            "bytes": manifest.bytes,
            "head": manifest.head or None,
        }
        with database.write() as db:
            db.connection().execute(_insert_missing(database, StoredManifest), [row])
            found = db.execute(query).one()
    return found.id, found.complete


def _insert_missing(database: Database, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    insert = sqlite.insert(table) if database.is_sqlite else postgresql.insert(table)
    return insert.on_conflict_do_nothing()


def _complete(db: Session, manifest_id: int, entries: int) -> None:
    stored = db.scalar(select(func.count()).where(ManifestEntry.manifest_id == manifest_id))
    if stored != entries:
        raise DiscError(f"manifest {manifest_id} has {stored} stored entries instead of {entries}")
    db.execute(update(StoredManifest).where(StoredManifest.id == manifest_id).values(complete=True))


def _rows(manifest_id: int, manifest: Manifest) -> Iterator[dict[str, object]]:
    for position, entry in enumerate(manifest.entries):
        yield {
            "manifest_id": manifest_id,
            "position": position,
            "path": entry.path,
            "name": entry.name,
            "folder": entry.folder,
            "source": entry.source or None,
            "size": entry.size,
            "mtime_ns": entry.mtime_ns,
            "source_mtime_ns": entry.source_mtime_ns,
            "inode": (entry.inode + 2**63) % 2**64 - 2**63,  # file systems use all 64 bits, SQL's are signed
            "sha256": entry.sha256 or None,
            "origin": entry.origin or None,
            "origin_sha256": entry.origin_sha256 or None,
        }
