"""Anything may lie in a queue of Redis."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mongoclaw_project.redis_transport import UNREADABLE, read_envelope

SOUND: dict[str, Any] = {
    "body": "W10=",
    "headers": {"task": "tasks.enrich"},
    "properties": {
        "body_encoding": "base64",
        "delivery_tag": "t",
        "delivery_info": {"exchange": "", "routing_key": "q"},
    },
}


def test_messages_and_the_store_of_what_is_not_acknowledged_are_read_as_they_are() -> None:
    assert read_envelope(json.dumps(SOUND)) == SOUND
    assert read_envelope(json.dumps([SOUND, "exchange", "key"])) == [SOUND, "exchange", "key"]


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "[" * 100_000,
        '{"__type__": "datetime", "__value__": null}',
        "{",
        "null",
        "[]",
        "[1, 2, 3]",
        "{}",
        json.dumps({**SOUND, "headers": [1]}),
        json.dumps({**SOUND, "properties": {}}),
        json.dumps({**SOUND, "body": "a"}),
        json.dumps({**SOUND, "properties": {**SOUND["properties"], "delivery_info": None}}),
    ],
)
def test_anything_else_is_the_body_of_an_unreadable_message(text: str) -> None:
    message = read_envelope(text)
    assert (message["body"], message["content-type"]) == (text, UNREADABLE)
    assert read_envelope(json.dumps(message)) == message
