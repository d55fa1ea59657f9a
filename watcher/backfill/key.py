"""Documents' `_id`s as they lie in MongoDB: the bytes of `{_id: key}`.

A key that was decoded and encoded again may be another one: text that is no UTF-8, dates beyond year 9999, types
that drivers no longer know. A reader that goes on behind such a key must not miss its neighbours.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NewType

import bson
from bson import MaxKey
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from executions_app.identity import CODEC

Key = NewType("Key", bytes)

RAW: Final[CodecOptions[RawBSONDocument]] = CodecOptions(document_class=RawBSONDocument)
_TYPE: Final = 4  # behind the document's length
_VALUE: Final = 9  # behind the type and the name `_id`

LAST: Final = Key(bson.encode({"_id": MaxKey()}))
"""The greatest key there can be. `min` without `max` ends before it."""


def key_of(document: RawBSONDocument) -> Key:
    """Return the key that a document `{_id: key}` is."""
    return Key(bytes(document.raw))


def value_of(key: Key) -> object:
    """Return the `_id` as a value of Python."""
    return bson.decode(key, CODEC)["_id"]


def to_text(key: Key | None) -> str:
    """Write a key, or none, as the ledger keeps it."""
    return "" if key is None else key.hex()


def from_text(text: str) -> Key | None:
    """Read what `to_text` wrote."""
    return Key(bytes.fromhex(text)) if text else None


def bound(key: Key) -> RawBSONDocument:
    """Return the key as a bound of a query."""
    return RawBSONDocument(key)


def among(keys: Sequence[Key]) -> RawBSONDocument:
    """Return the query for the documents that have these keys, their bytes as they are."""
    elements = (key[_TYPE : _TYPE + 1] + b"%d\0" % at + key[_VALUE:-1] for at, key in enumerate(keys))
    condition = _document(b"\x04$in\0" + _document(b"".join(elements)))
    return RawBSONDocument(_document(b"\x03_id\0" + condition))


def _document(elements: bytes) -> bytes:
    return struct.pack("<i", len(elements) + 5) + elements + b"\0"
