"""Reading events and tokens."""

from __future__ import annotations

import pytest
from bson import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from watcher.reading.event import ChangeEvent, CollectionEvent, read_event, time_of_token


@given(seconds=st.integers(0, 2**32 - 1), increment=st.integers(0, 2**32 - 1))
def test_a_token_tells_its_cluster_time(seconds: int, increment: int) -> None:
    token = f"82{seconds:08X}{increment:08X}2B0229296E04"

    assert time_of_token(token) == Timestamp(seconds, increment)


@pytest.mark.parametrize("text", ["", "82", "not hexadecimal at all", "8365A1B2C300000001"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"token|hex"):
        time_of_token(text)


INSERT = {
    "_id": {"_data": "82"},
    "operationType": "insert",
    "ns": {"db": "shop", "coll": "orders.eu"},
    "documentKey": {"_id": 0},
    "clusterTime": Timestamp(5, 1),
}


def test_only_updates_tell_changed_fields() -> None:
    insert = read_event(INSERT)
    update = read_event({**INSERT, "operationType": "update", "changed": ["a", "b.c"]})
    unnamed = read_event({**INSERT, "operationType": "update"})

    assert isinstance(insert, ChangeEvent)
    assert isinstance(update, ChangeEvent)
    assert isinstance(unnamed, ChangeEvent)
    assert (insert.changed, insert.key, insert.collection) == (None, 0, "orders.eu")
    assert update.changed == frozenset({"a", "b.c"})
    assert unnamed.changed is None


def test_what_happens_to_collections_has_no_document() -> None:
    place = {"db": "shop", "coll": "orders"}
    raw = {"_id": {"_data": "82"}, "ns": place, "clusterTime": Timestamp(5, 1)}

    rename = read_event({**raw, "operationType": "rename", "to": {"db": "shop", "coll": "old"}})
    drop = read_event({**raw, "operationType": "drop"})
    end = read_event({**raw, "operationType": "dropDatabase", "ns": {"db": "shop"}})

    time = Timestamp(5, 1)
    assert rename == CollectionEvent("82", "rename", "shop", "orders", "old", time)
    assert drop == CollectionEvent("82", "drop", "shop", "orders", None, time)
    assert end == CollectionEvent("82", "dropDatabase", "shop", None, None, time)
