from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime

import pytest
from bson import DBRef, Int64, ObjectId, Regex, Timestamp
from bson.binary import Binary, UuidRepresentation
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.max_key import MaxKey
from bson.min_key import MinKey

from enrichment.plain import ValueTooLarge, to_plain

ID = ObjectId("64b7f0c2a1b2c3d4e5f60718")
GUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (Int64(2**40), 2**40),
        (1.5, 1.5),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        ("text", "text"),
        (ID, "64b7f0c2a1b2c3d4e5f60718"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05+00:00"),  # noqa: DTZ001  # as pymongo gives it
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (DatetimeMS(0), "1970-01-01T00:00:00+00:00"),
        (DatetimeMS(2**61), f"{2**61} ms"),
        (Decimal128("12.50"), "12.50"),
        (Decimal128("NaN"), "NaN"),
        (b"\x00\x01", "AAE="),
        (Binary(b"\x00\x01", 5), "AAE="),
        (Binary(GUID.bytes, 4), str(GUID)),
        (Binary.from_uuid(GUID, UuidRepresentation.STANDARD), str(GUID)),
        (GUID, str(GUID)),
        (Regex("^a", "im"), "/^a/im"),
        (re.compile("^a", re.IGNORECASE), "/^a/i"),
        (Timestamp(12, 3), "Timestamp(12, 3)"),
        (MinKey(), "MinKey"),
        (MaxKey(), "MaxKey"),
        (Code("f()"), "f()"),
        (Code("f()", {"x": Int64(1)}), {"$code": "f()", "$scope": {"x": 1}}),
        (DBRef("c", ID, "d"), {"$ref": "c", "$id": str(ID), "$db": "d"}),
        ([ID, {"a": (1, 2)}], [str(ID), {"a": [1, 2]}]),
    ],
)
def test_every_bson_type_becomes_plain_json(value: object, plain: object) -> None:
    assert to_plain(value) == plain
    assert type(to_plain(value)) is type(plain)
    json.dumps(to_plain(value), allow_nan=False)


def test_a_value_of_an_unknown_type_becomes_short_text() -> None:
    assert to_plain(range(3)) == "range(0, 3)"


def test_a_value_that_is_nested_without_end_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(ValueTooLarge, match="levels"):
        to_plain(endless)
