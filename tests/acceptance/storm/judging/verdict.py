"""What is wrong, each finding in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Final

SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """All lists empty is what the system promises; `extra_calls` is money, the others are soundness."""

    lost: list[str] = field(default_factory=list)
    """Documents, events and acknowledged changes that have come to nothing, and nothing says why."""
    doubled: list[str] = field(default_factory=list)
    """Second writes, second rows, and answers that nobody asked for."""
    stale: list[str] = field(default_factory=list)
    """Older over newer: answers, rows of one document, positions of a stream."""
    stuck: list[str] = field(default_factory=list)
    """What does not end, does not move, or is held by nobody."""
    over_limit: list[str] = field(default_factory=list)
    """More calls at once or in a minute than an agent allows."""
    extra_calls: list[str] = field(default_factory=list)
    """Calls that no failure and no death explains."""
    explained: list[str] = field(default_factory=list)
    """Documents without an answer whose record says why; not wrong."""

    @property
    def is_sound(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.doubled or self.stale or self.stuck or self.over_limit)

    def shown(self) -> Iterator[str]:
        """The first findings of each kind."""
        for kind in fields(self):
            found: list[str] = getattr(self, kind.name)
            yield from (f"{kind.name}: {sentence}" for sentence in found[:SHOWN])
            if len(found) > SHOWN:
                yield f"{kind.name}: and {len(found) - SHOWN} more"
