"""Deterministic ids, and keys of every BSON type."""

from __future__ import annotations

import datetime as dt
import uuid

import bson
import pytest
from bson import Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS

from executions_app import identity

KEYS = [
    ObjectId("6b00d981068e986092ee0cbd"),
    0,
    7,
    2**40,
    Int64(5),
    1.0,
    float("inf"),
    "text",
    "5f" * 12,
    "",
    {"tenant": 1, "number": Int64(2)},
    Binary(b"abc", 0),
    Binary(uuid.UUID(int=7).bytes, 4),
    Decimal128("1.0"),
    True,
    False,
    None,
    DatetimeMS(10**16),
    dt.datetime(2020, 1, 1),  # noqa: DTZ001 - what the driver gives
    MinKey(),
    MaxKey(),
    Timestamp(1, 2),
    Code("x"),
    DBRef("c", 1),
]


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_a_key_of_any_bson_type_survives_its_text_form(key: object) -> None:
    stored = bson.decode(bson.encode({"_id": key}), identity.CODEC)["_id"]

    back = identity.unpack_key(identity.pack_key(stored))

    assert bson.encode({"_id": back}) == bson.encode({"_id": key})


def test_a_hex_text_and_an_object_id_of_the_same_letters_are_two_documents() -> None:
    text = "6b00d981068e986092ee0cbd"

    subjects = {identity.subject_of("a", "db", "c", key) for key in (text, ObjectId(text))}

    assert len(subjects) == 2


def test_the_same_event_and_agent_give_the_same_id_and_others_do_not() -> None:
    one = identity.execution_id("agent", "8265A1")

    assert one == identity.execution_id("agent", "8265A1")
    assert len(one) == 32
    assert len({one, identity.execution_id("agent", "8265A2"), identity.execution_id("agent8", "265A1")}) == 3


def test_runs_of_one_second_lie_together_and_are_told_apart_by_what_lists_show() -> None:
    together = [identity.execution_id("agent", f"826B00D981{number:08X}") for number in range(200)]
    later = [identity.execution_id("agent", f"826B00D9{number:02X}00000001") for number in range(200)]

    assert len({id_[:2] for id_ in together}) == 1
    assert len({id_[:2] for id_ in later}) > 50
    assert len({id_[:8] for id_ in together}) == 200


def test_a_key_is_shown_as_people_write_it() -> None:
    shown = [
        identity.display_key(key) for key in (ObjectId("6b00d981068e986092ee0cbd"), "order-7", 7, {"a": 1})
    ]

    assert shown == ["6b00d981068e986092ee0cbd", "order-7", "7", '{"a": 1}']


def test_a_nul_in_a_key_is_shown_in_a_way_that_every_database_stores() -> None:
    assert "\0" not in identity.display_key("order\0seven")
    assert "\0" not in identity.display_key({"a": "order\0seven"})
    assert identity.unpack_key(identity.pack_key("order\0seven")) == "order\0seven"


def test_text_that_is_no_utf_8_is_read_all_the_same() -> None:
    raw = bson.encode({"_id": "aXb", "XYZ": 1}).replace(b"aXb", b"a\xffb").replace(b"XYZ", b"\xc3\x28\xfe")

    found = bson.decode(raw, identity.CODEC)

    assert found["_id"] == "a\\xffb"
    identity.subject_of("agent", "shop", "tickets", found["_id"])
