"""Looks at every message before Celery does: whoever reaches the broker may write what he likes into a queue."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from celery.worker.consumer import Consumer

from jobs.dispatch import BURN

log = logging.getLogger(__name__)

#: Bytes of a message's body, and characters of its headers, at most; ours have some 200 and 700.
_BODY, _HEADERS = 4096, 8192
#: An id as `models.base.new_id` makes them, and nothing else.
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


class Doorkeeper(Consumer):
    """A consumer that hands on the one message there is, and drops every other one.

    Celery would raise in its event loop for some of them and be handed the same message again after each restart.
    """

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Any], object]:  # noqa: ANN401
        """Make what is called with each message."""
        hand_on = super().create_task_handler(*arguments, **options)
        errors: tuple[type[Exception], ...] = self.connection_errors  # type: ignore[attr-defined]  # its types lack it

        def look(message: Any) -> object:  # noqa: ANN401  (kombu's, untyped)
            fault = message_fault(message)
            if fault is None:
                return hand_on(message)
            log.warning("a message was refused: %s", fault)
            return message.ack_log_error(log, errors)

        return look


def message_fault(message: Any) -> str | None:  # noqa: ANN401  (kombu's, untyped)
    """Say why a message is not "burn this attempt"; None if it is that. What it says instead is not repeated."""
    headers = message.headers
    if (message.content_type, message.content_encoding) != ("application/json", "utf-8"):
        return "it is not JSON in UTF-8"
    if not isinstance(headers, Mapping) or len(repr(headers)) > _HEADERS:
        return "its headers are no headers, or too long"
    if headers.get("task") != BURN or headers.get("eta") is not None or headers.get("compression"):
        return "it is not the task there is, to be done now"
    if not isinstance(message.body, str | bytes) or len(message.body) > _BODY:
        return f"its body is longer than {_BODY} bytes"
    named = _attempt_named(message.body)
    if named is None:
        return "its body does not name one attempt and nothing else"
    return None if headers.get("id") == named else "its id is not the attempt's"  # logs and Flower repeat it


def _attempt_named(body: str | bytes) -> str | None:
    """Return the attempt that a body names; None if it is another one's body."""
    try:
        (attempt_id,), options, more = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        return None
    if options != {} or not isinstance(more, dict) or any(more.values()):
        return None
    return attempt_id if isinstance(attempt_id, str) and _ID.fullmatch(attempt_id) else None
