"""What waits and goes on now: read once in a while for all who look, since it is the same for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

from executions_app import live
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


class Recent:
    """The last look, shared by all threads of a process: who comes while one looks waits for what it sees."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: tuple[datetime, Queue] | None = None

    def look(self, now: datetime) -> Queue:
        """Return the queue as it was a moment ago. Raises Django's database errors."""
        with self._lock:
            if self._seen is None or not timedelta(0) <= now - self._seen[0] < FRESH:
                waiting = live.look(now, most=EACH, together=TOGETHER).agents
                self._seen = (now, Queue(waiting, present_load()))
            return self._seen[1]

    def forget(self) -> None:
        """Look anew next time. For tests, whose queues come and go."""
        with self._lock:
            self._seen = None


RECENT: Final = Recent()
