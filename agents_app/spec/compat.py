"""Keys of older agent files, accepted with a warning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents_app.errors import SpecProblem


@dataclass(frozen=True, slots=True)
class _OldKey:
    now: str
    divisor: int  # old values are divided by it


_OLD_KEYS: Mapping[str, _OldKey] = {
    "retry_delay_ms": _OldKey("retry_delay_seconds", 1000),
    "timeout_ms": _OldKey("timeout_seconds", 1000),
    "rate_limit_per_minute": _OldKey("rate_limit_requests", 1),
}


@dataclass(slots=True)
class Upgraded:
    """A specification with today's keys, and what was said about the old ones."""

    data: dict[str, Any]
    warnings: list[str] = field(default_factory=list)
    problems: list[SpecProblem] = field(default_factory=list)


def upgrade(data: Mapping[str, Any]) -> Upgraded:
    """Replace the old keys of `execution`; milliseconds become seconds. The input is left as it is."""
    result = Upgraded(dict(data))
    execution = data.get("execution")
    if not isinstance(execution, Mapping):
        return result
    section = dict(execution)
    for old, key in _OLD_KEYS.items():
        if old in section:
            _replace(section, old, key, result)
    result.data["execution"] = section
    return result


def _replace(section: dict[str, Any], old: str, key: _OldKey, result: Upgraded) -> None:
    path = f"execution.{old}"
    value = section.pop(old)
    if key.now in section:
        result.problems.append(
            SpecProblem(path, f"is the old name of execution.{key.now}; give only one of them")
        )
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        result.problems.append(SpecProblem(path, "must be a number"))
        return
    section[key.now] = value / key.divisor if key.divisor != 1 else value
    unit = " (seconds)" if key.divisor != 1 else ""
    result.warnings.append(f"{path}: is an old name; write execution.{key.now}{unit} instead")
