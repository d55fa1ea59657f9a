"""Keeping the ledger moving: due rows to the broker, lost messages and orphaned runs back to pending."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Final

import structlog
from django.db import Error as DatabaseError

from agents_app import registry
from agents_app.models import Agent
from executions_app import due, holds, transitions
from executions_app.fence import Term
from executions_app.metrics.names import agent_label
from executions_app.models import Execution, WorkerProcess
from executions_app.states import Reason, Status
from watcher.observing.metrics import SATURATION, STARVATION
from watcher.sending.publisher import BrokerUnavailable, Publisher
from watcher.sending.sender import Sender
from watcher.sending.vitality import Vitality
from watcher.sending.windows import Windows

log = structlog.get_logger(__name__)

OVERDUE_WITH_EMPTY_QUEUE: Final = timedelta(seconds=3)
"""A queued row this old while the broker's queue is empty has lost its message."""

OVERDUE_AT_MOST: Final = timedelta(minutes=2)
"""A queued row this old is published again although the queue is not empty; doubled for each time it happened."""

SLOW_OBSERVATION: Final = 1.0
"""Seconds; a beat round that took longer says that the database could not take beats from anybody."""

LOST_LIMIT: Final = 1_000

ORPHAN_CHECK_SECONDS: Final = 1.0

FORGOTTEN_AFTER: Final = timedelta(hours=1)
"""The row of a process that holds nothing and has been silent for this long is taken away."""

NO_ROW: Final = -1
"""Stands for the beat of a holder that has no row."""


@dataclass(slots=True, kw_only=True)
class Dispatch:
    """One tick after another; holds nothing but what it saw last."""

    publisher: Publisher
    windows: Windows
    beat: Callable[[], None]
    vitality: Vitality
    poison_after: int = 0
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    _sender: Sender = field(init=False)
    _checked_at: float = field(default=float("-inf"))

    def __post_init__(self) -> None:
        """Send through the same publisher."""
        self._sender = Sender(self.publisher, now=self.now, monotonic=self.monotonic)

    def tick(self, term: Term | None = None) -> int:
        """Do one round; returns how many rows went to the broker.

        Raises Django's database errors, and Fenced if the term is over; whatever was done until then stays done.
        """
        if self.monotonic() - self._checked_at >= ORPHAN_CHECK_SECONDS:
            self._checked_at = self.monotonic()
            self._reclaim_orphans(term)
            self._end_unwanted(term)
            self._withdraw_lost(term)
        return self._send_due(term)

    def _reclaim_orphans(self, term: Term | None = None) -> None:
        """Take back the runs of workers whose heartbeat stands still, or whose row is gone, for too long."""
        started = self.monotonic()
        try:
            self.beat()
            beats = _beats_of_holders()
        except DatabaseError:
            self.vitality.forget()
            raise
        if self.monotonic() - started > SLOW_OBSERVATION:
            self.vitality.forget()
            return
        dead = sorted(self.vitality.observe(beats, monotonic=self.monotonic()))
        if dead:
            moved = transitions.reclaim(
                dead,
                now=self.now(),
                company=self.vitality.company(dead),
                poison_after=self.poison_after,
                term=term,
            )
            log.warning("workers.lost", workers=dead, reclaimed=moved)
        silent = WorkerProcess.objects.filter(beat_at__lt=self.now() - FORGOTTEN_AFTER)
        silent.exclude(id__in=beats).delete()

    def _end_unwanted(self, term: Term | None) -> None:
        """End what waits for agents that are archived, so many rows at a time."""
        archived = list(Agent.objects.filter(archived_at__isnull=False).values_list("id", flat=True))
        # Every priority is one; said, SQLite takes the index of what waits and not the one of all that ever was.
        waiting = Execution.objects.filter(
            status=Status.PENDING, agent_id__in=archived, priority__gte=due.LOWEST_PRIORITY
        )
        unwanted = list(waiting.values_list("id", flat=True)[:LOST_LIMIT]) if archived else []
        if unwanted:
            rows = Execution.objects.filter(id__in=unwanted)
            transitions.abandon(rows, Reason.AGENT_NOT_FOUND, now=self.now(), term=term)

    def _withdraw_lost(self, term: Term | None) -> None:
        """Give up messages that cannot be in the broker any more.

        Unclaimed rows with an empty broker have lost theirs. With one that is not, nobody can tell, so patience
        doubles for each time a row was given up.
        """
        now = self.now()
        queued = Execution.objects.filter(status=Status.QUEUED)
        if not queued.filter(queued_at__lt=now - OVERDUE_WITH_EMPTY_QUEUE).exists():
            return
        try:
            empty = self.publisher.is_drained()
        except BrokerUnavailable:
            return
        patience = OVERDUE_WITH_EMPTY_QUEUE if empty else OVERDUE_AT_MOST
        overdue = queued.filter(queued_at__lt=now - patience)
        lost = [
            id_
            for id_, queued_at, publications in overdue.order_by("queued_at").values_list(
                "id", "queued_at", "publications"
            )[:LOST_LIMIT]
            if empty or queued_at < now - OVERDUE_AT_MOST * 2 ** min(publications, 6)
        ]
        if lost:
            moved = transitions.withdraw(
                Execution.objects.filter(id__in=lost), Reason.OVERDUE, due_at=now, term=term
            )
            log.warning("messages.lost", withdrawn=moved, queue_empty=empty)

    def _send_due(self, term: Term | None) -> int:
        if not self._sender.ready:
            return 0
        now = self.now()
        ids = list(self._due(now))
        if not ids:
            return 0
        sent = transitions.enqueue(ids, now=now, term=term)
        return len(sent) if self._sender.send(sent, ahead=self.windows.ahead, term=term) else 0

    def _due(self, now: datetime) -> Iterator[str]:
        """Choose due rows: as many of each agent as its share and its limits allow, agents taking turns."""
        waiting = due.due_heads(now)
        if not waiting:
            self.windows.is_full = False
            return iter(())
        held = holds.in_force()
        active = {
            agent.agent_id: agent.spec
            for agent in registry.active_agents()
            if agent.agent_id in waiting and not held.of(agent.agent_id)
        }
        wanted = {agent: heads for agent, heads in waiting.items() if agent in active}
        turns = self.windows.choose(wanted, active, now)
        for counter, agents in ((STARVATION, self.windows.starved), (SATURATION, self.windows.saturated)):
            for agent in agents:
                counter.labels(agent_label(agent), self.publisher.queue_of(active[agent])).inc()
        return (id_ for id_ in chain.from_iterable(zip_longest(*turns)) if id_ is not None)


def _beats_of_holders() -> dict[str, int]:
    """Read the beat numbers of the workers that hold runs.

    The holders first: a worker writes its row before its first claim, so a holder without a row has none any more.
    Nobody else: a worker that slept without work claims before it beats when it wakes, and its silence counts from
    then.
    """
    running = Execution.objects.filter(status=Status.RUNNING)
    holders = set(running.values_list("worker", flat=True).distinct())
    found = dict(WorkerProcess.objects.filter(id__in=holders).values_list("id", "beat"))
    return {holder: found.get(holder, NO_ROW) for holder in holders}
