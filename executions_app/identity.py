"""Deterministic ids: the same agent and event give the same row, however often the event is read."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

import bson
from bson import ObjectId, json_util
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


def _hash(*parts: bytes) -> str:
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.hexdigest()


def execution_id(agent_id: str, token: str) -> str:
    """Name the run of an agent for the event with this resume token: 32 hexadecimal digits."""
    return _hash(agent_id.encode(), token.encode())


def subject_of(agent_id: str, database: str, collection: str, key: object) -> str:
    """Name what runs one at a time: this agent on this document."""
    return _hash(agent_id.encode(), database.encode(), collection.encode(), bson.encode({"_id": key}))


def pack_key(key: object) -> str:
    """Write a document's `_id` of any BSON type as text that `unpack_key` turns back into the same value."""
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
    return json_util.dumps(key, json_options=_TEXT_JSON)
