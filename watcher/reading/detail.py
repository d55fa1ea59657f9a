"""How much of each event is asked for: less, while an event is in the way that is too large to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from agents_app.registry import ActiveAgent
from watcher.reading.event import ChangeEvent, CollectionEvent, read_event
from watcher.reading.pipeline import Stage, build_pipeline
from watcher.unit import Unit

BATCH: Final = 1000
"""Events per reply: bounds the memory of a watcher that comes back to a long oplog."""


class Detail(Enum):
    """What an event holds."""

    FULL = "full"
    SLIM = "slim"  # no names of changed fields, one event per reply
    BARE = "bare"  # not even the key: enough to know that there is an event, and to go on behind it


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked for, and for how many more events; None is for good."""

    detail: Detail = Detail.FULL
    left: int | None = None

    @property
    def batch_size(self) -> int:
        """How many events a reply may hold. One at a time finds the event that is too large."""
        return BATCH if self.detail is Detail.FULL else 1

    def narrower(self) -> Asking:
        """Ask for less. An event that is in the way is among those that one full reply would have held."""
        if self.detail is Detail.FULL:
            return Asking(Detail.SLIM, BATCH)
        return Asking(Detail.BARE, 1)

    def after(self, events: int) -> Asking:
        """Ask for everything again once the event in the way must have been passed, or nothing more is waiting."""
        if self.left is None:
            return self
        return Asking(self.detail, self.left - events) if 0 < events < self.left else FULL

    def pipeline(self, agents: Sequence[ActiveAgent], unit: Unit) -> list[Stage]:
        """Build the pipeline. All of them match the same events, so a token of one is good for the others."""
        pipeline = build_pipeline(agents, unit=unit, slim=self.detail is not Detail.FULL)
        if self.detail is not Detail.BARE:
            return pipeline
        return [*pipeline, {"$project": {"operationType": 1, "ns": 1, "clusterTime": 1}}]

    def read(self, raw: Mapping[str, Any]) -> ChangeEvent | CollectionEvent:
        """Read an event; a bare one has no key."""
        return read_event({"documentKey": {"_id": None}, **raw} if self.detail is Detail.BARE else raw)


FULL: Final = Asking()
