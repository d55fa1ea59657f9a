"""Deterministic ids: the same agent and event give the same row, however often the event is read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import bson
from bson import ObjectId, Timestamp, json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.json_util import DatetimeRepresentation, JSONMode, JSONOptions

from executions_app.text import storable

CODEC: Final[CodecOptions[dict[str, Any]]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO, unicode_decode_error_handler="backslashreplace"
)
"""Reads every BSON value that a server can hold, dates beyond year 9999 and text that is no UTF-8 included.

Such text comes out escaped. As an `_id` it names no document any more, so a run for it ends as not found.
"""

_KEY_JSON: Final = JSONOptions(
    json_mode=JSONMode.CANONICAL,
    datetime_representation=DatetimeRepresentation.NUMBERLONG,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
_TEXT_JSON: Final = JSONOptions(
    json_mode=JSONMode.RELAXED, datetime_conversion=DatetimeConversion.DATETIME_AUTO
)


ID_LENGTH: Final = 32
"""Characters of an execution's id."""


@lru_cache(maxsize=8192)
def _framed(*parts: str) -> bytes:
    """Write texts one after the other, each behind its length."""
    return b"".join(_frame(part.encode()) for part in parts)


def _frame(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def _hash(framed: bytes) -> str:
    return blake2b(framed, digest_size=16).hexdigest()


_TIME: Final = 10
"""A token begins with its event's time: two digits of the format, eight of the second."""


@lru_cache(maxsize=1024)
def _vicinity(time: str) -> str:
    return _hash(time.encode())[:2]


def execution_id(agent_id: str, token: str) -> str:
    """Name the run of an agent for the event with this resume token: 32 hexadecimal digits.

    Runs for events of the same second begin alike, so that rows which come in together lie together in the index.
    """
    return _vicinity(token[:_TIME]) + _hash(_framed(agent_id) + _frame(token.encode()))[2:]


def subject_of(agent_id: str, database: str, collection: str, key: object) -> str:
    """Name what runs one at a time: this agent on this document."""
    return _hash(_framed(agent_id, database, collection) + _frame(bson.encode({"_id": key})))


def pack_key(key: object) -> str:
    """Write a document's `_id` of any BSON type as text that `unpack_key` turns back into the same value."""
    # The common types by hand, as the encoder writes them: it takes twenty times as long.
    if type(key) is ObjectId:
        return f'{{"_id": {{"$oid": "{key}"}}}}'
    if type(key) is str:
        return f'{{"_id": {json.dumps(key)}}}'
    if type(key) is int:
        return f'{{"_id": {{"{"$numberInt" if -(2**31) <= key < 2**31 else "$numberLong"}": "{key}"}}}}'
    return json_util.dumps({"_id": key}, json_options=_KEY_JSON)


def unpack_key(packed: str) -> object:
    """Read back what `pack_key` wrote."""
    value: Mapping[str, object] = json_util.loads(packed, json_options=_KEY_JSON)
    return value["_id"]


def display_key(key: object) -> str:
    """Write a document's `_id` as people do: hexadecimal for an ObjectId, the text itself for text, else JSON.

    What a database cannot store of a text is replaced visibly.
    """
    if isinstance(key, ObjectId):
        return str(key)
    if isinstance(key, str):
        return storable(key)
    if type(key) is int:
        return str(key)
    return json_util.dumps(key, json_options=_TEXT_JSON)


def pack_time(time: Timestamp) -> str:
    """Write a cluster time as 16 hexadecimal digits, which sort as the times do."""
    return f"{time.time:08x}{time.inc:08x}"


def unpack_time(packed: str) -> Timestamp:
    """Read back what `pack_time` wrote."""
    return Timestamp(int(packed[:8], 16), int(packed[8:], 16))
