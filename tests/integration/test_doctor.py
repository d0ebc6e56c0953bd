"""What the doctor finds of real servers that are set up wrongly, frozen, or gone; and what its command says."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from alembic import command
from sqlalchemy import select, text

from jobs import schema
from jobs.settings import load_settings
from models.database import Database
from models.job import Job
from models.manifest import ManifestEntry
from tests import builders
from tests.servers import PostgresServer
from workers.doctor.broker import broker_findings, grade_version
from workers.doctor.content import store_findings
from workers.doctor.database import database_findings
from workers.doctor.findings import Finding, Grade
from workers.embedded import EmbeddedRedis

ROOT = Path(__file__).parents[2]


def by_check(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def of_database(home: Path, url: str) -> dict[str, Finding]:
    return by_check(database_findings(load_settings(home=home, database_url=url)))


def doctor(home: Path, *words: str, **settings: str) -> tuple[int, dict[str, dict[str, str]], str]:
    """Type the command in a process of its own; return its exit code, its findings by check, and all it printed."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("DISCMILL_")}
    given = {"DISCMILL_HOME": str(home), "DISCMILL_CONTENT_ROOTS": str(ROOT), **settings}
    ran = subprocess.run(
        [sys.executable, "-m", "workers", "doctor", "--json", *words],
        cwd=ROOT,
        env={**own, **given},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.stdout, ran.stderr
    document: dict[str, Any] = json.loads(ran.stdout)
    assert document["ok"] is (ran.returncode == 0)
    return ran.returncode, {found["check"]: found for found in document["findings"]}, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def careful_postgres() -> Iterator[PostgresServer]:
    """Run a server as one should be; that of the other tests takes no care of power cuts."""
    options = ("fsync=on", "full_page_writes=on")
    with (
        tempfile.TemporaryDirectory(prefix="dm-careful-") as folder,
        PostgresServer(Path(folder), options=options) as server,
    ):
        yield server


def test_a_database_that_forgets_in_a_power_cut_is_a_failure(tmp_path: Path, postgres_database_url: str) -> None:
    schema.upgrade(postgres_database_url)

    found = of_database(tmp_path, postgres_database_url)

    assert found["database durability"].grade is Grade.FAILURE
    assert (found["database"].grade, found["database schema"].grade) == (Grade.OK, Grade.OK)
    assert found["clock skew"].grade is Grade.OK


def test_a_database_that_forgets_what_it_confirmed_is_a_failure(
    tmp_path: Path, careful_postgres: PostgresServer
) -> None:
    url = careful_postgres.url(careful_postgres.new_database())
    schema.upgrade(url)
    careful = of_database(tmp_path, url)
    database = Database(url)
    with database.write() as db:
        db.execute(text("ALTER ROLE discmill SET synchronous_commit = off"))
    database.close()

    found = of_database(tmp_path, url)

    assert careful["database durability"].grade is Grade.OK
    assert found["database durability"].grade is Grade.FAILURE
    assert "synchronous_commit" in found["database durability"].remedy


def test_tables_of_another_version_are_a_failure(tmp_path: Path, database_url: str) -> None:
    schema.upgrade(database_url)
    command.downgrade(schema._config(database_url), "-1")

    found = of_database(tmp_path, database_url)["database schema"]

    assert found.grade is Grade.FAILURE
    assert "discmill db upgrade" in found.remedy


def test_a_server_that_is_not_there_is_a_failure_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://discmill:geheim@127.0.0.1:1/discmill"

    code, found, printed = doctor(tmp_path, DISCMILL_DATABASE_URL=url)

    assert (code, found["database"]["grade"]) == (1, "failure")
    assert "DISCMILL_DATABASE_URL" in found["database"]["remedy"]
    assert "geheim" not in printed


def test_a_clock_that_is_not_the_database_s_is_worrying(tmp_path: Path, postgres_database_url: str) -> None:
    schema.upgrade(postgres_database_url)
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    ahead = {"LD_PRELOAD": str(library), "FAKETIME": "+3600", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    _, found, _ = doctor(tmp_path, DISCMILL_DATABASE_URL=postgres_database_url, **ahead)

    assert found["clock skew"]["grade"] == "warning"
    assert found["clock skew"]["seen"].startswith("the database's clock is 3600 seconds behind")


def test_a_broker_that_throws_messages_away_is_worrying(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    settings = load_settings(home=tmp_path, broker_url=redis_server.url)
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        before = by_check(broker_findings(settings))
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            found = by_check(broker_findings(settings))
        finally:
            client.config_set("maxmemory-policy", "noeviction")

    assert (before["broker"].grade, before["broker memory"].grade) == (Grade.OK, Grade.OK)
    assert found["broker memory"].grade is Grade.WARNING
    assert "noeviction" in found["broker memory"].remedy


def test_a_broker_that_is_too_old_or_gone_is_a_failure(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, broker_url="redis://127.0.0.1:1/0")

    assert grade_version("redis://x", {"redis_version": "5.0.14"}).grade is Grade.FAILURE
    assert by_check(broker_findings(settings))["broker"].grade is Grade.FAILURE


def test_a_server_that_accepts_and_never_answers_does_not_hang_the_doctor(
    tmp_path: Path, careful_postgres: PostgresServer
) -> None:
    url = careful_postgres.url(careful_postgres.new_database())
    process = careful_postgres._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            broker = f"redis://127.0.0.1:{mute.getsockname()[1]}/0"
            code, found, _ = doctor(tmp_path, DISCMILL_DATABASE_URL=url, DISCMILL_BROKER_URL=broker)
    finally:
        os.kill(process.pid, signal.SIGCONT)

    assert code == 1
    assert (found["database"]["grade"], found["broker"]["grade"]) == ("failure", "failure")
    assert found["limits"]["check"] == "limits"


def _order_file(database: Database, source: Path, position: int) -> None:
    """Let the one order there is need a file."""
    with database.write() as db:
        manifest = db.scalars(select(Job.manifest_id)).one()
        none = dict.fromkeys(("size", "mtime_ns", "source_mtime_ns", "inode"), 0)
        names = {"path": source.name, "name": source.name, "source": str(source), "folder": False}
        db.add(ManifestEntry(manifest_id=manifest, position=position, **names, **none))


def test_a_store_that_lacks_what_orders_need_is_a_failure(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    with builders.fresh_database(settings.database_url) as database:
        builders.order(database)
        here, lost = settings.store / "objects/here", settings.store / "objects/lost"
        here.parent.mkdir(parents=True)
        here.touch()
        _order_file(database, here, 1)
        whole = by_check(store_findings(settings))
        _order_file(database, lost, 2)

        found = by_check(store_findings(settings))

    assert whole["store"].grade is Grade.OK
    assert found["store"].grade is Grade.FAILURE
    assert "objects/lost" in found["store"].seen


def test_all_faults_of_the_configuration_are_one_finding(tmp_path: Path) -> None:
    code, found, _ = doctor(tmp_path, DISCMILL_TICK="soon", DISCMILL_LEASE="-1")

    assert (code, set(found)) == (1, {"configuration"})
    assert "tick" in found["configuration"]["seen"]
    assert "lease" in found["configuration"]["seen"]


def test_a_host_that_has_all_it_needs_is_well(tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    schema.upgrade(load_settings(home=tmp_path).database_url)
    named = f"left=emulated:{tmp_path / 'left'}"

    code, found, _ = doctor(tmp_path, "--recorder", named, DISCMILL_BROKER_URL=redis_server.url)

    assert code == 0, found
    assert found["recorder left"]["grade"] == "ok"
    assert found["database durability"]["grade"] == "ok"
    assert {"program xorriso", "disk speed", "clock", "broker memory", "store"} <= set(found)


def test_a_recorder_that_is_missing_fails_the_host(tmp_path: Path) -> None:
    code, found, _ = doctor(tmp_path, "--recorder", "left=scsi:/dev/sr99")

    assert (code, found["recorder left"]["grade"]) == (1, "failure")
    assert "/dev/sr99" in found["recorder left"]["seen"]
