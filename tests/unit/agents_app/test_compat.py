"""Keys of older agent files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agents_app.spec import AgentSpec

Spec = Callable[..., AgentSpec]
Problems = Callable[..., list[str]]

OLD = {"retry_delay_ms": 500, "timeout_ms": 30000, "rate_limit_per_minute": 60}


def test_old_keys_mean_what_they_meant(spec: Spec) -> None:
    execution = spec(execution=OLD).execution
    assert (execution.retry_delay_seconds, execution.timeout_seconds) == (0.5, 30.0)
    assert execution.rate_limit_requests == 60


def test_old_keys_draw_a_warning_with_the_new_name(warnings: Problems) -> None:
    assert warnings(execution=OLD) == [
        "execution.retry_delay_ms: is an old name; write execution.retry_delay_seconds (seconds) instead",
        "execution.timeout_ms: is an old name; write execution.timeout_seconds (seconds) instead",
        "execution.rate_limit_per_minute: is an old name; write execution.rate_limit_requests instead",
    ]


def test_an_old_key_beside_the_new_one_is_refused(problems: Problems) -> None:
    both: dict[str, Any] = {"timeout_ms": 1000, "timeout_seconds": 2}
    assert problems(execution=both) == [
        "execution.timeout_ms: is the old name of execution.timeout_seconds; give only one of them"
    ]


def test_a_wrong_value_of_an_old_key_is_named_by_the_old_key(problems: Problems) -> None:
    assert problems(execution={"timeout_ms": "soon"}) == ["execution.timeout_ms: must be a number"]
    assert problems(execution={"timeout_ms": True}) == ["execution.timeout_ms: must be a number"]
