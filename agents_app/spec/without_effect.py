"""Settings that are checked and stored, and that nothing reads yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from agents_app.spec.section import Finding, Section

NO_EFFECT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ai.response_format": "ai.response_schema decides what an answer looks like",
        "execution.deduplicate_window_seconds": "an unchanged input is skipped however old the answer is",
        "watch.projection": "the worker reads the whole document",
        "write.idempotency_key": "runs are idempotent by themselves",
    }
)
"""What holds instead, by the setting's path."""


def without_effect(sections: Mapping[str, Section]) -> Iterator[Finding]:
    """Yield each of these settings that is given another value than its default."""
    for path, instead in NO_EFFECT.items():
        name, _, field = path.partition(".")
        section = sections.get(name)
        if section is not None and getattr(section, field) != type(section).model_fields[field].default:
            yield Finding(path, f"has no effect yet; {instead}")
