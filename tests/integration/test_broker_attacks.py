"""Somebody who may write to Redis writes what he likes: nothing is executed, no disc is made, the worker goes on."""

import base64
import bz2
import json
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery
from celery.worker.control import Panel
from kombu import Exchange
from sqlalchemy import select

from jobs import control, data_disc
from jobs.dispatch import BURN, CeleryBell, make_app, queue_of
from models.attempt import Attempt
from models.base import new_id
from models.job import Copy
from models.vocabulary import Condition, CopyState, Outcome, Stage
from tests.builders import a_job, a_recorder, attempt_row
from tests.rigs import TestRig, running_rig, wait_until
from workers.app import _ANSWERED

#: Commands of Celery's remote control that this project refuses: all that are no questions.
REFUSED = sorted(Panel.data.keys() - _ANSWERED)
BOMB = "a pickle that makes a file when it is loaded"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestRig]:
    with running_rig(tmp_path_factory.mktemp("rig"), tmp_path_factory.mktemp("content")) as running:
        yield running


@pytest.fixture(scope="module")
def attacker(rig: TestRig) -> Iterator[Celery]:
    app = make_app(rig.settings.broker_url)
    wait_until(lambda: app.control.ping(timeout=1, limit=1), "the worker hears what is broadcast")
    yield app
    app.close()


@pytest.fixture(autouse=True)
def _the_worker_goes_on(rig: TestRig, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever was sent: the worker is the same process, took the message, and makes the one disc it is asked for."""
    pid, before = rig.pid("r1"), len(rig.shelf())
    yield
    bell = CeleryBell(rig.settings.broker_url)
    wait_until(lambda: bell.waiting("r1") == 0, "the worker took what was sent", deadline=20)
    bell.close()
    job = rig.mill.submit(data_disc(rig.content(f"after {uuid.uuid4()}", size=1 << 20)))
    assert job.wait(timeout=30).good == 1
    rig.until_idle()
    assert rig.pid("r1") == pid
    assert len(rig.shelf()) == before + 1, f"{request.node.name} made a disc"


def send(app: Celery, body: object, headers: dict[str, object] | None = None, kind: str = "application/json") -> None:
    """Put a message into the recorder's queue as it is."""
    task = {"lang": "py", "task": BURN, "id": str(uuid.uuid4()), "root_id": None, "parent_id": None, "group": None}
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    with app.connection_for_write() as connection, connection.Producer() as producer:
        producer.publish(
            text,
            routing_key=queue_of("r1").name,
            content_type=kind,
            content_encoding="binary" if isinstance(text, bytes) else "utf-8",
            headers={**task, **(headers or {})},
            correlation_id=str(uuid.uuid4()),
            declare=[queue_of("r1")],
        )


def call(*arguments: object, **options: object) -> list[object]:
    """Make a task's body."""
    return [list(arguments), options, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]


#: 64 MiB of nothing in some fifty bytes.
BOMB_OF_ZEROS = base64.b64encode(bz2.compress(bytes(64 << 20))).decode()
#: What kombu writes about a message beside it.
PROPERTIES: dict[str, object] = {
    "delivery_tag": "f0f0f0f0-0000-4000-8000-000000000000",
    "delivery_info": {"exchange": "", "routing_key": "recorder.r1"},
    "body_encoding": "base64",
}


def a_message(**over: object) -> dict[str, object]:
    """Make a message as it lies in Redis."""
    kind = {"content-type": "application/json", "content-encoding": "utf-8"}
    return {"body": "", **kind, "headers": {}, "properties": PROPERTIES, **over}


class _Bomb:
    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self._file,))


def canary(rig: TestRig) -> Path:
    return rig.root / "executed"


def lines_of(rig: TestRig, words: str) -> int:
    """Count the lines of the worker's log that say something."""
    return (rig.settings.home / "logs" / "r1.log").read_text().count(words)


@pytest.mark.parametrize(
    "kind", ["application/x-python-serialize", "application/x-yaml", "application/x-msgpack", "application/data"]
)
def test_nothing_but_json_is_read(rig: TestRig, attacker: Celery, kind: str) -> None:
    bodies = {
        "application/x-python-serialize": pickle.dumps(call(_Bomb(canary(rig)))),
        "application/x-yaml": f'!!python/object/apply:os.system ["touch {canary(rig)}"]',
    }

    send(attacker, bodies.get(kind, b"\x93\x90\x80\xc0"), kind=kind)
    send(attacker, bodies.get(kind, b"\x93\x90\x80\xc0"))  # and the same said to be JSON

    assert not canary(rig).exists()


def test_a_pickle_inside_json_stays_a_text(rig: TestRig, attacker: Celery) -> None:
    bomb = base64.b64encode(pickle.dumps(_Bomb(canary(rig)))).decode()

    send(attacker, call({"__type__": "pickle", "__value__": bomb}))
    send(attacker, call({"py/object": "os.system", "py/reduce": [{"py/function": "os.system"}, [f"touch {bomb}"]]}))

    assert not canary(rig).exists()


def test_a_control_message_that_is_no_json_is_not_read(rig: TestRig, attacker: Celery) -> None:
    with attacker.connection_for_write() as connection, connection.Producer() as producer:
        producer.publish(
            pickle.dumps({"method": "ping", "arguments": {"bomb": _Bomb(canary(rig))}, "destination": None}),
            exchange=Exchange("celery.pidbox", type="fanout"),
            content_type="application/x-python-serialize",
            content_encoding="binary",
        )

    assert attacker.control.ping(timeout=5, limit=1)
    assert not canary(rig).exists()


@pytest.mark.parametrize(
    "name",
    ["os.system", "celery.map", "celery.chunks", "celery.backend_cleanup", "workers.tasks", ""],
)
def test_there_is_one_task(attacker: Celery, name: str) -> None:
    send(attacker, call({"task": BURN, "args": ["x"], "kwargs": {}}, [["x"]]), {"task": name})

    registered = attacker.control.inspect(timeout=5, limit=1).registered()

    assert registered is not None
    assert list(registered.values()) == [[BURN]]


@pytest.mark.parametrize(
    "body",
    [
        call(),
        call("one", "two"),
        call(attempt_id="x"),
        call(17),
        call(None),
        call(["x"]),
        call({"attempt": "x"}),
        call("../../etc/passwd"),
        call("x' OR '1'='1"),
        call(str(uuid.uuid4()), eject=True),
        call("x" * (8 << 20)),
        {"task": BURN, "args": ["x"]},
        [],
        "no JSON at all",
        "[" * 100_000,
    ],
    ids=lambda body: str(body)[:40],
)
def test_what_does_not_name_one_attempt_is_refused(attacker: Celery, body: object) -> None:
    send(attacker, body)


@pytest.mark.parametrize(
    "headers",
    [
        {"eta": "2999-01-01T00:00:00+00:00"},
        {"compression": "application/x-gzip"},
        {"argsrepr": "x" * 100_000},
        {"task": ["discmill.burn"]},
        {"task": None},
    ],
    ids=str,
)
def test_odd_headers_are_refused(attacker: Celery, headers: dict[str, object]) -> None:
    attempt = new_id()

    send(attacker, call(attempt), {"id": attempt, **headers})


@pytest.mark.parametrize("named", [None, 7, new_id(), "7] succeeded\nlevel=critical event=forged"], ids=repr)
def test_a_message_whose_id_is_not_its_attempts_is_refused(rig: TestRig, attacker: Celery, named: object) -> None:
    before = lines_of(rig, "its id is not the attempt's")

    send(attacker, call(new_id()), {"id": named})

    wait_until(lambda: lines_of(rig, "its id is not the attempt's") == before + 1, "the log says so")
    assert lines_of(rig, "forged") == 0


def test_an_id_that_nobody_knows_does_nothing(attacker: Celery) -> None:
    attempt = new_id()

    send(attacker, call(attempt), {"id": attempt})


#: What is no message, by where kombu would stumble over it.
GARBAGE = [
    b"\xff\xfe",
    b"not JSON",
    b"17",
    b"{}",
    b'{"properties": {}}',
    b'{"body": "x"}',
    b"[" * 100_000,
    b'{"__type__": "decimal", "__value__": "x"}',
    b'{"__type__": "uuid", "__value__": 1}',
    json.dumps(a_message(properties={})).encode(),
    json.dumps(a_message(body="not base64 !")).encode(),
    json.dumps(a_message(body=17)).encode(),
    json.dumps(a_message(headers=[])).encode(),
    json.dumps(a_message(headers={"compression": "bzip2"}, body=BOMB_OF_ZEROS)).encode(),
    json.dumps(a_message(properties={**PROPERTIES, "delivery_tag": ["x"]})).encode(),
    json.dumps(a_message(properties={**PROPERTIES, "delivery_tag": "\ud800"})).encode(),
    json.dumps(a_message(properties={**PROPERTIES, "delivery_info": "x"})).encode(),
    json.dumps(a_message(properties={**PROPERTIES, "body_encoding": "rot13"})).encode(),
]


def test_what_is_no_message_at_all_is_dropped_with_a_line_each(rig: TestRig) -> None:
    before = lines_of(rig, "is no message and was dropped")

    with redis.Redis(unix_socket_path=str(rig.settings.redis_socket)) as client:
        for garbage in GARBAGE:
            client.lpush("recorder.r1", garbage)
        wait_until(lambda: client.llen("recorder.r1") == 0, "all of it was taken")

    wait_until(lambda: lines_of(rig, "is no message and was dropped") - before == len(GARBAGE), "a line each")


def test_what_is_broadcast_and_no_question_is_not_heard(rig: TestRig, attacker: Celery) -> None:
    questions = [
        {"method": "ping", "pattern": "(.*)*" * 20 + "$never", "matcher": "pcre"},
        ["ping"],
        {"method": "ping", "arguments": {"__type__": "decimal", "__value__": "x"}},
    ]
    broadcast = [a_message(body=base64.b64encode(json.dumps(question).encode()).decode()) for question in questions]
    odd = a_message(body=base64.b64encode(b"{}").decode(), headers={"clock": "noon"})
    before = lines_of(rig, "what was broadcast is no question")

    with redis.Redis(unix_socket_path=str(rig.settings.redis_socket)) as client:
        for garbage in [*GARBAGE, *(json.dumps(message).encode() for message in [*broadcast, odd])]:
            assert client.publish("/0.celery.pidbox", garbage), "the worker listens"

    wait_until(lambda: lines_of(rig, "what was broadcast is no question") - before == len(GARBAGE) + 4, "a line each")
    assert attacker.control.ping(timeout=5, limit=1)


def test_what_takes_a_queues_name_is_cleared_away(rig: TestRig) -> None:
    with redis.Redis(unix_socket_path=str(rig.settings.redis_socket)) as client:
        client.set("recorder.r1", "no queue")

        wait_until(lambda: not client.exists("recorder.r1"), "it is gone")


def test_what_is_to_follow_a_task_finds_no_door(attacker: Celery) -> None:
    more: dict[str, object] = {"task": "os.system", "args": ["true"], "kwargs": {}, "options": {}, "subtask_type": None}
    embedded = {"callbacks": [more], "errbacks": [more], "chain": [more], "chord": None}

    send(attacker, [[new_id()], {}, embedded])
    send(attacker, [["no id"], {}, embedded], {"timelimit": [1, 1], "retries": 10**9, "expires": "yesterday"})


def test_every_command_that_changes_something_is_refused(attacker: Celery) -> None:
    arguments = {"task_id": str(uuid.uuid4()), "queue": "other", "signal": "KILL", "terminate": True}

    assert {"shutdown", "terminate", "revoke", "cancel_consumer", "pool_restart", "rate_limit"} <= set(REFUSED)
    for command in REFUSED:
        answers = attacker.control.broadcast(command, arguments=arguments, reply=True, timeout=5, limit=1)
        ((answer,),) = [list(each.values()) for each in answers or []]
        assert "refused" in answer["error"], command


def test_a_revoked_attempt_is_burnt_all_the_same(rig: TestRig, attacker: Celery) -> None:
    control.pause(rig.mill.database, ["r1"])
    job = rig.mill.submit(data_disc(rig.content("revoked", size=1 << 20)), simulate=True)
    ids = [new_id() for _ in range(3)]

    attacker.control.revoke(ids, terminate=True, signal="SIGKILL")
    attacker.control.shutdown()
    control.resume(rig.mill.database, ["r1"])

    assert job.wait(timeout=30).state == "completed"


def test_a_message_that_names_another_recorders_attempt_does_nothing(rig: TestRig, attacker: Celery) -> None:
    with rig.mill.database.write() as db:
        a_recorder(db, "elsewhere", condition=Condition.BUSY)
        job = a_job(db)
        copy = db.scalars(select(Copy).where(Copy.job_id == job.id)).one()
        copy.state = CopyState.ASSIGNED
        attempt = Attempt(job_id=job.id, copy_id=copy.id, recorder="elsewhere")
        db.add(attempt)
        db.flush()
        named = attempt.id

    send(attacker, call(named), {"id": named})

    wait_until(lambda: attempt_row(rig.mill.database, named).outcome, "its own host is away, so it is withdrawn")
    row = attempt_row(rig.mill.database, named)
    assert (row.outcome, row.stage, row.epoch, row.started) == (Outcome.UNUSED, Stage.SETTLED, None, None)
    control.cancel(rig.mill.database, row.job_id)
