"""The watch filter: Extended JSON in, BSON values for MongoDB, Extended JSON out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from bson import Decimal128, Int64, MaxKey, ObjectId, Regex, Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from agents_app.spec import AgentSpec, dump_json
from agents_app.spec.filter import to_extended_json, to_query

Spec = Callable[..., AgentSpec]
Problems = Callable[..., list[str]]

OID = "507f1f77bcf86cd799439011"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"$oid": OID}, ObjectId(OID)),
        ({"$date": "2026-01-31T00:00:00Z"}, datetime(2026, 1, 31, tzinfo=UTC)),
        ({"$date": {"$numberLong": "-1000"}}, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ({"$numberLong": "5"}, 5),
        ({"$numberDecimal": "1.10"}, Decimal128("1.10")),
        ({"$timestamp": {"t": 1, "i": 2}}, Timestamp(1, 2)),
        ({"$maxKey": 1}, MaxKey()),
        ({"$regularExpression": {"pattern": "^a", "options": "i"}}, Regex("^a", "i")),
    ],
)
def test_extended_json_becomes_bson(spec: Spec, written: Any, meant: Any) -> None:
    agent = spec(watch__filter={"a": {"$in": [written]}})
    assert agent.watch.filter == {"a": {"$in": [meant]}}


@pytest.mark.parametrize(
    "value",
    [
        ObjectId(OID),
        datetime(2026, 1, 31, tzinfo=UTC),
        datetime(2026, 1, 31),  # noqa: DTZ001 - as an old agents document may hold it
        date(2026, 1, 31),
        Decimal128("1.1"),
        Int64(3),
        float("inf"),
        Regex("a"),
        b"bytes",
    ],
    ids=repr,
)
def test_bson_values_come_back_the_same_from_the_written_form(spec: Spec, value: Any) -> None:
    agent = spec(watch__filter={"a": value})
    written = dump_json(agent)["watch"]["filter"]
    assert spec(watch__filter=written) == agent


def test_operators_beside_a_regular_expression_are_kept(spec: Spec) -> None:
    query = {"name": {"$regex": "^a", "$options": "i", "$nin": ["abc"]}}
    assert spec(watch__filter=query).watch.filter == query


@pytest.mark.parametrize("wrapper", [{"$oid": "zz"}, {"$date": "soon"}, {"$numberLong": "x"}, {"$uuid": 3}])
def test_a_wrapper_around_nonsense_is_refused(problems: Problems, wrapper: Any) -> None:
    (problem,) = problems(watch__filter={"a": wrapper})
    assert problem.startswith(f"watch.filter: {next(iter(wrapper))} does not hold a valid value")


@pytest.mark.parametrize("value", [2**64, {"a\0": 1}, object()])
def test_what_bson_cannot_hold_is_refused(problems: Problems, value: Any) -> None:
    (problem,) = problems(watch__filter={"a": value})
    assert problem.startswith("watch.filter")


@pytest.mark.parametrize(
    "operator", ["$where", "$function", "$accumulator", "$text", "$near", "$nearSphere", "$geoNear"]
)
def test_operators_that_no_watcher_can_ask_are_refused_at_any_depth(
    problems: Problems, operator: str
) -> None:
    (problem,) = problems(watch__filter={"$or": [{"a": {"$not": {operator: 1}}}]})
    assert problem.startswith(f"watch.filter.$or.0.a.$not.{operator}: is not allowed in a filter")


def test_an_unknown_operator_at_the_top_draws_a_remark(warnings: Problems) -> None:
    assert warnings(watch__filter={"$adn": [{"a": 1}]}) == [
        "watch.filter.$adn: is not a top-level query operator that we know; MongoDB may refuse it"
    ]


_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.datetimes() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_plain)
@settings(deadline=None)
def test_any_filter_is_either_refused_or_the_same_after_writing_and_reading(value: Any) -> None:
    try:
        query = to_query({"a": value})
    except ValueError:
        return
    assert repr(to_query(to_extended_json(query))) == repr(query)
