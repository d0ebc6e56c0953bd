"""A rig whose servers want passwords and speak TLS: it works by URL alone, and its passwords are nowhere to be read."""

import base64
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import redis
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from jobs import data_disc
from jobs.client import Client
from jobs.dispatch import CeleryBell
from jobs.overview import event_documents
from jobs.schema import upgrade
from jobs.settings import Settings, load_settings, subprocess_environment
from models.database import Database
from tests.rigs import wait_until
from tests.servers import PostgresServer
from workers.programs import own_command

#: Passwords with all that a URL has to escape.
REDIS, POSTGRES, FLOWER, HOOKS = "re:d/is@7", "post?gres&8", "flower-9", "hooks-10"
SECRETS = [REDIS, POSTGRES, FLOWER, HOOKS, quote(REDIS, safe=""), quote(POSTGRES, safe="")]
#: What a rig needs of Redis, and nothing that administers the server.
RIGHTS = "~* &* +@all -@admin -@dangerous +info +keys"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_certificates(folder: Path) -> None:
    """Make an authority, a certificate of it for 127.0.0.1, and another authority nobody trusts."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    for name in ("ca", "stranger"):
        openssl(*new, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
    openssl(
        "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server"
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2"]
    openssl("x509", "-req", "-in", "server.csr", "-out", "server.crt", *signed)


@contextmanager
def secured_redis(folder: Path, certificates: Path) -> Iterator[int]:
    """Run a Redis server on TLS alone, with a user of its own; gives the port."""
    port = free_port()
    (folder / "users.acl").write_text(f"user default off\nuser rig on >{REDIS} {RIGHTS}\n")
    tls = {"cert-file": "server.crt", "key-file": "server.key", "ca-cert-file": "ca.crt"}
    files = [word for name, file in tls.items() for word in (f"--tls-{name}", str(certificates / file))]
    command = [
        "redis-server",
        "--port",
        "0",
        "--bind",
        "127.0.0.1",
        "--tls-port",
        str(port),
        "--tls-auth-clients",
        "no",
    ]
    command += [*files, "--aclfile", str(folder / "users.acl"), "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(port), "Redis listens")
        yield port
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def secured_postgres(folder: Path, certificates: Path) -> Iterator[int]:
    """Run a PostgreSQL server that takes TLS and a password from the network, and nothing else; gives the port."""
    for name in ("server.crt", "server.key"):
        (folder / name).write_bytes((certificates / name).read_bytes())
    options = ["listen_addresses=127.0.0.1", "ssl=on"]
    options += [f"ssl_cert_file={folder / 'server.crt'}", f"ssl_key_file={folder / 'server.key'}"]
    server = PostgresServer(folder, free_port(), options)
    for name in ("server.crt", "server.key"):
        os.chown(folder / name, server._user if server._user is not None else -1, -1)
        (folder / name).chmod(0o600)
    with server:
        with psycopg.connect(host=str(folder), port=server.port, user="discmill", dbname="postgres") as db:
            db.execute(f"ALTER USER discmill PASSWORD '{POSTGRES}'")
            db.execute("COMMIT")
        rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        (folder / "data" / "pg_hba.conf").write_text(rules)
        server.stop()
        server.start()
        yield server.port


@dataclass(frozen=True, slots=True)
class Secured:
    """The servers' doors."""

    certificates: Path
    redis_port: int
    postgres_port: int

    def broker(self, password: str = REDIS, ca: str = "ca.crt", scheme: str = "rediss") -> str:
        tls = f"?ssl_cert_reqs=required&ssl_ca_certs={self.certificates / ca}" if scheme == "rediss" else ""
        return f"{scheme}://rig:{quote(password, safe='')}@127.0.0.1:{self.redis_port}/0{tls}"

    def database(self, password: str = POSTGRES, ca: str = "ca.crt", mode: str = "verify-full") -> str:
        where = f"127.0.0.1:{self.postgres_port}/postgres"
        tls = f"?sslmode={mode}&sslrootcert={self.certificates / ca}"
        return f"postgresql+psycopg://discmill:{quote(password, safe='')}@{where}{tls}"


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    with ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dm-tls-"))) for _ in range(3)]
        make_certificates(folders[0])
        redis_port = stack.enter_context(secured_redis(folders[1], folders[0]))
        postgres_port = stack.enter_context(secured_postgres(folders[2], folders[0]))
        yield Secured(folders[0], redis_port, postgres_port)


def test_redis_takes_its_user_over_tls_and_nobody_else(secured: Secured) -> None:
    doors = [
        secured.broker(),
        secured.broker(password="wrong"),  # noqa: S106
        secured.broker(ca="stranger.crt"),
        secured.broker(scheme="redis"),
    ]

    assert [_opens(url) for url in doors] == [True, False, False, False]


def _opens(url: str) -> bool:
    bell = CeleryBell(url)
    try:
        return bell.waiting("nowhere") is not None  # with a connection of its own
    finally:
        bell.close()


def test_the_rigs_redis_user_administers_nothing(secured: Secured) -> None:
    ca = str(secured.certificates / "ca.crt")
    with redis.Redis(
        port=secured.redis_port, username="rig", password=REDIS, ssl=True, ssl_ca_certs=ca, host="127.0.0.1"
    ) as client:
        for command in (["FLUSHALL"], ["CONFIG", "GET", "*"], ["SHUTDOWN"], ["ACL", "LIST"]):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


def test_postgresql_takes_its_user_over_tls_and_nobody_else(secured: Secured) -> None:
    doors = [
        secured.database(),
        secured.database(password="wrong"),  # noqa: S106
        secured.database(ca="stranger.crt"),
        secured.database(mode="disable"),
    ]

    assert [_answers(url) for url in doors] == [True, False, False, False]


def _answers(url: str) -> bool:
    database = Database(url)
    try:
        with database.read() as db:
            return bool(db.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")))
    except OperationalError:
        return False
    finally:
        database.close()


@contextmanager
def programs(settings: Settings, logs: Path, commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """Run commands of discmill as an administrator's services would."""
    environment = subprocess_environment(settings)
    started = []
    for words in commands:
        with (logs / f"{words[0]}.log").open("ab") as out:
            started.append(subprocess.Popen(own_command(*words), env=environment, stdout=out, stderr=out))
    try:
        yield
    finally:
        for program in started:
            program.send_signal(signal.SIGTERM)
        for program in started:
            program.wait(timeout=60)


def test_a_disc_is_made_and_no_password_is_anywhere_to_be_read(secured: Secured, tmp_path: Path) -> None:
    logs, content = tmp_path / "logs", tmp_path / "content"
    logs.mkdir()
    content.mkdir()
    (content / "file").write_bytes(os.urandom(1 << 20))
    settings = load_settings(
        home=tmp_path / "home",
        database_url=secured.database(),
        broker_url=secured.broker(),
        content_roots=[content],
        flower_port=free_port(),
        flower_password=FLOWER,
        metrics_port=free_port(),
        webhooks="https://hooks.example/",
        webhook_secret=HOOKS,
        heartbeat=0.3,
        lease=5.0,
        tick=0.2,
        watch=0.1,
    )
    upgrade(settings.database_url)
    commands = [["worker", "--recorder", f"r1=emulated:{tmp_path / 'r1'}"], ["dispatcher"], ["flower"], ["metrics"]]
    pages: dict[str, bytes] = {}

    with programs(settings, logs, commands), Client(settings=settings) as mill:
        worker = f"r1@{settings.host}"
        wait_until(lambda: worker.encode() in flower(settings, "/workers"), "Flower sees the worker")
        report = mill.submit(data_disc(content)).wait(timeout=60)
        assert report.good == 1
        task = str(report.discs[0]["attempt"])
        wait_until(lambda: task in str(flower(settings, "/api/tasks")), "Flower knows the task", deadline=15)
        for page in ("/", "/workers", f"/worker/{worker}", f"/task/{task}", "/broker", "/api/workers?refresh=1"):
            pages[page] = flower(settings, page)
        pages["metrics"] = _get(f"http://127.0.0.1:{settings.metrics_port}/metrics", {})
        environment = subprocess_environment(settings)
        for words in (["config"], ["config", "--json"], ["health"], ["show", report.job, "--json"], ["events"]):
            done = subprocess.run(own_command(*words), env=environment, capture_output=True, check=False)
            pages[" ".join(words)] = done.stdout + done.stderr
        lines = {str(pid): pid.read_bytes() for pid in Path("/proc").glob("[0-9]*/cmdline") if _is_ours(pid)}
        with mill.database.read() as db:
            pages["events of the database"] = str(event_documents(db)).encode()

    assert worker.encode() in pages[f"/worker/{worker}"]
    kept = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".iso"}
    for name, content_of in {**pages, **lines, **kept}.items():
        found = [secret for secret in SECRETS if secret.encode() in content_of]
        assert found == [], f"{name}: {found}"


def _is_ours(command: Path) -> bool:
    try:
        return b"workers" in command.read_bytes()
    except OSError:
        return False


def flower(settings: Settings, page: str) -> bytes:
    """Ask Flower, with its password, until it answers."""
    url = f"http://127.0.0.1:{settings.flower_port}{page}"
    login = base64.b64encode(f"discmill:{FLOWER}".encode()).decode()
    return _get(url, {"Authorization": f"Basic {login}"})


def _get(url: str, headers: dict[str, str]) -> bytes:
    give_up = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:  # noqa: S310
                found: bytes = answer.read()
                return found
        except (ConnectionError, urllib.error.URLError) as error:
            if time.monotonic() > give_up or isinstance(error, urllib.error.HTTPError):
                raise
            time.sleep(0.1)
