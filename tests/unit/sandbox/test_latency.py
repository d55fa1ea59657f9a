"""Latencies are read from text."""

from __future__ import annotations

import pytest

from sandbox.model.latency import parse_latency


def test_a_fixed_latency_is_in_milliseconds() -> None:
    assert parse_latency("200").seconds() == 0.2


def test_a_uniform_latency_stays_between_its_bounds() -> None:
    latency = parse_latency("100-300", seed=1)
    drawn = [latency.seconds() for _ in range(100)]
    assert 0.1 <= min(drawn) < max(drawn) <= 0.3


def test_a_lognormal_latency_has_its_median() -> None:
    latency = parse_latency("lognormal:200:0.5", seed=1)
    drawn = sorted(latency.seconds() for _ in range(1001))
    assert 0.18 < drawn[500] < 0.22


@pytest.mark.parametrize("text", ["", "fast", "-5", "lognormal:200"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="none of"):
        parse_latency(text)
