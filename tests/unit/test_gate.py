"""What the gate lets through: messages as kombu writes them, and nothing that kombu would stumble over."""

import base64
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kombu import Connection
from kombu.transport.virtual import Message

from workers.gate import item_fault, question_fault

PROPERTIES: dict[str, Any] = {
    "delivery_tag": "f0f0f0f0-0000-4000-8000-000000000000",
    "delivery_info": {"exchange": "", "routing_key": "recorder.r1"},
    "body_encoding": "base64",
}
MESSAGE: dict[str, Any] = {
    "body": base64.b64encode(b"{}").decode(),
    "content-type": "application/json",
    "content-encoding": "utf-8",
    "headers": {},
    "properties": PROPERTIES,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(st.binary())
@example(b"\xff")
@example(b"[" * 60_000)
@example(b"1" * 60_000)
def test_any_bytes_are_judged(item: bytes) -> None:
    assert item_fault(item) is not None
    assert question_fault(item) is not None


@given(st.sampled_from(sorted(MESSAGE)) | st.none(), st.sampled_from(sorted(PROPERTIES)) | st.none(), JSON)
def test_what_is_let_through_kombu_can_take_apart(part: str | None, inner: str | None, odd: object) -> None:
    properties = {**PROPERTIES, **({inner: odd} if inner else {})}
    raw = {**MESSAGE, "properties": properties, **({part: odd} if part else {})}
    item = json.dumps(raw).encode()

    if item_fault(item) is None:
        with Connection("memory://") as connection:
            channel: Any = connection.default_channel
            message = Message(json.loads(item), channel=channel)
        assert {message.delivery_tag: 1}
        assert isinstance(message.delivery_info["exchange"], str)


@pytest.mark.parametrize(
    ("question", "headers"),
    [
        ({"method": "ping", "pattern": "(a+)+$", "matcher": "pcre"}, {}),
        ({"method": "ping", "matcher": "glob"}, {}),
        (["ping"], {}),
        ({"method": "ping"}, {"clock": float("inf")}),
        ({"method": "ping"}, {"clock": "1"}),
        ({"method": "ping"}, {"clock": 1 << 80}),
        ({"arguments": {"__type__": "decimal", "__value__": "x"}}, {}),
    ],
    ids=str,
)
def test_a_question_that_could_hold_a_worker_up_is_none(question: object, headers: dict[str, object]) -> None:
    body = base64.b64encode(json.dumps(question).encode()).decode()

    assert question_fault(json.dumps({**MESSAGE, "body": body, "headers": headers}).encode())


def test_questions_of_celerys_own_are_let_through() -> None:
    question: dict[str, Any] = {
        "method": "ping",
        "arguments": {},
        "destination": ["r1@here"],
        "pattern": None,
        "matcher": None,
    }
    body = base64.b64encode(json.dumps(question).encode()).decode()

    assert question_fault(json.dumps({**MESSAGE, "body": body, "headers": {"clock": 7}}).encode()) is None
