"""Changing an agent in part: what PUT does with what it is given (ADR 0027)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.spec import AgentSpec, declared
from agents_app.spec.compat import Upgraded, upgrade

_MANAGED: Final = frozenset({"id", "version", "created_at", "updated_at"})
_NEVER_EMPTY: Final = frozenset({"name", "watch", "ai", "enabled"})
"""Null leaves these alone, as it did in MongoClaw 1.0.4; it clears everything else."""


def merged(spec: AgentSpec, changes: Mapping[str, Any]) -> Upgraded:
    """Return the specification with changes: objects are merged one level deep, everything else is replaced.

    Null takes a value away, so that its default holds. Raises SpecInvalid for a change of the id.
    """
    if changes.get("id") not in (None, spec.id):
        raise SpecInvalid(errors=[SpecProblem("id", "never changes; create another agent instead")])
    upgraded = upgrade(changes)
    if upgraded.problems:
        raise SpecInvalid(errors=upgraded.problems)
    result = declared(spec)
    for name, value in upgraded.data.items():
        if name in _MANAGED or (value is None and name in _NEVER_EMPTY):
            continue
        before = result.pop(name, None)
        if isinstance(value, Mapping):
            result[name] = _patched(before if isinstance(before, Mapping) else {}, value)
        elif value is not None:
            result[name] = value
    return Upgraded(result, upgraded.warnings)


def _patched(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    cleared = {name for name, value in changes.items() if value is None}
    return {name: value for name, value in {**before, **changes}.items() if name not in cleared}
