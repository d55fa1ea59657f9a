"""Reading events and tokens."""

from __future__ import annotations

import pytest
from bson import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from watcher.event import read_event, time_of_token


@given(seconds=st.integers(0, 2**32 - 1), increment=st.integers(0, 2**32 - 1))
def test_a_token_tells_its_cluster_time(seconds: int, increment: int) -> None:
    token = f"82{seconds:08X}{increment:08X}2B0229296E04"

    assert time_of_token(token) == Timestamp(seconds, increment)


@pytest.mark.parametrize("text", ["", "82", "not hexadecimal at all", "8365A1B2C300000001"])
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"token|hex"):
        time_of_token(text)


def test_only_updates_tell_changed_fields() -> None:
    raw = {
        "_id": {"_data": "82"},
        "operationType": "insert",
        "ns": {"db": "shop", "coll": "orders.eu"},
        "documentKey": {"_id": 0},
        "clusterTime": Timestamp(5, 1),
    }

    insert = read_event(raw)
    update = read_event({**raw, "operationType": "update", "changed": ["a", "b.c"]})

    assert (insert.changed, insert.key, insert.collection) == (None, 0, "orders.eu")
    assert update.changed == frozenset({"a", "b.c"})
