"""Carries news of jobs to webhooks: again and again until it is heard, from an outbox that outlives every process."""

import http.client
import io
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import select, text, update

from jobs.overview import job_summary, stamp
from jobs.rollup import journal
from jobs.settings import Settings
from jobs.webhooks import signature, webhook_fault
from models.base import now
from models.database import Database
from models.delivery import IS_DUE, Delivery
from models.job import Job

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

log = logging.getLogger(__name__)

#: Seconds until a delivery that failed is tried again; doubles up to the last. All tries together take half a day.
_FIRST_PAUSE, _LAST_PAUSE = 5.0, 3600.0
MOST_TRIES = 20
#: Deliveries of one round.
_ROUND = 20
#: Characters of a failure that are kept.
_ANSWER = 200
_HEARD, _GONE = range(200, 300), 410


@dataclass(frozen=True, slots=True)
class _News:
    """One delivery that this courier has taken on."""

    id: str
    job: str
    url: str
    tries: int
    body: bytes


class _Hurried(io.RawIOBase):
    """What a socket receives before a moment, however slowly it comes: its own timeout counts from byte to byte."""

    def __init__(self, receiving: socket.socket, end: float) -> None:
        self._socket = receiving
        self._end = end

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Receive what is there, or wait for it.

        Raises:
            TimeoutError: the moment has come.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer was not complete in time")
        self._socket.settimeout(left)
        return self._socket.recv_into(buffer)


class Courier:
    """Delivers what is due. Several may run: one takes each delivery, whose id tells a receiver what came twice."""

    def __init__(self, settings: Settings, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; a round that fails is logged and the next one tries again."""
        while not stop.wait(self._settings.tick):
            try:
                self.deliver_due(stop)
            except Exception:
                log.exception("a round of webhooks failed")

    def deliver_due(self, stop: threading.Event | None = None) -> int:
        """Try everything that is due, once; return how many were heard."""
        due = select(Delivery.id).where(text(IS_DUE), Delivery.next_at <= now()).order_by(Delivery.next_at)
        with self._database.read() as db:
            ids = db.scalars(due.limit(_ROUND)).all()
        heard = 0
        for delivery_id in ids:
            if stop is not None and stop.is_set():
                break
            news = self._take(delivery_id)
            heard += news is not None and self._deliver(news)
        return heard

    def _take(self, delivery_id: str) -> _News | None:
        """Keep a delivery from other couriers for as long as it takes; None if one of them has it."""
        until = now() + timedelta(seconds=3 * self._settings.webhook_timeout)
        with self._database.write() as db:
            taken = db.scalar(
                update(Delivery)
                .where(Delivery.id == delivery_id, text(IS_DUE), Delivery.next_at <= now())
                .values(next_at=until, tries=Delivery.tries + 1)
                .returning(Delivery)
            )
            if taken is None:
                return None
            job = db.get_one(Job, taken.job_id)
            told = {"delivery": taken.id, "state": taken.state, "reason": taken.reason, "at": stamp(taken.created)}
            body = json.dumps({**told, "job": job_summary(db, job.id)}).encode()
            return _News(taken.id, job.id, job.webhook or "", taken.tries, body)

    def _deliver(self, news: _News) -> bool:
        fault = webhook_fault(news.url, self._settings.webhooks)
        if fault is not None:
            self._settle(news, heard=False, over=True, answer=fault)
            return False
        try:
            status = self._post(news)
        except (OSError, http.client.HTTPException) as error:
            self._settle(news, heard=False, over=False, answer=f"{type(error).__name__}: {error}")
            return False
        heard = status in _HEARD
        self._settle(news, heard=heard, over=status == _GONE, answer=f"status {status}")
        return heard

    def _post(self, news: _News) -> int:
        """Send news; no redirect is followed, and nothing of the answer but its head is read.

        Raises:
            OSError: the receiver can't be reached, or takes too long.
            HTTPException: what it answers is no HTTP.
        """
        at = int(self._clock())
        secret = self._settings.webhook_secret
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "discmill",
            "Discmill-Delivery": news.id,
            "Discmill-Signature": signature(secret.get_secret_value() if secret else "", at, news.body),
        }
        parts = urlsplit(news.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = self._connect(parts.scheme, parts.hostname or "", parts.port)
        end = time.monotonic() + self._settings.webhook_timeout
        try:
            connection.request("POST", target, news.body, headers)
            with http.client.HTTPResponse(connection.sock, method="POST") as answer:
                answer.fp = io.BufferedReader(_Hurried(connection.sock, end))
                answer.begin()
                return answer.status
        finally:
            connection.close()

    def _connect(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        timeout = self._settings.webhook_timeout
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=timeout)
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=ssl.create_default_context())

    def _settle(self, news: _News, *, heard: bool, over: bool, answer: str) -> None:
        """Write down what became of a try."""
        given_up = not heard and (over or news.tries >= MOST_TRIES)
        pause = min(_FIRST_PAUSE * 2 ** (news.tries - 1), _LAST_PAUSE)
        kind = "webhook-delivered" if heard else "webhook-given-up" if given_up else "webhook-failed"
        with self._database.write() as db:
            delivery = db.get_one(Delivery, news.id, with_for_update=True)
            delivery.answer = answer[:_ANSWER]
            delivery.delivered = now() if heard else None
            delivery.given_up = now() if given_up else None
            delivery.next_at = now() + timedelta(seconds=pause)
            journal(db, kind, job=news.job, delivery=news.id, tries=news.tries, answer=answer[:_ANSWER])
