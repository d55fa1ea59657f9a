"""The plan by which messages are spread now: read from the agents at work once a second at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from agents_app import registry
from executions_app.routing import Home, Plan, plan_for, queues_of
from mongoclaw_project.config import RoutingStrategy

if TYPE_CHECKING:
    from mongoclaw_project.config import Settings

STALE_AFTER_SECONDS: Final = 1.0

NAMED: Final = frozenset({RoutingStrategy.BY_AGENT, RoutingStrategy.BY_COLLECTION})
"""The strategies whose queues come and go with the agents."""


class Routes:
    """What publishers send by and what workers consume by: the same rule over the same rows, a second apart at most.

    Strategies that name no queue after an agent ask the database nothing. Safe in several threads.
    """

    def __init__(self, settings: Settings, *, monotonic: Callable[[], float]) -> None:
        worker = settings.worker
        self._strategy = worker.routing_strategy
        self._partitions = worker.routing_partition_count
        self._monotonic = monotonic
        plan = Plan(self._strategy, self._partitions)
        self._known = (plan, queues_of(plan, ()))
        self._read_at = float("-inf")

    @property
    def follow_agents(self) -> bool:
        """Whether the queues depend on the agents at work."""
        return self._strategy in NAMED

    def plan(self) -> Plan:
        """Give the plan of now. Raises Django's database errors."""
        return self._now()[0]

    def queues(self) -> frozenset[str]:
        """Give the queues that messages go into now. Raises Django's database errors."""
        return self._now()[1]

    def _now(self) -> tuple[Plan, frozenset[str]]:
        if self.follow_agents and self._monotonic() - self._read_at >= STALE_AFTER_SECONDS:
            homes = [Home(agent.agent_id, *agent.spec.watch_namespace) for agent in registry.active_agents()]
            plan = plan_for(self._strategy, self._partitions, homes)
            self._known = (plan, queues_of(plan, homes))
            self._read_at = self._monotonic()
        return self._known
