"""A PostgreSQL server for benchmarks, as durable as it comes; none where its programs are missing."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from benchmarks.measuring import wait_until


@contextmanager
def running_postgres(folder: Path, connections: int = 100) -> Iterator[str | None]:
    """Run a server with its own defaults but for the connections, on a Unix socket alone; give its URL, or None."""
    programs = _programs()
    if programs is None:
        yield None
        return
    account = _account()
    with tempfile.TemporaryDirectory(prefix="discmill-bench-pg-", dir=folder.parent) as place:
        home = Path(place)
        if account is not None:
            os.chown(home, *account)
        server = _start(programs, home, account, connections)
        try:
            url = f"postgresql+psycopg://discmill@/postgres?host={home}"
            wait_until(lambda: _answers(url), "PostgreSQL answers", deadline=60)
            yield url
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


def new_database(server: str, name: str) -> str:
    """Make a database on a server; return its URL."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        db.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


def _start(programs: Path, home: Path, account: tuple[int, int] | None, connections: int) -> "subprocess.Popen[bytes]":
    user, group = account or (None, None)
    groups: list[str | int] | None = None if account is None else []
    data, quiet = home / "data", subprocess.DEVNULL
    make = [str(programs / "initdb"), f"--pgdata={data}", "--username=discmill", "--auth=trust", "--encoding=UTF8"]
    subprocess.run(make, stdout=quiet, cwd=home, user=user, group=group, extra_groups=groups, check=True)
    serve = [str(programs / "postgres"), "-D", str(data), "-k", str(home), "-c", "listen_addresses="]
    serve += ["-c", f"max_connections={connections}"]
    return subprocess.Popen(
        serve, stdout=quiet, stderr=quiet, cwd=home, user=user, group=group, extra_groups=groups, start_new_session=True
    )


def _answers(url: str) -> bool:
    engine = create_engine(url)
    try:
        with engine.connect() as db:
            db.execute(text("SELECT 1"))
    except OperationalError:
        return False
    finally:
        engine.dispose()
    return True


def _programs() -> Path | None:
    """Find the folder of the server's programs: in the PATH, or where Debian keeps them."""
    in_path = shutil.which("initdb")
    folders = [Path(in_path).resolve().parent] if in_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def _account() -> tuple[int, int] | None:
    """Choose the user and group that run the server: it refuses root; None stands for ourselves."""
    if os.geteuid() != 0:
        return None
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    account = accounts.get("postgres", accounts["nobody"])
    return account.pw_uid, account.pw_gid
