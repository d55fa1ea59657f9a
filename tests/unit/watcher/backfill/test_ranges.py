from __future__ import annotations

import bson
import pytest

from watcher.backfill.key import Key, among, from_text, to_text, value_of
from watcher.backfill.ranges import Bounds, between, how_many


@pytest.mark.parametrize(
    ("documents", "ranges"), [(0, 1), (24_999, 1), (50_000, 2), (260_000, 10), (10**9, 32)]
)
def test_larger_collections_have_more_ranges_up_to_a_bound(documents: int, ranges: int) -> None:
    assert how_many(documents, limited=False) == ranges
    assert how_many(documents, limited=True) == 1


def test_ranges_meet_and_the_outer_ones_are_open() -> None:
    a, b = (Key(bson.encode({"_id": key})) for key in ("a", "b"))
    assert between([a, b]) == [Bounds(None, a), Bounds(a, b), Bounds(b, None)]
    assert between([]) == [Bounds()]


@pytest.mark.parametrize("key", [1, "ä", None, {"a": [1]}, bson.ObjectId(), bson.MaxKey()])
def test_a_key_survives_the_ledger(key: object) -> None:
    kept = Key(bson.encode({"_id": key}))
    assert from_text(to_text(kept)) == kept
    assert value_of(kept) == key
    assert from_text(to_text(None)) is None


def test_the_query_for_keys_is_what_a_driver_would_have_sent() -> None:
    values = [1, "b", None, {"a": 1}, 2.5]
    query = among([Key(bson.encode({"_id": value})) for value in values])
    assert query.raw == bson.encode({"_id": {"$in": values}})
