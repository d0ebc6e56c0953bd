"""Turns audio files into a disc's samples, kept in the content store: each file by a process of its own.

The files come from anywhere, and decoders are large programs in C. So what reads a file runs apart, inherits the open
file and nothing else, and may use so much and no more; whatever becomes of it, only its file is refused.
"""

import hashlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any

from jobs.decoder.words import RATE, SAMPLE, Facts, Request
from jobs.errors import DiscError, Faults, OrderError, Remedy
from jobs.manifest import Entry
from jobs.reading import Reader, Stopped, opened
from jobs.roots import ContentRoots, shown
from jobs.store import ContentStore, StoreIntake

#: Hears bytes of sources done, and bytes in total.
Progress = Callable[[int, int], None]

#: Minutes no disc can address (Red Book: two digits).
_MOST_MINUTES = 100
#: Seconds between two looks at whether the order was given up.
_GLANCE = 0.1
#: Seconds a decoder that closed its mouth has to exit.
_GRACE = 5.0
#: Bytes of what a decoder may say at once; its lines are short.
_MOST_WORDS = 1 << 20
_PIECE = 1 << 20
_PACKAGES = Path(__file__).resolve().parents[1]


class DecoderFailed(DiscError):
    """The decoding process can't be started: the host has no room for it now."""

    code = "DISCMILL_E_DECODER"
    remedy = Remedy.TRY_AGAIN


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: CPU seconds, bytes of address space, seconds of silence, seconds altogether.

    An hour of music takes some ten CPU seconds.
    """

    cpu_seconds: int = 900
    memory: int = 1 << 30
    silence: float = 120.0
    deadline: float = 3600.0


@dataclass(frozen=True, slots=True)
class Recording:
    """An audio file that was scanned. Its `sha256` is empty, or what the file must have.

    `raw` is "little" or "big" if it is samples without a header. `cuts` are the samples on the disc at which it
    falls apart, since something comes in between there.
    """

    entry: Entry
    raw: str = ""
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's samples in the store, an entry for each piece, and what was learnt of it."""

    pieces: tuple[Entry, ...]
    facts: Facts


def find_program(name: str) -> str:
    """Return the path of a program, or nothing."""
    return shutil.which(name) or ""


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes files, as many at once as there are processors. `stopped` is set when nobody wants the rest."""

    roots: ContentRoots
    store: ContentStore
    limits: Limits = field(default_factory=Limits)
    ffmpeg: str = field(default_factory=partial(find_program, "ffmpeg"))
    ffprobe: str = field(default_factory=partial(find_program, "ffprobe"))
    stopped: Event = field(default_factory=Event)

    def decode(self, recording: Recording, hear: Callable[[float], None] = lambda _: None) -> Decoded:
        """Decode one file; `hear` hears what share of it is done.

        Raises:
            OrderError: it can't be read or decoded, is damaged, or is not what was scanned or demanded.
            StoreError: the store can't keep it.
            DecoderFailed: the process can't be started.
            Stopped: it was given up.
        """
        entry = recording.entry
        with self.store.intake() as intake:
            with opened(entry, self.roots) as handle:
                entry = replace(entry, origin=entry.source, origin_sha256=self._digest(entry, handle))
                facts = list[Facts]()
                work = _Work(self, recording, entry.origin_sha256, handle, hear)
                whole = intake.make(entry, lambda output: facts.append(work.run(output)))
            if whole.size != facts[0].samples * SAMPLE:
                raise OrderError(f"{shown(entry.source)} can't be decoded: its decoder lost count of the samples")
            pieces = _parted(intake, whole, recording.cuts)
            return Decoded(tuple(intake.keep(pieces)), facts[0])

    def _digest(self, entry: Entry, handle: int) -> str:
        digest = hashlib.sha256()
        for piece in Reader(stopped=self.stopped).pieces(handle, entry):
            digest.update(piece)
        found = digest.hexdigest()
        if entry.sha256 not in {"", found}:
            raise OrderError(f"{shown(entry.source)} has the SHA-256 {found}, but {entry.sha256} is demanded")
        os.lseek(handle, 0, os.SEEK_SET)  # the decoder shares the position
        return found

    def decode_all(self, recordings: Sequence[Recording], progress: Progress = lambda *_: None) -> list[Decoded]:
        """Decode files side by side; the results are in their order.

        Raises:
            Faults: all that is wrong with any of them.
            StoreError, DecoderFailed: as above.
        """
        steps = SimpleQueue[_Step]()
        total = sum(recording.entry.size for recording in recordings)
        shares = [0.0] * len(recordings)
        results: dict[int, Decoded] = {}
        faults: dict[int, str] = {}
        progress(0, total)
        with self._pool(recordings, steps):
            while len(results) + len(faults) < len(recordings):
                step = steps.get()
                shares[step.number] = step.share
                if isinstance(step.outcome, Decoded):
                    results[step.number] = step.outcome
                elif isinstance(step.outcome, OrderError):
                    faults[step.number] = step.outcome.message
                elif step.outcome is not None:
                    raise step.outcome
                done = sum(share * each.entry.size for share, each in zip(shares, recordings, strict=True))
                progress(int(done), total)
                self._check_length(results.values())
        if faults:
            raise Faults("the audio can't be decoded", [faults[number] for number in sorted(faults)])
        return [results[number] for number in range(len(recordings))]

    @contextmanager
    def _pool(self, recordings: Sequence[Recording], steps: "SimpleQueue[_Step]") -> Iterator[None]:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0)), thread_name_prefix="decoding") as pool:
            try:
                for number, recording in enumerate(recordings):
                    pool.submit(self._work, number, recording, steps)
                yield
            finally:
                self.stopped.set()
                pool.shutdown(cancel_futures=True)

    def _work(self, number: int, recording: Recording, steps: "SimpleQueue[_Step]") -> None:
        """Decode one of several files; whatever happens, the last step told has an outcome."""
        try:
            decoded = self.decode(recording, lambda share: steps.put(_Step(number, share)))
            steps.put(_Step(number, 1.0, decoded))
        except BaseException as error:  # noqa: BLE001  (it is raised again where the steps are heard)
            steps.put(_Step(number, 1.0, error))

    def _check_length(self, results: Iterable[Decoded]) -> None:
        """Give up as soon as it is too much for any disc: the store shall not fill with what can't be burnt."""
        if sum(decoded.facts.samples for decoded in results) > _MOST_MINUTES * 60 * RATE:
            fault = f"the files together are longer than {_MOST_MINUTES} minutes; make several orders of them"
            raise Faults("the audio can't be decoded", [fault])


@dataclass(frozen=True, slots=True)
class _Step:
    """What a thread has to tell of a file."""

    number: int
    share: float
    outcome: Decoded | BaseException | None = None


def _parted(intake: StoreIntake, whole: Entry, cuts: Sequence[int]) -> list[Entry]:
    """Cut a decoded draft into pieces; one that is not cut stays what it is."""
    inner = sorted({cut * SAMPLE for cut in cuts if 0 < cut * SAMPLE < whole.size})
    if not inner:
        return [whole]
    with Path(whole.source).open("rb") as draft:
        bounds = zip([0, *inner], [*inner, whole.size], strict=True)
        return [intake.make(whole, partial(_copy, draft.fileno(), begin, end)) for begin, end in bounds]


def _copy(source: int, begin: int, end: int, output: int) -> None:
    while begin < end:
        begin += os.sendfile(output, source, begin, min(_PIECE, end - begin))


@dataclass(frozen=True, slots=True)
class _Work:
    """One file's way through its process."""

    decoder: Decoder
    recording: Recording
    seed: str
    source: int
    hear: Callable[[float], None]

    @property
    def named(self) -> str:
        """The file, for people."""
        return shown(self.recording.entry.source)

    def run(self, output: int) -> Facts:
        """Let a process write the samples to an open file.

        Raises:
            OrderError: the file can't be decoded.
            OSError: the output can't be written.
        """
        request = Request(
            source=self.source,
            output=output,
            seed=self.seed,
            raw=self.recording.raw,
            ffmpeg=self.decoder.ffmpeg,
            ffprobe=self.decoder.ffprobe,
            cpu_seconds=self.decoder.limits.cpu_seconds,
            memory=self.decoder.limits.memory,
        )
        with _started(request) as process:
            words = self._listen(process)
        if "facts" in words:
            return Facts.of(words["facts"])
        if "errno" in words:
            raise OSError(words["errno"], os.strerror(words["errno"]))
        if "fault" in words:
            raise OrderError(f"{self.named} {words['fault']}")
        raise OrderError(f"{self.named} can't be decoded: {self._ending(process.returncode)}")

    def _ending(self, code: int) -> str:
        if -code in {signal.SIGXCPU, signal.SIGKILL}:
            seconds = self.decoder.limits.cpu_seconds
            return f"decoding takes more than {seconds} seconds of computing, or was killed; convert it to WAV or FLAC"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"its decoder crashed ({how}), as on a damaged file; convert it to WAV or FLAC"

    def _listen(self, process: "subprocess.Popen[bytes]") -> dict[str, Any]:
        """Hear what a process says until it has ended; return its last words.

        Raises:
            OrderError: it fell silent, or takes too long.
            Stopped: nobody wants to know any more.
        """
        ear = _Ear(process, self.hear)
        limits = self.decoder.limits
        end = time.monotonic() + limits.deadline
        while not ear.has_ended(_GLANCE):
            if self.decoder.stopped.is_set():
                raise Stopped
            if time.monotonic() > min(end, ear.last + limits.silence):
                raise OrderError(f"{self.named} can't be decoded: its decoder hangs; convert it to WAV or FLAC")
        return ear.words


class _Ear:
    """Hears the lines of a process: remembers the last one that is no progress, and when anything was said."""

    def __init__(self, process: "subprocess.Popen[bytes]", hear: Callable[[float], None]) -> None:
        self.last = time.monotonic()
        self.words: dict[str, Any] = {}
        self._process = process
        self._hear = hear
        self._rest = b""

    def has_ended(self, patience: float) -> bool:
        """Listen for a moment; say whether the process has said everything and is gone."""
        pipe = self._process.stdout
        if pipe is None or pipe.closed:
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            if not selector.select(patience):
                return False
        data = os.read(pipe.fileno(), _MOST_WORDS)
        self.last = time.monotonic()
        if not data or len(self._rest) > _MOST_WORDS:
            pipe.close()
            return True
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return False

    def _take(self, words: dict[str, Any]) -> None:
        if "share" in words:
            self._hear(words["share"])
        else:
            self.words = words


@contextmanager
def _started(request: Request) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a decoder; whatever happens, in the end neither it nor a program it started is left.

    Raises:
        DecoderFailed: it can't be started.
    """
    command = [sys.executable, "-P", "-X", "utf8", "-m", "jobs.decoder", request.line]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries talk there of what the process says itself
            # One thread: the files are decoded side by side already, and each thread of OpenBLAS takes memory.
            env={"PYTHONPATH": str(_PACKAGES), "PATH": os.defpath, "LC_ALL": "C", "OPENBLAS_NUM_THREADS": "1"},
            cwd="/",
            pass_fds=[request.source, request.output],
            start_new_session=True,
        )
    except OSError as error:
        raise DecoderFailed(f"the decoder can't be started ({error.strerror}); try again later") from error
    with process:
        patience = 0.0
        try:
            yield process
            patience = _GRACE  # it said its last word: let it exit, so that its code tells how
        finally:
            _end(process, patience)


def _end(process: "subprocess.Popen[bytes]", patience: float) -> None:
    """End a decoder's session, and it if it does not exit. Its number is its own until it is waited for."""
    _has_exited(process.pid, patience)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _has_exited(pid: int, patience: float) -> bool:
    """Wait for the end of a child without taking note of it."""
    handle = os.pidfd_open(pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(handle, selectors.EVENT_READ)
            return bool(selector.select(patience))
    finally:
        os.close(handle)
