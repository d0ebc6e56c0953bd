"""News of jobs on its way to a receiver that fails, redirects, hangs, or is not allowed."""

import contextlib
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Self

import pytest
from sqlalchemy import select, update

from jobs import control, data_disc, ledger
from jobs.client import Client
from jobs.errors import Faults, KeyTaken
from jobs.schema import upgrade
from jobs.settings import Settings, load_settings
from models.attempt import Attempt
from models.base import now
from models.database import Database
from models.delivery import Delivery
from models.event import Event
from models.vocabulary import Outcome
from tests.builders import a_disc, a_recorder, make_ready
from tests.rigs import running_rig, wait_until
from workers.courier import MOST_TRIES, Courier

SECRET = "shared with the receiver"  # noqa: S105  (nothing opens to it)


class Receiver:
    """A server that answers as it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []  #: of the next requests; then 200
        self.hangs = threading.Event()
        self.drips = threading.Event()
        self.let_go = threading.Event()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if receiver.hangs.is_set():
                    receiver.let_go.wait(30)
                if receiver.drips.is_set():
                    receiver.drip(self.wfile)
                status = receiver.answers.pop(0) if receiver.answers else 200
                self.send_response(status)
                if status in {301, 302, 307}:
                    self.send_header("Location", f"{receiver.url}/elsewhere")
                self.end_headers()

            def do_GET(self) -> None:
                receiver.heard.append(({"method": "GET"}, b""))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def drip(self, answer: BufferedIOBase) -> None:
        """Begin to answer byte by byte, each in time, all of them in ten times that."""
        with contextlib.suppress(OSError):
            for letter in b"HTTP/1.1 200 OK\r\nServer: " + b"x" * 25:
                answer.write(bytes([letter]))
                self.let_go.wait(0.1)
            answer.write(b"\r\n")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def settings(tmp_path: Path, database_url: str, receiver: Receiver) -> Settings:
    found = load_settings(
        home=tmp_path / "home",
        database_url=database_url,
        broker_url="memory://",
        content_roots=[tmp_path],
        webhooks=[f"{receiver.url}/hooks"],
        webhook_secret=SECRET,
        webhook_timeout=0.5,
    )
    upgrade(found.database_url)
    return found


@pytest.fixture
def mill(settings: Settings) -> Iterator[Client]:
    with Client(settings=settings) as found:
        yield found


def ordered(mill: Client, receiver: Receiver, tmp_path: Path, **options: object) -> str:
    (tmp_path / "content").mkdir(exist_ok=True)
    (tmp_path / "content" / "file").write_text("something to burn")
    with mill.database.write() as db:
        a_recorder(db)
    webhook = f"{receiver.url}/hooks/rig?case=1"
    return mill.submit(data_disc(tmp_path / "content"), medium="dvd", webhook=webhook, **options).id  # type: ignore[arg-type]


def be_due(database: Database) -> None:
    """Let the time until the next try pass."""
    with database.write() as db:
        db.execute(update(Delivery).values(next_at=now() - timedelta(seconds=1)))


def deliveries(database: Database) -> list[Delivery]:
    with database.read() as db:
        return list(db.scalars(select(Delivery).order_by(Delivery.id)))


def kinds(database: Database) -> list[str]:
    with database.read() as db:
        return list(db.scalars(select(Event.kind).where(Event.kind.startswith("webhook")).order_by(Event.id)))


def test_a_completed_job_is_told_once_and_signed(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    job = ordered(mill, receiver, tmp_path)
    courier = Courier(settings, mill.database, clock=lambda: 1_700_000_000.0)
    assert courier.deliver_due() == 0
    make_ready(mill.database, "left")
    finish(mill.database, Outcome.GOOD)

    assert (courier.deliver_due(), courier.deliver_due()) == (1, 0)

    ((headers, body),) = receiver.heard
    news = json.loads(body)
    assert (news["state"], news["job"]["job"], news["job"]["good"]) == ("completed", job, 1)
    assert headers["discmill-delivery"] == news["delivery"] == deliveries(mill.database)[0].id
    signed = hmac.new(SECRET.encode(), b"1700000000." + body, hashlib.sha256).hexdigest()
    assert headers["discmill-signature"] == f"t=1700000000,v1={signed}"
    assert kinds(mill.database) == ["webhook-delivered"]


def finish(database: Database, outcome: Outcome) -> None:
    """Make the disc that submit has promised already, or the next one."""
    with database.write() as db:
        for attempt in db.scalars(select(Attempt.id).where(Attempt.outcome.is_(None))).all():
            ledger.withdraw(db, attempt, "the test takes over")
    make_ready(database, "left")
    a_disc(database, outcome)


def test_a_receiver_that_fails_is_told_later_with_the_same_id(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    ordered(mill, receiver, tmp_path)
    finish(mill.database, Outcome.GOOD)
    receiver.answers = [500, 503]
    courier, waits = Courier(settings, mill.database), list[float]()

    for _ in range(2):
        assert courier.deliver_due() == 0
        (delivery,) = deliveries(mill.database)
        waits.append((delivery.next_at - now()).total_seconds())
        assert courier.deliver_due() == 0, "it is not due yet"
        be_due(mill.database)
    assert courier.deliver_due() == 1

    assert waits[1] > 1.5 * waits[0] > 3
    assert len({headers["discmill-delivery"] for headers, _ in receiver.heard}) == 1
    assert kinds(mill.database) == ["webhook-failed", "webhook-failed", "webhook-delivered"]


def test_a_waiting_job_is_told_with_its_reason_and_again_when_it_is_over(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    job = ordered(mill, receiver, tmp_path, max_spoiled=1)
    courier = Courier(settings, mill.database)
    finish(mill.database, Outcome.SPOILED)
    courier.deliver_due()
    control.retry(mill.database, job)
    finish(mill.database, Outcome.GOOD)

    courier.deliver_due()

    told = [json.loads(body) for _, body in receiver.heard]
    assert [news["state"] for news in told] == ["waiting", "completed"]
    assert "discs spoiled" in told[0]["reason"]


def test_a_job_that_is_called_off_is_told(mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path) -> None:
    job = ordered(mill, receiver, tmp_path)

    control.cancel(mill.database, job)
    Courier(settings, mill.database).deliver_due()

    assert [json.loads(body)["state"] for _, body in receiver.heard] == ["cancelled"]


def test_a_redirect_is_not_followed(mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path) -> None:
    control.cancel(mill.database, ordered(mill, receiver, tmp_path))
    receiver.answers = [302]

    assert Courier(settings, mill.database).deliver_due() == 0

    assert len(receiver.heard) == 1
    assert deliveries(mill.database)[0].answer == "status 302"


def test_a_receiver_that_hangs_holds_nobody_up(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    control.cancel(mill.database, ordered(mill, receiver, tmp_path))
    receiver.hangs.set()

    assert Courier(settings, mill.database).deliver_due() == 0

    assert "TimeoutError" in str(deliveries(mill.database)[0].answer)


def test_a_receiver_that_drips_its_answer_holds_nobody_up(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    control.cancel(mill.database, ordered(mill, receiver, tmp_path))
    receiver.drips.set()

    assert Courier(settings, mill.database).deliver_due() == 0

    assert "TimeoutError" in str(deliveries(mill.database)[0].answer)


def test_nobody_is_told_for_ever(mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path) -> None:
    control.cancel(mill.database, ordered(mill, receiver, tmp_path))
    receiver.answers = [500] * (MOST_TRIES + 5)
    courier = Courier(settings, mill.database)

    for _ in range(MOST_TRIES + 2):
        courier.deliver_due()
        be_due(mill.database)

    assert len(receiver.heard) == MOST_TRIES
    assert deliveries(mill.database)[0].given_up is not None


def test_a_receiver_that_says_gone_is_left_alone(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    control.cancel(mill.database, ordered(mill, receiver, tmp_path))
    receiver.answers = [410]

    Courier(settings, mill.database).deliver_due()

    assert deliveries(mill.database)[0].given_up is not None


def test_what_is_not_allowed_any_more_is_not_called(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    control.cancel(mill.database, ordered(mill, receiver, tmp_path))

    Courier(settings.model_copy(update={"webhooks": []}), mill.database).deliver_due()

    assert receiver.heard == []
    assert "webhooks may be sent to none" in str(deliveries(mill.database)[0].answer)


def test_two_couriers_send_a_delivery_once(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path
) -> None:
    control.cancel(mill.database, ordered(mill, receiver, tmp_path))
    start = threading.Barrier(4)

    def go() -> None:
        start.wait()
        Courier(settings, mill.database).deliver_due()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(receiver.heard) == 1


def test_a_courier_that_was_killed_is_replaced(
    mill: Client, settings: Settings, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    control.cancel(mill.database, ordered(mill, receiver, tmp_path))
    killed = Courier(settings, mill.database)
    monkeypatch.setattr(killed, "_deliver", _dies)
    with pytest.raises(KeyboardInterrupt):
        killed.deliver_due()
    be_due(mill.database)  # what it had taken on is free again after a while

    assert Courier(settings, mill.database).deliver_due() == 1


def _dies(*_: object) -> bool:
    raise KeyboardInterrupt


def test_an_order_whose_webhook_is_not_allowed_is_refused_whole(mill: Client, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("something to burn")

    with pytest.raises(Faults, match=r"DISCMILL_WEBHOOKS=http://169\.254\.169\.254/"):
        mill.submit(data_disc(tmp_path / "file"), webhook="http://169.254.169.254/latest/meta-data")

    with mill.database.read() as db:
        assert db.scalars(select(Event.id)).all() == []


def test_a_key_with_another_webhook_is_another_order(mill: Client, receiver: Receiver, tmp_path: Path) -> None:
    ordered(mill, receiver, tmp_path, key="4711")

    with pytest.raises(KeyTaken):
        mill.submit(data_disc(tmp_path / "content"), medium="dvd", key="4711")


def test_a_rig_tells_of_a_disc_it_made(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "content").mkdir()
    receiver.answers = [500]
    given: dict[str, Any] = {"webhooks": [receiver.url], "webhook_secret": SECRET}

    with running_rig(tmp_path / "rig", tmp_path / "content", **given) as rig:
        job = rig.mill.submit(data_disc(rig.content("told", size=1 << 20)), webhook=f"{receiver.url}/rig")
        job.wait(timeout=60)
        wait_until(lambda: len(receiver.heard) == 2, "the second try was heard")

    assert [json.loads(body)["job"]["state"] for _, body in receiver.heard] == ["completed", "completed"]
