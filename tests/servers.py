"""Real servers for the tests: the PostgreSQL cluster, made, started and ended by its process id."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

#: Seconds until a server that does not answer fails the tests.
DEADLINE = 60.0
_PAUSE = 0.05
_REMEDY = "`make test` installs it; by hand: apt-get install postgresql"


class PostgresServer:
    """A PostgreSQL cluster of its own in a folder, reachable through a Unix socket there and nowhere else.

    Nothing of it survives a power cut: what is tested is what happens when processes end.
    """

    def __init__(self, folder: Path, port: int = 5432, options: Sequence[str] = ()) -> None:
        self.folder = folder
        self.port = port  #: part of the socket's name, too
        self._options = options
        self._data = folder / "data"
        self._programs = _find_programs()
        self._user, self._group = _account()
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        """Return a database's URL, as SQLAlchemy wants it."""
        return f"postgresql+psycopg://discmill@/{database}?host={self.folder}&port={self.port}"

    def new_database(self, template: str = "template0") -> str:
        """Make a database that is a copy of the template; return its name."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def start(self) -> None:
        """Start the cluster, made on the first start, and wait until it answers."""
        if not self._data.exists():
            self._make_cluster()
        options = ["listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=200"]
        settings = [word for option in (*options, f"port={self.port}", *self._options) for word in ("-c", option)]
        with (self.folder / "postgres.log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self.folder, *settings],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,
                user=self._user,
                group=self._group,
                extra_groups=None if self._user is None else [],
            )
        self._wait_for_answer(self._process)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the cluster: SIGINT is a fast shutdown, SIGQUIT an immediate one (as in a crash)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(DEADLINE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _make_cluster(self) -> None:
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        words = "--auth=trust --username=discmill --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions"
        made = subprocess.run(
            [self._programs / "initdb", "-D", self._data, *words.split()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            user=self._user,
            group=self._group,
            extra_groups=None if self._user is None else [],
            check=False,
        )
        assert made.returncode == 0, made.stdout

    def _wait_for_answer(self, process: subprocess.Popen[bytes]) -> None:
        give_up = time.monotonic() + DEADLINE
        while not self._answers():
            ended = process.poll() is not None
            assert not ended, f"PostgreSQL ended: {(self.folder / 'postgres.log').read_text()}"
            assert time.monotonic() < give_up, "PostgreSQL does not answer"
            time.sleep(_PAUSE)

    def _answers(self) -> bool:
        try:
            self._execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: sql.Composed | sql.SQL) -> None:
        with psycopg.connect(
            host=str(self.folder), port=self.port, dbname="postgres", user="discmill", autocommit=True
        ) as db:
            db.execute(statement)


def _find_programs() -> Path:
    """Find the folder of the server's programs: Debian keeps them apart, one folder a version."""
    in_path = shutil.which("initdb")
    folders = [Path(in_path).resolve().parent] if in_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise FileNotFoundError(f"no PostgreSQL server here; {_REMEDY}")


def _account() -> tuple[int | None, int | None]:
    """Choose the user and group that run the server: it refuses root; None stands for ourselves."""
    if os.geteuid() != 0:
        return None, None
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    account = accounts.get("postgres", accounts["nobody"])
    return account.pw_uid, account.pw_gid
