"""Turns scanned entries into a manifest: every file is read once, guarded, hashed, and copied where that is asked."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Event, Semaphore
from typing import Protocol

from jobs.errors import Faults, OrderError
from jobs.manifest import Entry, Manifest
from jobs.reading import Reader, opened
from jobs.roots import ContentRoots, shown

#: Hears bytes done, bytes in total, and files and folders done.
Progress = Callable[[int, int, int], None]

#: Two threads hash 3 GB a second; no storage that files are ordered from feeds more than four.
_THREADS = 4
#: Batches of small files at once: two read 100,000 files of 1 KB from the disk in half the time of one; four
#: are no faster there, and from memory they take 1.7 times as long, fighting for the interpreter's lock.
_CROWDS = 2
#: Bytes, on average, below which a batch's files count as small.
_SMALL = 32 << 10
#: A batch ends with the file that fills it: small files would otherwise cost more to hand out than to hash.
_BATCH_FILES = 4096
_BATCH_BYTES = 64 << 20
#: Seconds between two words of progress, at most.
_PATIENCE = 0.25
#: Bytes between two words of progress of one thread.
_STRIDE = 16 << 20


class Intake(Protocol):
    """Where the content of one batch goes."""

    def take(self, entry: Entry, handle: int, reader: Reader) -> Entry:
        """Read an open source to its end; return the entry with its digest."""

    def keep(self, entries: Sequence[Entry]) -> list[Entry]:
        """Make what was taken lasting; return the entries as they will be burnt from."""


class Store(Protocol):
    """A place that keeps copies of content."""

    def intake(self) -> AbstractContextManager[Intake]:
        """Open the door for a batch."""


class InPlace:
    """Leaves content where it is."""

    def take(self, entry: Entry, handle: int, reader: Reader) -> Entry:
        """Hash it."""
        digest = hashlib.sha256()
        for piece in reader.pieces(handle, entry):
            digest.update(piece)
        return replace(entry, sha256=digest.hexdigest())

    def keep(self, entries: Sequence[Entry]) -> list[Entry]:
        """Nothing is left to do."""
        return list(entries)


def stage(
    entries: Iterable[Entry],
    roots: ContentRoots,
    *,
    store: Store | None = None,
    progress: Progress = lambda *_: None,
    threads: int | None = None,
) -> Manifest:
    """Hash every file with as many threads as help, and copy it into the store if there is one.

    An entry that has a `sha256` already must turn out to have that.

    Raises:
        Faults: sources that changed since the scan, can't be read, or have another digest than demanded.
        StoreError: the store can't keep them.
    """
    known = list(entries)
    folders = [entry for entry in known if entry.folder]
    files = [entry for entry in known if not entry.folder]
    total = sum(entry.size for entry in files)
    done, staged, faults = 0, folders, list[str]()
    progress(0, total, len(staged))
    for step in _steps(files, _Shared(roots, store), threads or min(_THREADS, len(os.sched_getaffinity(0)))):
        done += step.bytes
        staged += step.entries
        faults += step.faults
        progress(done, total, len(staged))
    if faults:
        raise Faults("the content can't be staged", sorted(faults))
    return Manifest.of(staged)


@dataclass(frozen=True, slots=True)
class _Step:
    """What a thread has to tell."""

    bytes: int = 0
    entries: Sequence[Entry] = ()
    faults: Sequence[str] = ()
    error: BaseException | None = None
    finished: bool = False  #: the batch is


class _Shared:
    """What the threads of one staging share."""

    def __init__(self, roots: ContentRoots, store: Store | None) -> None:
        self.steps: SimpleQueue[_Step] = SimpleQueue()
        self.stopped = Event()
        self._roots = roots
        self._store = store
        self._crowds = Semaphore(_CROWDS)

    def run(self, batch: Sequence[Entry]) -> None:
        """Stage a batch; whatever happens, the last step told is a finished one."""
        try:
            self.steps.put(self._stage(batch))
        except BaseException as error:  # noqa: BLE001  (it is raised again where the steps are heard)
            self.steps.put(_Step(error=error, finished=True))

    def _stage(self, batch: Sequence[Entry]) -> _Step:
        is_crowd = sum(entry.size for entry in batch) < _SMALL * len(batch)
        taken, faults = list[Entry](), list[str]()
        untold = _Untold(self.steps)
        reader = Reader(untold.hear, self.stopped)
        with self._store.intake() if self._store else nullcontext(InPlace()) as intake:
            with self._crowds if is_crowd else nullcontext():
                for entry in batch:
                    try:
                        taken.append(self._take(intake, entry, reader))
                    except OrderError as fault:
                        faults.append(fault.message)
            return _Step(untold.bytes, intake.keep(taken), faults, finished=True)

    def _take(self, intake: Intake, entry: Entry, reader: Reader) -> Entry:
        with opened(entry, self._roots) as handle:
            taken = intake.take(entry, handle, reader)
        if entry.sha256 not in {"", taken.sha256}:
            raise OrderError(f"{shown(entry.source)} has the SHA-256 {taken.sha256}, but {entry.sha256} is demanded")
        return taken


class _Untold:
    """Counts bytes until they are worth a word."""

    def __init__(self, steps: SimpleQueue[_Step]) -> None:
        self.bytes = 0
        self._steps = steps

    def hear(self, count: int) -> None:
        """Count; tell every now and then."""
        self.bytes += count
        if self.bytes >= _STRIDE:
            self._steps.put(_Step(self.bytes))
            self.bytes = 0


def _steps(files: Sequence[Entry], shared: _Shared, threads: int) -> Iterator[_Step]:
    """Run all batches and give what they tell, until the last has ended or one has failed."""
    batches = _batches(files)
    with ThreadPoolExecutor(threads, thread_name_prefix="staging") as pool:
        try:
            for batch in batches:
                pool.submit(shared.run, batch)
            running = len(batches)
            while running:
                try:
                    step = shared.steps.get(timeout=_PATIENCE)
                except Empty:  # slow sources: whoever hears of progress may want to give up
                    step = _Step()
                if step.error is not None:
                    raise step.error
                running -= step.finished
                yield step
        finally:
            shared.stopped.set()
            pool.shutdown(cancel_futures=True)


def _batches(files: Iterable[Entry]) -> list[list[Entry]]:
    """Group neighbours; the largest group first, so that no thread is left alone with it at the end."""
    groups: list[list[Entry]] = [[]]
    sizes = [0]
    for entry in files:
        groups[-1].append(entry)
        sizes[-1] += entry.size
        if len(groups[-1]) == _BATCH_FILES or sizes[-1] >= _BATCH_BYTES:
            groups.append([])
            sizes.append(0)
    order = sorted(range(len(groups)), key=sizes.__getitem__, reverse=True)
    return [groups[index] for index in order if groups[index]]
