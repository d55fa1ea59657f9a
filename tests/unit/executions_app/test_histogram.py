"""Quantiles of durations that were put into buckets: close to the true ones, however they were added up."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions_app.histogram import LAST, bound_of, bucket_of, quantile

durations = st.lists(st.floats(2, 10_000_000), min_size=1, max_size=200)


@given(st.floats(-1e9, 1e12))
def test_every_duration_has_a_bucket(milliseconds: float) -> None:
    assert 0 <= bucket_of(milliseconds) <= LAST


@given(st.integers(1, LAST))
def test_a_bound_is_within_its_own_bucket_and_what_is_above_is_not(bucket: int) -> None:
    assert bucket_of(bound_of(bucket)) == bucket
    assert bucket_of(bound_of(bucket) * 1.001) == min(bucket + 1, LAST)


@given(durations, st.sampled_from([0.5, 0.95, 0.99]))
def test_an_estimate_is_off_by_41_percent_at_most(values: list[float], share: float) -> None:
    histogram = Counter(map(bucket_of, values))
    ordered = sorted(values)
    true = next(value for at, value in enumerate(ordered, 1) if at >= share * len(values))

    found = quantile(histogram, share)

    assert found is not None
    assert true / 1.415 <= found <= true * 1.415


@given(durations, durations)
def test_adding_up_hours_is_as_good_as_counting_at_once(some: list[float], others: list[float]) -> None:
    apart = Counter(map(bucket_of, some)) + Counter(map(bucket_of, others))

    assert quantile(apart, 0.95) == quantile(Counter(map(bucket_of, some + others)), 0.95)


def test_no_durations_have_no_quantile() -> None:
    assert quantile({}, 0.5) is None


@pytest.mark.parametrize("milliseconds", [-5_000, 0, 0.3, 1])
def test_clocks_that_disagree_give_the_shortest_duration(milliseconds: float) -> None:
    assert bucket_of(milliseconds) == 0
