"""The whole rig in one terminal: database, Redis, dispatcher, recorders and Flower, started and stopped in order."""

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self
from urllib.parse import quote

from jobs.errors import RecorderBusy
from jobs.overview import recorder_documents
from jobs.rigfile import RigState, forget_rig, read_rig
from jobs.schema import upgrade
from jobs.settings import RecorderSetting, Settings, subprocess_environment
from models.database import Database
from workers.embedded import EmbeddedRedis
from workers.flower import refuse_open_flower
from workers.locks import FileLock
from workers.log_files import rotate
from workers.programs import Program, end_leftover, own_command, process_start

log = logging.getLogger(__name__)

#: Seconds between two looks at the programs.
_LOOK = 0.2
#: Seconds that dispatcher and Flower get to end; workers get as long as their discs take.
_PATIENCE = 10.0


def default_recorders(settings: Settings, count: int, options: str = "") -> list[RecorderSetting]:
    """Name `count` emulated recorders r1..rN in the home."""
    folder = settings.home / "recorders"
    return [
        RecorderSetting(name=f"r{n}", uri=f"emulated:{quote(str(folder / f'r{n}'))}{options}")
        for n in range(1, count + 1)
    ]


class Rig:
    """An embedded rig; entering starts it, leaving stops it once the discs under way are finished.

    Raises:
        NotAllowed: Flower would be open to a network without a password.
        RecorderBusy: on entry; a rig runs in this home already.
    """

    def __init__(self, settings: Settings, recorders: list[RecorderSetting], *, flower: bool = True) -> None:
        self.settings = settings
        self.recorders = recorders
        if flower:
            refuse_open_flower(settings)
        port = settings.flower_port or _free_port(settings.flower_address)
        self.flower_url = f"http://{settings.flower_address}:{port}" if flower else None
        self._lock = FileLock(settings.home / "run" / "rig.lock")
        self._redis = EmbeddedRedis(settings.home / "redis", settings.redis_socket, settings.redis_server)
        environment = {**subprocess_environment(settings), "DISCMILL_FLOWER_PORT": str(port)}
        self._workers = [
            self._program(each.name, environment, "worker", "--recorder", f"{each.name}={each.uri}")
            for each in recorders
        ]
        self._others = [self._program("dispatcher", environment, "dispatcher")]
        if flower:
            self._others.append(self._program("flower", environment, "flower"))

    @property
    def programs(self) -> list[Program]:
        """All child processes but Redis."""
        return [*self._others, *self._workers]

    def __enter__(self) -> Self:
        self.settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock.acquire()
        except RecorderBusy as error:
            message = f"a rig runs in {self.settings.home} already; stop it, or choose another --home"
            raise RecorderBusy(message) from error
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def keep_running(self) -> None:
        """Start again what ended by itself; call it every moment."""
        if not self._redis.alive():
            log.warning("Redis ended; starting it again")
            self._redis.start()
        rotate(self._redis.log_file)
        before = [program.process for program in self.programs]
        for program in self.programs:
            program.keep_running()
        if before != [program.process for program in self.programs]:
            self._note()

    def stop(self, hurry: Callable[[], bool] = lambda: False) -> None:
        """Stop in order: workers once their discs are finished, then the rest, Redis last.

        When `hurry()` turns true the workers are ended at once; burners go on, the next start looks after them.
        """
        for worker in self._workers:
            worker.signal(signal.SIGTERM)
        while any(worker.is_running for worker in self._workers):
            if hurry():
                for worker in self._workers:
                    worker.signal(signal.SIGKILL)
            time.sleep(_LOOK / 4)
        self._stop_others()
        self._redis.stop()
        forget_rig(self.settings.home)
        self._lock.close()

    def are_ready(self, database: Database) -> bool:
        """Say whether every recorder of the rig has been seen by its worker."""
        with database.read() as db:
            states = {str(row["name"]): row["condition"] for row in recorder_documents(db)}
        return all(states.get(each.name) not in {None, "offline", "recovering"} for each in self.recorders)

    def _start(self) -> None:
        self._end_leftovers()
        upgrade(self.settings.database_url)
        self._redis.start()
        for program in self.programs:
            program.start()
        self._note()

    def _stop_others(self) -> None:
        for program in self._others:
            program.signal(signal.SIGTERM)
        deadline = time.monotonic() + _PATIENCE
        while any(program.is_running for program in self._others):
            if time.monotonic() > deadline:
                for program in self._others:
                    program.signal(signal.SIGKILL)
            time.sleep(_LOOK / 4)

    def _program(self, name: str, environment: dict[str, str], *arguments: str) -> Program:
        return Program(name, own_command(*arguments), environment, self.settings.home / "logs" / f"{name}.log")

    def _note(self) -> None:
        """Note the address and the processes, for people and for the next start."""
        processes = [program.process for program in self.programs if program.process is not None]
        started = {str(process.pid): process_start(process.pid) for process in processes}
        roots = [str(root) for root in self.settings.content_roots]
        RigState(os.getpid(), self.flower_url, roots, started).save(self.settings.home)

    def _end_leftovers(self) -> None:
        (self.settings.home / "logs").mkdir(exist_ok=True)
        left = read_rig(self.settings.home)
        for pid, started in (left.processes if left else {}).items():
            end_leftover(int(pid), started)


def run_up(settings: Settings, recorders: list[RecorderSetting], *, flower: bool) -> int:
    """Run a rig until SIGINT or SIGTERM; a second signal does not wait for discs. Return the exit code."""
    signals: list[int] = []
    stop = threading.Event()

    def ask_to_stop(number: int, _frame: FrameType | None) -> None:
        signals.append(number)
        stop.set()

    # Installed even where a shell started us in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, ask_to_stop)
    signal.signal(signal.SIGTERM, ask_to_stop)
    rig = Rig(settings, recorders, flower=flower)
    with rig:
        _announce(rig, stop)
        while not stop.wait(_LOOK):
            rig.keep_running()
        _say("stopping; discs under way are finished first (a second signal does not wait)")
        rig.stop(hurry=lambda: len(signals) > 1)
    return 0


def _announce(rig: Rig, stop: threading.Event) -> None:
    database = Database(rig.settings.database_url)
    while not rig.are_ready(database) and not stop.wait(_LOOK):
        rig.keep_running()
    database.close()
    names = ", ".join(each.name for each in rig.recorders)
    _say(f"discmill is up: recorders {names}; home {rig.settings.home}")
    if rig.flower_url:
        _say(f"Flower: {rig.flower_url}")
    _say("order discs from another terminal: discmill submit data FOLDER --copies 2 --wait")


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _say(sentence: str) -> None:
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()
