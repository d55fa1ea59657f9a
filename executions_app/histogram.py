"""Durations in fixed buckets, so that those of many hours and agents can be added up."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Final

LAST: Final = 62
"""The last bucket: 24 days, and all that took longer."""

Histogram = Counter[int]
"""How many durations there are in each bucket. Bucket `n` holds those up to √2ⁿ ms that no earlier one holds."""


def bucket_of(milliseconds: float) -> int:
    """Return the bucket of a duration; clocks that disagree may have made it negative, and then it is none."""
    if milliseconds <= 1:
        return 0
    # Rounded, so that a bound itself is within it whatever the logarithm's last digit is.
    return min(LAST, math.ceil(round(2 * math.log2(milliseconds), 9)))


def bound_of(bucket: int) -> float:
    """Return the longest duration of a bucket, in milliseconds."""
    return float(2 ** (bucket / 2))


def within(histogram: Mapping[int, int], milliseconds: float) -> int:
    """Estimate how many durations are no longer than this, those of a bucket lying evenly in it; never too many."""
    found = 0.0
    for bucket, number in histogram.items():
        lower, upper = (bound_of(bucket - 1) if bucket else 0.0), bound_of(bucket)
        share = (milliseconds - lower) / (upper - lower)
        found += number * min(1.0, max(0.0, share))
    return math.floor(round(found, 9))


def estimated_sum(histogram: Mapping[int, int]) -> float:
    """Estimate the sum of all durations, in milliseconds: each counts as the middle of its bucket."""
    return sum(
        number * ((bound_of(bucket - 1) if bucket else 0.0) + bound_of(bucket)) / 2
        for bucket, number in histogram.items()
    )


def quantile(histogram: Mapping[int, int], share: float) -> float | None:
    """Estimate the duration that `share` of all do not exceed, in milliseconds; None where there are none.

    The durations of a bucket are taken to lie evenly in it, so the estimate is off by 41 % at most.
    """
    total = sum(histogram.values())
    if not total:
        return None
    wanted, before = share * total, 0
    bucket = 0
    for bucket in sorted(histogram):
        if before + histogram[bucket] >= wanted and histogram[bucket]:
            lower = bound_of(bucket - 1) if bucket else 0.0
            return lower + (bound_of(bucket) - lower) * (wanted - before) / histogram[bucket]
        before += histogram[bucket]
    return bound_of(bucket)
