"""Scripted faults: which calls fail, and how."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class FaultKind(StrEnum):
    """What happens to a call instead of a sound answer."""

    RATE_LIMIT = "rate_limit"  # 429 with Retry-After
    INSUFFICIENT_QUOTA = "insufficient_quota"  # 429 that no waiting cures
    UNAUTHORIZED = "unauthorized"  # 401
    BAD_REQUEST = "bad_request"  # 400
    CONTEXT_TOO_LONG = "context_too_long"  # 400 context_length_exceeded
    CONTENT_POLICY = "content_policy"  # 400 content_policy_violation
    UNKNOWN_MODEL = "unknown_model"  # 404
    ERROR_500 = "error_500"
    UNAVAILABLE = "unavailable"  # 503, with Retry-After if given
    OVERLOADED = "overloaded"  # 529
    HTML = "html"  # 200 with a web page
    BAD_BODY = "bad_body"  # 200 with a body that is cut JSON
    HANG = "hang"  # never answers
    RESET = "reset"  # closes the connection with RST
    SLOW_DRIP = "slow_drip"  # a sound answer, byte by byte over `drip_seconds`
    NO_CHOICES = "no_choices"
    REFUSAL = "refusal"
    EMPTY = "empty"  # content ""
    BAD_JSON = "bad_json"  # the answer is cut JSON, finish_reason stop
    BAD_SCHEMA = "bad_schema"  # the answer is JSON that fits no schema
    TRUNCATED = "truncated"  # cut answer, finish_reason length
    NO_USAGE = "no_usage"  # sound answer without usage
    CONTENT = "content"  # the answer is `content`
    DELAY = "delay"  # a sound answer after `latency_ms`


class BadRule(ValueError):
    """The fault rule is not understood."""


@dataclass
class FaultRule:
    """One entry of the script.

    It meets a call if the prompt holds `contains`, if `probability` (of a generator with `seed`) says so,
    while `times` calls have not been met (None: without end), and until `seconds` after it was set.
    `retry_after` is in seconds.
    """

    kind: FaultKind
    times: int | None = None
    contains: str | None = None
    probability: float = 1.0
    seed: int = 0
    seconds: float | None = None
    retry_after: float | None = None
    latency_ms: float | None = None
    drip_seconds: float = 5.0
    content: str | None = None
    met: int = 0
    set_at: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)

    def is_over(self, now: float) -> bool:
        """Whether it will meet no further call."""
        return (self.times is not None and self.met >= self.times) or (
            self.seconds is not None and now >= self.set_at + self.seconds
        )

    def meets(self, prompt: str) -> bool:
        """Whether this call is met."""
        if self.contains is not None and self.contains not in prompt:
            return False
        return self.probability >= 1 or self._rng.random() < self.probability

    def as_dict(self) -> dict[str, Any]:
        """For the control interface."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "set_at"}


_SETTABLE = {item.name for item in fields(FaultRule)} - {"met", "set_at"}


def parse_rule(data: Mapping[str, Any], *, now: float) -> FaultRule:
    """Reads one rule; raises BadRule."""
    unknown = sorted(set(data) - _SETTABLE)
    if unknown:
        raise BadRule(f"unknown key {unknown[0]!r}; known: {', '.join(sorted(_SETTABLE))}")
    try:
        kind = FaultKind(data.get("kind", ""))
    except ValueError:
        raise BadRule(f"kind {data.get('kind')!r} is none of: {', '.join(FaultKind)}") from None
    return FaultRule(**{**data, "kind": kind}, set_at=now)


class FaultScript:
    """The rules in force; the first that meets a call decides."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []

    def add(self, rules: list[FaultRule]) -> None:
        """Appends rules."""
        self._rules.extend(rules)

    def clear(self) -> None:
        """Removes all rules."""
        self._rules.clear()

    def next_for(self, prompt: str, *, now: float) -> FaultRule | None:
        """The rule that meets this call, counted as met."""
        if not self._rules:
            return None
        self._rules = [rule for rule in self._rules if not rule.is_over(now)]
        for rule in self._rules:
            if rule.meets(prompt):
                rule.met += 1
                return rule
        return None

    def as_list(self) -> list[dict[str, Any]]:
        """For the control interface."""
        return [rule.as_dict() for rule in self._rules]
