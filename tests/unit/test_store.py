"""Copies of content: each once, never replaced, whole or not there."""

import errno
import hashlib
import os
import stat
from pathlib import Path

import pytest

from jobs.errors import Faults, Remedy
from jobs.manifest import Manifest
from jobs.roots import ContentRoots
from jobs.scanning import scan
from jobs.staging import stage
from jobs.store import ContentStore, StoreError, StoreFull, _told, reflink

DIGEST = hashlib.sha256(b"content").hexdigest()


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Two files of the same content and different times, one of other content, one empty."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name, content in {"a": b"content", "b": b"content", "c": bytes(3 << 20), "d": b""}.items():
        (folder / name).write_bytes(content)
    os.utime(folder / "a", ns=(0, 111))
    os.utime(folder / "b", ns=(0, 222))
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "store")


def staged(sources: Path, store: ContentStore) -> Manifest:
    roots = ContentRoots([sources])
    return stage(scan([sources], roots).entries, roots, store=store)


def objects(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "store" / "objects").rglob("*") if path.is_file())


def test_content_is_kept_once_under_its_digest(tmp_path: Path, sources: Path, store: ContentStore) -> None:
    manifest = staged(sources, store)

    a, b, c, d = manifest.entries
    assert a.source == b.source == str(store.path(DIGEST))
    assert store.path(DIGEST) == tmp_path / "store" / "objects" / DIGEST[:2] / DIGEST[2:]
    assert [Path(entry.source).read_bytes() for entry in (a, c, d)] == [b"content", bytes(3 << 20), b""]
    assert objects(tmp_path) == sorted({Path(entry.source) for entry in manifest.entries})
    assert list((tmp_path / "store" / "incoming").iterdir()) == []


def test_each_entry_bears_its_own_time_and_is_guarded_by_the_objects(sources: Path, store: ContentStore) -> None:
    a, b, *_ = staged(sources, store).entries

    found = store.path(DIGEST).stat()
    assert (a.mtime_ns, b.mtime_ns) == (111, 222)
    assert a.source_mtime_ns == b.source_mtime_ns == found.st_mtime_ns
    assert a.inode == b.inode == found.st_ino


def test_the_same_order_again_is_the_same_manifest(sources: Path, store: ContentStore) -> None:
    assert staged(sources, store) == staged(sources, store)


def test_nobody_writes_to_an_object_and_strangers_read_none(tmp_path: Path, sources: Path, store: ContentStore) -> None:
    staged(sources, store)

    assert stat.S_IMODE(store.path(DIGEST).stat().st_mode) == 0o444
    assert stat.S_IMODE((tmp_path / "store" / "objects").stat().st_mode) == 0o700


def test_where_the_file_system_shares_blocks_nothing_is_copied(tmp_path: Path, sources: Path) -> None:
    shared: list[int] = []

    def clone(source: int, copy: int) -> bool:
        shared.append(os.pwrite(copy, os.pread(source, 4 << 20, 0), 0))
        return True

    manifest = staged(sources, ContentStore(tmp_path / "store", clone))

    assert sorted(shared) == [7, 7, 3 << 20]
    assert manifest.entries[0].sha256 == DIGEST
    assert manifest.entries[2].sha256 == hashlib.sha256(bytes(3 << 20)).hexdigest()


def test_a_clone_of_another_size_is_refused(tmp_path: Path, sources: Path) -> None:
    def clone(_: int, copy: int) -> bool:
        return os.pwrite(copy, b"content and more", 0) > 0

    with pytest.raises(Faults, match="changed its size"):
        staged(sources, ContentStore(tmp_path / "store", clone))

    assert [path.stat().st_size for path in objects(tmp_path)] == [0]  # the empty file is cloned by nobody


def test_a_reflink_that_the_system_refuses_is_no_error() -> None:
    reader, writer = os.pipe()
    try:
        assert not reflink(reader, writer)
    finally:
        os.close(reader)
        os.close(writer)


def test_a_faulty_file_leaves_no_draft(tmp_path: Path, sources: Path, store: ContentStore) -> None:
    roots = ContentRoots([sources])
    entries = scan([sources], roots).entries
    (sources / "c").unlink()

    with pytest.raises(Faults, match="c was removed"):
        stage(entries, roots, store=store)

    assert list((tmp_path / "store" / "incoming").iterdir()) == []


def test_an_object_of_the_wrong_size_is_never_used(sources: Path, store: ContentStore) -> None:
    store.path(DIGEST).parent.mkdir(parents=True)
    store.path(DIGEST).write_bytes(b"cont")

    with pytest.raises(StoreError, match=r"has 4 bytes instead of 7; remove it and order again"):
        staged(sources, store)


def test_a_store_that_can_not_be_written_is_not_the_sources_fault(tmp_path: Path, sources: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreError, match="can't be written") as refusal:
        staged(sources, ContentStore(tmp_path / "file"))

    assert refusal.value.remedy is Remedy.TRY_AGAIN


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_store_asks_for_room(tmp_path: Path, code: int) -> None:
    with pytest.raises(StoreFull, match="make room") as refusal, _told(tmp_path / "objects"):
        raise OSError(code, os.strerror(code))

    assert refusal.value.remedy is Remedy.FREE_SPACE


def test_pruning_takes_what_nobody_wants_and_spares_the_young(
    tmp_path: Path, sources: Path, store: ContentStore
) -> None:
    staged(sources, store)
    crashed = tmp_path / "store" / "incoming" / "crashed"
    crashed.mkdir()
    (crashed / "1").write_bytes(b"half")
    long_ago, soon = 0.0, store.path(DIGEST).stat().st_ctime + 1e6

    assert store.prune(set(), long_ago) == 0
    assert store.prune({DIGEST}, soon) == (3 << 20) + 4
    assert objects(tmp_path) == [store.path(DIGEST)]
    assert not crashed.exists()


def test_what_is_found_in_the_store_is_young_again(sources: Path, store: ContentStore) -> None:
    staged(sources, store)
    before = store.path(DIGEST).stat()
    store.path(DIGEST).chmod(0o400)

    staged(sources, store)

    after = store.path(DIGEST).stat()
    assert stat.S_IMODE(after.st_mode) == 0o444  # what sets the mode renews the ctime
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
