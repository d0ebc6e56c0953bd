"""The rig that is broken: real processes, restarted as `discmill up` does, and every handle to hurt them."""

import contextlib
import os
import secrets
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import redis

from jobs.client import Client
from jobs.settings import RecorderSetting, Settings, load_settings
from models.database import Database
from tests.rigs import wait_until
from tests.servers import PostgresServer
from workers.locks import is_free
from workers.programs import Program
from workers.recorders.emulated_drive import EmulatedDrive
from workers.rig import Rig

#: Short intervals, so that leases run out and stalls are noticed within seconds.
FAST: Mapping[str, object] = {
    "heartbeat": 0.3,
    "lease": 2.0,
    "tick": 0.2,
    "watch": 0.1,
    "back_off": 0.1,
    "stall_after": 4.0,
    "replace_after": 4.0,
    "quarantine_after": 4,
}
#: Multiples of 1x: slow enough for kills to meet every stage, fast enough for many discs.
SPEED = 10.0
_LOOK = 0.05
#: Alembic keeps what it is at in its module: a process that starts several rigs lets one after the other migrate.
_STARTING = threading.Lock()


@dataclass(slots=True)
class BrokenRig:
    """A running rig. `hold` keeps the keeper from restarting anything meanwhile."""

    rig: Rig
    mill: Client
    root: Path
    postgres: PostgresServer | None
    hold: threading.Lock = field(default_factory=threading.Lock)

    @property
    def settings(self) -> Settings:
        return self.rig.settings

    @property
    def database(self) -> Database:
        return self.mill.database

    @property
    def recorders(self) -> list[str]:
        return [each.name for each in self.rig.recorders]

    def program(self, name: str) -> Program:
        return next(program for program in self.rig.programs if program.name == name)

    def pid(self, name: str) -> int | None:
        """Return the process id of a program; None while it is not running."""
        process = self.program(name).process
        return process.pid if process is not None and process.poll() is None else None

    def drive(self, recorder: str) -> EmulatedDrive:
        return EmulatedDrive(self.settings.home / "recorders" / recorder)

    def can_write(self) -> bool:
        """Say whether nobody who was stopped holds SQLite's lock, or the turn that comes before it."""
        if self.postgres is not None:
            return True
        if not is_free(self.settings.home / "discmill.db-queue"):
            return False
        with contextlib.closing(sqlite3.connect(self.settings.home / "discmill.db", timeout=0.2)) as db:
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
            db.rollback()
        return True

    def stop_outside_transactions(self, pid: int) -> bool:
        """Stop a process, unless it holds SQLite's lock right now: all others would wait for it."""
        send(pid, signal.SIGSTOP)
        wait_until(lambda: _stands_still(pid), f"all threads of process {pid} stand still")
        if self.can_write():
            return True
        send(pid, signal.SIGCONT)
        return False

    def answers(self) -> bool:
        """Say whether Redis does."""
        with contextlib.suppress(redis.RedisError), self.redis() as client:
            return bool(client.ping())
        return False

    def redis(self) -> "redis.Redis":
        return redis.Redis(unix_socket_path=str(self.settings.redis_socket), socket_timeout=5)

    def burner(self, recorder: str) -> int | None:
        """Return the process id of the burner that has a drive, if one has."""
        lock = self.drive(recorder).locks / "drive"
        if not lock.exists() or is_free(lock):
            return None
        pid = lock.read_text().strip()
        return int(pid) if pid.isdigit() and _is_burner(int(pid)) else None

    def content(self, name: str, size: int) -> Path:
        """Make a folder of random files, `size` bytes in all."""
        folder = self.root / name
        folder.mkdir()
        for number in range(3):
            (folder / f"file {number}.bin").write_bytes(secrets.token_bytes(size // 3))
        return folder

    def keep_running(self, stop: threading.Event) -> None:
        """Restart what ended, at once: what is measured is recovery, not the patience of a supervisor."""
        while not stop.wait(_LOOK):
            with self.hold:
                for program in self.rig.programs:
                    program._started = float("-inf")
                with contextlib.suppress(redis.RedisError):
                    self.rig.keep_running()

    def wake_all(self) -> None:
        """Let everything go on that was stopped, so that it can end."""
        pids = [self.pid(program.name) for program in self.rig.programs]
        pids += [self.burner(name) for name in self.recorders]
        for pid in [*pids, self.rig._redis.pid if self.rig._redis.alive() else None]:
            send(pid, signal.SIGCONT)


def send(pid: int | None, number: signal.Signals) -> bool:
    """Send a signal; False if nobody is there any more."""
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def _stands_still(pid: int) -> bool:
    """Say whether every thread of a process has been stopped: a signal takes its time on a busy machine (proc(5))."""
    states = [file.read_text().rpartition(") ")[2][0] for file in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) <= {"T"}


def _is_burner(pid: int) -> bool:
    try:
        return b"workers.burner" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@contextlib.contextmanager
def broken_rig(
    folder: Path,
    recorders: int,
    postgres: PostgresServer | None = None,
    environment: Mapping[str, str] | None = None,
    *,
    speed: float = SPEED,
    **given: object,
) -> Iterator[BrokenRig]:
    """Run a rig in a folder; `environment` is added to what its programs see. Nothing is left running."""
    url = postgres.url(postgres.new_database()) if postgres is not None else str(given.pop("database_url", ""))
    home, root = folder / "home", folder / "content"
    root.mkdir()
    settings = load_settings(home=home, content_roots=[root], database_url=url, **{**FAST, **given})
    named = [
        RecorderSetting(name=f"r{n}", uri=f"emulated:{home / 'recorders' / f'r{n}'}?speed={speed:g}x")
        for n in range(1, recorders + 1)
    ]
    rig = Rig(settings, named, flower=False)
    for program in rig.programs:
        program.environment.update(environment or {})
    stop = threading.Event()
    with _started(rig), Client(settings=settings) as mill:
        broken = BrokenRig(rig, mill, root, postgres)
        keeper = threading.Thread(target=broken.keep_running, args=(stop,), name="keeper")
        keeper.start()
        try:
            wait_until(lambda: rig.are_ready(mill.database), "all recorders are ready")
            yield broken
        finally:
            stop.set()
            keeper.join()
            broken.wake_all()
            end_burners(broken)


@contextlib.contextmanager
def _started(rig: Rig) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        with _STARTING:
            stack.enter_context(rig)
        yield


def end_burners(rig: BrokenRig) -> None:
    """Stop the workers, then wait for burners that outlived one."""
    for name in rig.recorders:
        rig.drive(name).clear_faults()
        rig.program(name).signal(signal.SIGTERM)
    deadline = time.monotonic() + 60
    while any(rig.burner(name) for name in rig.recorders) and time.monotonic() < deadline:
        time.sleep(_LOOK)
    for name in rig.recorders:
        send(rig.burner(name), signal.SIGKILL)


@contextlib.contextmanager
def short_folder(*, keep: bool = False) -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets; kept for whoever wants to look, else removed."""
    folder = Path(tempfile.mkdtemp(prefix="dm-chaos-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
