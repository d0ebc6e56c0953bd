"""Reads Redis for kombu and hands on messages alone: what else lies in a queue would raise in a worker's event loop.

Whoever may write to the broker pushes what he likes. Without this file each such item would end a worker, which
starts again and takes the next one.
"""

import base64
import json
import logging
from collections.abc import Callable, Mapping
from queue import Empty
from typing import Any

import redis
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis
from redis.client import PubSub

log = logging.getLogger(__name__)

#: Bytes of an item at most: a message of ours has some 1,500, a question of Flower's some 500.
_LONGEST = 1 << 16
#: Characters of a delivery's tag, which names it in a hash; kombu's are UUIDs.
_LONGEST_TAG = 64
_TEXTS = ("body", "content-type", "content-encoding")
#: What kombu's JSON takes for a value of another type, of which some can't be made.
_TYPED = {"__type__", "__value__"}
#: How the answer to a subscription begins that carries what somebody broadcast.
_BROADCAST = {b"message", b"pmessage"}
_LARGEST_CLOCK = 1 << 62


def guard_connections() -> None:
    """Let every connection to Redis that this process makes from now on read through the gate."""
    own = f"{__name__}:Transport"
    TRANSPORT_ALIASES.update(redis=own, rediss=own)


def item_fault(item: bytes) -> str | None:
    """Say why an item of a queue is no message; None if it is one. What it says instead is not repeated."""
    if len(item) > _LONGEST:
        return f"it is longer than {_LONGEST} bytes"
    try:
        message = json.loads(item.decode(), object_hook=_untyped)
        return None if _is_message(message) else "it is JSON, but no message"
    except (ValueError, RecursionError):
        return "it is not JSON, or its body is not in base64"


def question_fault(item: bytes) -> str | None:
    """Say why what was broadcast is no question to workers; None if it is one.

    A pattern of names is refused: it is a regular expression, and one can be written that is never done.
    """
    fault = item_fault(item)
    if fault is not None:
        return fault
    message = json.loads(item)
    clock = message["headers"].get("clock", 0)
    if type(clock) is not int or not 0 <= clock < _LARGEST_CLOCK:
        return "its clock is none"
    try:
        question = json.loads(base64.b64decode(message["body"]).decode(), object_hook=_untyped)
    except (ValueError, RecursionError):
        return "its body is not JSON"
    if not isinstance(question, Mapping) or question.get("pattern") or question.get("matcher"):
        return "it is no question to everybody, or to workers by their names"
    return None


def _untyped(value: dict[str, Any]) -> dict[str, Any]:
    if value.keys() == _TYPED:
        message = "a value of another type than JSON's"
        raise ValueError(message)
    return value


def _is_message(message: object) -> bool:
    """Look for all that kombu reads before anybody else sees a message.

    Raises:
        ValueError: its body is not in base64.
    """
    if not isinstance(message, dict) or not all(isinstance(message.get(key), str) for key in _TEXTS):
        return False
    properties, headers = message.get("properties"), message.get("headers")
    if not isinstance(properties, dict) or not isinstance(headers, dict) or headers.get("compression"):
        return False  # kombu inflates a body at once, however large it becomes
    route, tag = properties.get("delivery_info"), properties.get("delivery_tag")
    if not isinstance(tag, str) or not tag.isascii() or not 0 < len(tag) <= _LONGEST_TAG:
        return False
    if properties.get("body_encoding") != "base64" or not isinstance(route, dict):
        return False
    base64.b64decode(message["body"].encode("ascii"), validate=True)
    return all(isinstance(route.get(key), str) for key in ("exchange", "routing_key"))


class _Broadcasts(PubSub):
    """Subscriptions that answer nothing where something else than a question was broadcast."""

    def parse_response(self, block: bool = True, timeout: float = 0) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Read one answer of the server."""
        answer = super().parse_response(block, timeout)  # type: ignore[no-untyped-call]
        if not isinstance(answer, list) or answer[0] not in _BROADCAST:
            return answer
        fault = question_fault(answer[-1])
        if fault is None:
            return answer
        log.warning("what was broadcast is no question: %s", fault)
        return None


class _Reader(redis.Redis):
    """A client to which an item that is no message is no item."""

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:  # noqa: ANN401
        """Read one answer of the server."""
        answer = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        fault = item_fault(answer[1]) if command_name == "BRPOP" and answer else None
        if fault is None:
            return answer
        log.warning("an item of the queue is no message and was dropped: %s", fault)
        return None

    def pubsub(self, **_: object) -> PubSub:
        """Open subscriptions."""
        return _Broadcasts(self.connection_pool)


class _Channel(kombu_redis.Channel):
    """A channel that reads through the gate, and clears its queue's place of what is no queue."""

    def _get_client(self) -> type[redis.Redis]:
        return _Reader

    def _brpop_read(self, **options: object) -> object:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # its types lack it
        except redis.ResponseError as error:
            if not self._cleared():
                raise
            raise Empty from error

    def _cleared(self) -> int:
        """Delete what has a queue's name and is no list: as long as it is there, nothing is read."""
        name_of: Callable[[str, int], str] = self._q_for_pri  # type: ignore[attr-defined]  # its types lack it
        names = [name_of(queue, priority) for queue in self.active_queues for priority in self.priority_steps]
        with self.conn_or_acquire() as client:
            odd = [name for name in names if client.type(name) not in {b"list", b"none"}]
            for name in odd:
                log.warning("what has the queue's name is no queue and was dropped")
                client.delete(name)
        return len(odd)


class Transport(kombu_redis.Transport):
    """kombu's transport with such channels."""

    Channel = _Channel
