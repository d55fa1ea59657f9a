"""Prices as people read them."""

from __future__ import annotations

import pytest

from executions_app.cost import cost_text, usd


@pytest.mark.parametrize(
    ("nanousd", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (412_500, "$0.0004125"),
        (1_500_000_000, "$1.50"),
        (12_000_000_000, "$12.00"),
        (None, "unknown"),
    ],
)
def test_a_price_is_written_with_all_its_digits_and_two_at_least(nanousd: int | None, text: str) -> None:
    assert cost_text(nanousd) == text


def test_a_price_that_is_not_known_is_not_zero() -> None:
    assert usd(None) is None
    assert usd(412_500) == 0.0004125
