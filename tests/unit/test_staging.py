"""What was scanned is what is hashed; anything else is said, and nothing else is read."""

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import Faults
from jobs.manifest import Entry
from jobs.reading import Reader
from jobs.roots import ContentRoots
from jobs.scanning import scan
from jobs.staging import InPlace, Intake, stage


class Meddling(InPlace):
    """Does something to each source right after it was read."""

    def __init__(self, meddle: Callable[[Path], object]) -> None:
        self._meddle = meddle

    def intake(self) -> AbstractContextManager[Intake]:
        return nullcontext(self)

    def take(self, entry: Entry, handle: int, reader: Reader) -> Entry:
        taken = super().take(entry, handle, reader)
        self._meddle(Path(entry.source))
        return taken


def a_file(folder: Path, content: bytes = b"content", name: str = "file") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


def test_every_file_has_the_digest_that_sha256sum_would_print(tmp_path: Path) -> None:
    contents = {f"f{size}": bytes(range(256)) * (size // 256) for size in (0, 256, 1 << 20, (20 << 20) + 256)}
    for name, content in contents.items():
        a_file(tmp_path, content, name)
    (tmp_path / "folder").mkdir()
    roots = ContentRoots([tmp_path])

    manifest = stage(scan([tmp_path], roots).entries, roots)

    digests = {entry.path: entry.sha256 for entry in manifest.entries}
    assert digests == {"folder": ""} | {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    assert manifest.bytes == sum(map(len, contents.values()))


@pytest.mark.parametrize("threads", [1, 3])
def test_progress_ends_with_everything_and_never_goes_back(tmp_path: Path, threads: int) -> None:
    for number in range(20):
        a_file(tmp_path, b"12", f"f{number}")
    for name in ("large", "larger"):
        os.truncate(a_file(tmp_path, name=name), 70 << 20)
    (tmp_path / "folder").mkdir()
    roots = ContentRoots([tmp_path])
    heard: list[tuple[int, int, int]] = []

    manifest = stage(
        scan([tmp_path], roots).entries, roots, threads=threads, progress=lambda *figures: heard.append(figures)
    )

    assert heard[0] == (0, manifest.bytes, 1)
    assert heard[-1] == (manifest.bytes, manifest.bytes, 23)
    assert heard == sorted(heard)
    assert len(heard) > 3


@pytest.mark.parametrize(
    ("meddle", "how"),
    [
        (lambda file: file.write_bytes(b"longer than before"), "changed its size from 7 to 18 bytes"),
        (lambda file: os.utime(file, ns=(0, 0)), "was written to"),
        (lambda file: a_file(file.parent, b"content", "new").rename(file), "was replaced"),
        (lambda file: file.unlink(), "was removed"),
    ],
)
def test_a_source_that_changes_is_noticed_before_it_is_read_and_after(
    tmp_path: Path, meddle: Callable[[Path], object], how: str
) -> None:
    roots = ContentRoots([tmp_path])
    first, second = a_file(tmp_path, name="first"), a_file(tmp_path, name="second")
    before, after = scan([first], roots).entries, scan([second], roots).entries
    meddle(first)

    with pytest.raises(Faults) as early:
        stage(before, roots)
    with pytest.raises(Faults) as late:
        stage(after, roots, store=Meddling(meddle))

    assert early.value.faults == (f"{first} {how} since it was staged; put the staged file back, or order anew",)
    assert late.value.faults == (f"{second} {how} since it was staged; put the staged file back, or order anew",)


def test_a_source_that_became_a_link_or_a_fifo_is_not_followed(tmp_path: Path) -> None:
    roots = ContentRoots([tmp_path])
    files = [a_file(tmp_path, name="fifo"), a_file(tmp_path, name="link")]
    entries = scan(files, roots).entries
    for file in files:
        file.unlink()
    os.mkfifo(files[0])
    files[1].symlink_to("/etc/passwd")

    with pytest.raises(Faults) as refusal:
        stage(entries, roots)

    assert [fault.split(" since")[0] for fault in refusal.value.faults] == [
        f"{files[0]} was replaced",
        f"{files[1]} was replaced",
    ]


def test_a_folder_swapped_for_a_link_out_of_the_roots_gives_nothing_away(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "folder").mkdir(parents=True)
    file = a_file(inside / "folder")
    roots = ContentRoots([inside])
    entries = scan([file], roots).entries
    (inside / "folder").rename(outside)
    (inside / "folder").symlink_to(outside)

    with pytest.raises(Faults) as refusal:
        stage(entries, roots)

    assert refusal.value.faults[0].startswith(f"{inside}/folder/file was replaced since it was staged")


def test_a_demanded_digest_must_be_the_files(tmp_path: Path) -> None:
    roots = ContentRoots([tmp_path])
    [entry] = scan([a_file(tmp_path)], roots).entries
    right = hashlib.sha256(b"content").hexdigest()

    assert stage([replace(entry, sha256=right)], roots).entries[0].sha256 == right
    with pytest.raises(Faults) as refusal:
        stage([replace(entry, sha256="0" * 64)], roots)
    assert refusal.value.faults == (f"{entry.source} has the SHA-256 {right}, but {'0' * 64} is demanded",)


def test_all_faults_of_all_files_come_together(tmp_path: Path) -> None:
    roots = ContentRoots([tmp_path])
    files = [a_file(tmp_path, name=f"f{number}") for number in range(3)]
    entries = scan(files, roots).entries
    files[0].unlink()
    files[2].write_bytes(b"another size")

    with pytest.raises(Faults) as refusal:
        stage(entries, roots)

    assert [fault.split(" since")[0] for fault in refusal.value.faults] == [
        f"{files[0]} was removed",
        f"{files[2]} changed its size from 7 to 12 bytes",
    ]


def test_whoever_listens_can_call_it_off(tmp_path: Path) -> None:
    for number in range(3):
        os.truncate(a_file(tmp_path, name=f"f{number}"), 70 << 20)
    roots = ContentRoots([tmp_path])

    def progress(done: int, *_: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage(scan([tmp_path], roots).entries, roots, progress=progress)

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("staging")]


def test_what_fails_in_a_thread_is_raised_here(tmp_path: Path) -> None:
    roots = ContentRoots([tmp_path])
    a_file(tmp_path)

    def break_down(_: Path) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stage(scan([tmp_path], roots).entries, roots, store=Meddling(break_down))
