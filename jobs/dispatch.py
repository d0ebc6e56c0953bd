"""The bell: Celery's settings, queue names, and the one message there is. The database is the truth."""

from typing import Any, Protocol

from celery import Celery
from kombu import Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs.scheduling import Assignment

BURN = "discmill.burn"
_PRIORITIES = list(range(10))
#: A publisher whose broker is away goes on without it: the dispatcher rings later. A worker waits for ever.
_GIVE_UP_SOON = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "connect_retries_timeout": 1,
    "socket_timeout": 3,  # also where the broker is frozen rather than gone
}


class Bell(Protocol):
    """Somebody who tells workers that there is something to do."""

    def ring(self, assignment: Assignment) -> bool:
        """Tell a recorder's worker of an attempt; False if the message could not be sent."""


def queue_name(recorder: str) -> str:
    """Name the queue that one recorder's worker reads."""
    return f"recorder.{recorder}"


def queue_of(recorder: str) -> Queue:
    """Describe the queue that one recorder's worker reads."""
    name = queue_name(recorder)
    return Queue(name, routing_key=name)


def make_app(broker_url: str, *, client_name: str = "discmill", recorder: str | None = None) -> Celery:
    """Make the Celery application; for a worker, bound to its recorder's queue.

    Early ack, no prefetch, no result backend: a message may be lost, late or repeated, and no disc depends on it.
    """
    app = Celery("discmill", broker=broker_url, set_as_current=False)
    app.conf.update(
        result_backend=None,
        task_ignore_result=True,  # a backend can turn a good disc into FAILURE; results live in the database
        task_acks_late=False,  # late ack on Redis runs tasks twice
        task_reject_on_worker_lost=False,
        task_publish_retry=False,  # the dispatcher rings again
        task_serializer="json",
        event_serializer="json",
        accept_content=["json"],
        task_default_queue="discmill.misc",
        task_create_missing_queues=False,
        task_queues=[queue_of(recorder)] if recorder else [],
        task_send_sent_event=True,
        worker_pool="threads",
        worker_concurrency=1,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_soft_shutdown_timeout=0,
        worker_enable_soft_shutdown_on_idle=False,  # a burn is never cut short
        worker_deduplicate_successful_tasks=False,
        worker_send_task_events=True,
        worker_enable_remote_control=True,  # Flower asks; what could hurt a burn is refused (workers.app)
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=4,
        broker_transport_options={
            "visibility_timeout": 12 * 3600,  # longer than any burn
            "priority_steps": _PRIORITIES,
            "socket_connect_timeout": 5,
            "socket_keepalive": not broker_url.startswith("redis+socket"),
            "health_check_interval": 25,
            "client_name": client_name,
            **({} if recorder else _GIVE_UP_SOON),
        },
        enable_utc=True,
        timezone="UTC",
    )
    return app


class CeleryBell:
    """Rings through Redis; a broker that is away costs a message, never an order."""

    def __init__(self, broker_url: str) -> None:
        self.app = make_app(broker_url)

    def ring(self, assignment: Assignment) -> bool:
        """Publish `burn(attempt)` to the recorder's own queue; the task's id is the attempt's."""
        queue = queue_of(assignment.recorder)
        try:
            self.app.send_task(
                BURN,
                args=[assignment.attempt],
                task_id=assignment.attempt,
                queue=queue,  # type: ignore[arg-type]  # a Queue is taken as well as its name
                retry=False,
            )
        except (OperationalError, RedisError, OSError):
            return False
        return True

    def waiting(self, recorder: str) -> int | None:
        """Count the messages that a recorder's worker has not taken yet; None if the broker is away."""
        try:
            with self.app.connection_for_read() as connection:
                channel: Any = connection.default_channel
                return int(channel._size(queue_name(recorder)))  # noqa: SLF001  (kombu has no public count by priority)
        except (OperationalError, RedisError, OSError):
            return None

    def close(self) -> None:
        """Close the connections to the broker."""
        self.app.close()
