"""What waits and goes on now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from executions_app import live
from executions_app.console.shared import Shared
from executions_app.live import Waiting
from executions_app.load import Load, present_load

EACH: Final = 2_000
"""Due rows of one agent and priority that are counted here; the command and the API count on."""

TOGETHER: Final = 20_000
"""Due rows that one look counts altogether: an index entry each, so that a look takes milliseconds."""

FRESH: Final = timedelta(seconds=2)
"""How old a look may be: less than a poll of one page, and many pages are polled."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What is due, by agent, and what is in the broker and at work."""

    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    load: Load = field(default_factory=Load)

    def depth(self, agent_id: str) -> int:
        """How many runs of an agent wait or go on."""
        due = self.waiting[agent_id].due if agent_id in self.waiting else 0
        return due + self.load.busy(agent_id)


def look(now: datetime) -> Queue:
    """Return the queue as it was a moment ago. Raises Django's database errors."""
    return _SHARED.look(None, now, lambda: _read(now))


def _read(now: datetime) -> Queue:
    return Queue(live.look(now, most=EACH, together=TOGETHER).agents, present_load())


_SHARED: Final[Shared[None, Queue]] = Shared(lasts=FRESH)
