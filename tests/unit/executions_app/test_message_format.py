from __future__ import annotations

import pytest

from executions_app.message_format import FORMAT, FORMAT_HEADER, is_newer


@pytest.mark.parametrize(
    ("headers", "newer"),
    [
        ({}, False),
        ({FORMAT_HEADER: FORMAT}, False),
        ({FORMAT_HEADER: FORMAT + 1}, True),
        ({FORMAT_HEADER: "two"}, True),
    ],
)
def test_only_a_format_that_came_later_is_left_to_others(headers: dict[str, object], newer: bool) -> None:
    assert is_newer(headers) is newer
