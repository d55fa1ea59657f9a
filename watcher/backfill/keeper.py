"""Keeping backfills going while this process leads them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from django.db.models import Q
from pymongo import MongoClient

from agents_app import registry
from agents_app.errors import MongoClawError
from agents_app.models import Agent
from agents_app.registry import ActiveAgent
from executions_app import backfill_transitions
from executions_app.backfill_transitions import BackfillStateWrong
from executions_app.fence import Fenced, Term
from executions_app.models import Backfill, BackfillStatus
from watcher.backfill.crew import Crew
from watcher.backfill.job import Job, job_of, tools_for
from watcher.backfill.schedule import Schedule

Document = dict[str, Any]

IDLE_SECONDS: Final = 1.0
BUSY_SECONDS: Final = 0.2
STOP_SECONDS: Final = 0.3


class Backfilling:
    """Takes up what is planned, drops what was paused or ended, completes what is read.

    Only `step` is called by the process, so nothing here is shared but the schedule.
    """

    def __init__(
        self,
        client: MongoClient[Document],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._now = now
        self._monotonic = monotonic
        self._schedule = Schedule()
        self._crew: Crew | None = None
        self._term: Term | None = None

    def step(self, term: Term) -> float:
        """Bring what is at work in line with the ledger; returns the seconds until the next step.

        Raises Fenced, pymongo's and Django's errors, and whatever has ended a thread.
        """
        if term != self._term:
            self.stop()
            self._term = term
        if self._crew is not None and self._crew.failure is not None:
            failure = self._crew.failure
            self.stop()
            raise failure
        rows = {row.id: row for row in _unfinished()}
        for backfill_id in self._schedule.jobs().keys() - rows.keys():
            self._schedule.drop(backfill_id)
        if not rows:
            return IDLE_SECONDS
        agents = {agent.agent_id: agent for agent in registry.active_agents()}
        for row in rows.values():
            self._keep(row, agents.get(row.agent_id), term)
        self._start(term)
        return BUSY_SECONDS

    def stop(self) -> None:
        """Stop the threads. What they have put on record stays; the rest is read again."""
        if self._crew is not None:
            self._crew.stop(STOP_SECONDS)
        self._crew, self._schedule, self._term = None, Schedule(), None

    def _start(self, term: Term) -> None:
        if self._crew is None and self._schedule.jobs():
            self._crew = Crew(self._client, self._schedule, term, now=self._now, monotonic=self._monotonic)
            self._crew.start()

    def _keep(self, row: Backfill, agent: ActiveAgent | None, term: Term) -> None:
        if row.status == BackfillStatus.CANCELLED:
            self._schedule.drop(row.id)
            backfill_transitions.clear(row, now=self._now(), term=term)
            return
        reason = _reason_to_fail(row, agent)
        # Whoever changes its state at the same moment has the last word.
        with suppress(BackfillStateWrong):
            if reason:
                self._schedule.drop(row.id)
                backfill_transitions.fail(row.id, reason, now=self._now(), term=term)
                return
            job = self._schedule.jobs().get(row.id)
            if job is None:
                job = job_of(row)
                self._equip(job, agent, term)
                self._schedule.add(job)
            else:
                self._equip(job, agent, term)
            if row.status == BackfillStatus.RUNNING and self._schedule.is_done(job):
                backfill_transitions.complete(row.id, now=self._now(), term=term)
                self._schedule.drop(row.id)

    def _equip(self, job: Job, agent: ActiveAgent | None, term: Term) -> None:
        """Give a job the tools for its agent's present version."""
        if agent is None:
            job.tools = None
        elif job.tools is None or job.tools.agent.version_id != agent.version_id:
            try:
                job.tools = tools_for(self._client, agent, job.filter, now=self._now)
            except Fenced:
                raise
            except MongoClawError as error:
                backfill_transitions.fail(job.backfill.id, str(error), now=self._now(), term=term)


def _unfinished() -> list[Backfill]:
    ended = Q(status=BackfillStatus.CANCELLED, cleared=False)
    waiting = Q(status__in=(BackfillStatus.PLANNED, BackfillStatus.RUNNING))
    return list(Backfill.objects.filter(waiting | ended).order_by("created_at"))


def _reason_to_fail(row: Backfill, agent: ActiveAgent | None) -> str:
    if agent is None:
        archived = Agent.objects.filter(id=row.agent_id, archived_at__isnull=False).exists()
        return "its agent was deleted" if archived else ""
    database, collection = agent.spec.watch_namespace
    if row.started_at is not None and (row.database, row.collection) != (database, collection):
        return f"the agent watches {database}.{collection} now: ask for a backfill of that"
    return ""
