"""Tells Flower of an attempt's phases, beside the burn and never in its way."""

import contextlib
import logging
import queue
import threading
from dataclasses import dataclass

from celery import Celery

from jobs.dispatch import BURN

log = logging.getLogger(__name__)

#: Events that may wait while Redis is away; more are dropped: losing one loses nothing.
_WAITING = 64


@dataclass(frozen=True, slots=True)
class _Message:
    type: str
    fields: dict[str, object]


class Voice:
    """Sends Celery events from a thread of its own, in the name of one worker."""

    def __init__(self, app: Celery, hostname: str) -> None:
        self._app = app
        self._hostname = hostname
        self._waiting: queue.Queue[_Message | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._run, name="flower-events", daemon=True)
        self._thread.start()

    def phase(self, attempt: str, phase: str, text: str) -> None:
        """Show a phase: Flower makes `task-writing` the state WRITING and shows `result` as its text."""
        self._send(f"task-{phase}", uuid=attempt, result=text)

    def introduce(self, attempt: str) -> None:
        """Name an attempt that no message brought (a recovery): Flower learns task and arguments."""
        self._send("task-received", uuid=attempt, name=BURN, args=repr((attempt,)), kwargs="{}", retries=0)

    def close(self) -> None:
        """Send what waits and stop; gives up after a moment."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(timeout=2)

    def _send(self, kind: str, **fields: object) -> None:
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(_Message(kind, fields))

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self._deliver(message)
            except Exception as error:  # noqa: BLE001  (whatever the broker does must not end this thread)
                log.debug("an event for Flower was lost: %s", error)

    def _deliver(self, message: _Message) -> None:
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=1)
            with self._app.events.Dispatcher(connection, hostname=self._hostname) as events:
                events.send(message.type, **message.fields)
                while (more := _next(self._waiting)) is not None:
                    events.send(more.type, **more.fields)


def _next(waiting: "queue.Queue[_Message | None]") -> _Message | None:
    """Wait a moment for the next event, so that a burn keeps one connection."""
    try:
        message = waiting.get(timeout=5)
    except queue.Empty:
        return None
    if message is None:
        waiting.put(None)
    return message
