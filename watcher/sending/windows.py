"""How many rows may be in the broker: of an agent, and of the fleet.

As few as keep the workers busy. What is in the broker is a queue that nobody can rearrange; what waits in the ledger
is chosen anew for each place that becomes free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from agents_app.spec import AgentSpec
from executions_app import due, holds
from executions_app.due import Head
from executions_app.fairness import Contender, chosen_rows, guaranteed, level_of
from executions_app.limits import Rules, rules_of
from executions_app.load import Load, fleet_slots, present_load

TICK_LIMIT: Final = 2_000
"""Rows that one round sends at most, beside the guaranteed shares: keeps its transaction short."""

PAID_REACH: Final = 200
LEAST_REACH: Final = 20
"""Due rows of all agents together, and of each, among which one round looks for those that need no call."""

SLOTS_AGE: Final = timedelta(seconds=1)
"""How old the knowledge of the fleet's size may be."""

Limits = Callable[[Sequence[Rules]], Mapping[str, int]]


def no_limits(_asked: Sequence[Rules]) -> Mapping[str, int]:
    """Limit nobody."""
    return {}


@dataclass(slots=True)
class Windows:
    """Rows of one agent, and rows for each slot of the fleet, that may be in the broker or at work."""

    per_agent: int
    per_slot: float
    limits: Limits = no_limits
    is_full: bool = False
    """Whether rows waited for nothing but room when rows were chosen last; there is some again soon."""

    ahead: frozenset[str] = frozenset()
    """Agents that have had no more than their guaranteed share, when rows were let through last, while all slots were
    taken: their rows go ahead of those that wait in the broker, or the share would stand in the queue of the others."""

    saturated: frozenset[str] = frozenset()
    """Agents whose due rows waited for their own window or limits when rows were chosen last."""

    starved: frozenset[str] = frozenset()
    """Agents whose due rows waited for nothing but room among the others' then."""

    _slots: int = 0
    _counted_at: datetime | None = field(default=None)

    def direct(self, agents: Mapping[str, AgentSpec], now: datetime) -> dict[str, int]:
        """Say how many new rows of each agent may go to the broker at once, without waiting for dispatch.

        None of an agent that is held, and none of one with a rate or a budget: dispatch asks the limiter what may
        begin. Changes that are due already keep their room: a stream of new ones would let them wait for ever. What a
        backfill has due stands in nobody's way.
        """
        rules = {agent: rules_of(spec) for agent, spec in agents.items()}
        held = holds.recent(now)
        asked = [agent for agent, one in rules.items() if not _is_paced(one) and not held.of(agent)]
        if not asked:
            self.ahead = frozenset()
            return {}
        load, waiting = due.load_and_changes_due(asked, now, most=self.per_agent)
        slots = self.slots(now)
        share = guaranteed(slots, len(load.agents | agents.keys()))
        left = round(slots * self.per_slot) - load.total
        found = {}
        for agent in asked:
            room = min(self._most(rules[agent], load), max(share - load.busy(agent), left))
            found[agent] = max(0, room - waiting[agent])
            left -= found[agent]
        self.ahead = _ahead(found, load, slots=slots, share=share)
        return found

    def choose(
        self, wanted: Mapping[str, Sequence[Head]], specs: Mapping[str, AgentSpec], now: datetime
    ) -> list[list[str]]:
        """Choose the due rows that are to go to the broker now, by agent."""
        load, slots = present_load(), self.slots(now)
        rooms = due.rooms(wanted, load, self.per_agent)
        allowed = self._allowed(specs, load)
        most = {
            agent: min(allowed[agent], room.total if wanted[agent][0].priority >= 0 else room.low)
            for agent, room in rooms.items()
        }
        left = min(TICK_LIMIT, round(slots * self.per_slot) - load.total)
        agents = len(load.agents | wanted.keys())

        def rows(agent: str, most: int) -> list[str]:
            return due.first_rows(agent, wanted[agent], rooms[agent].at_most(most), now)

        contenders = _contenders(wanted, specs, most, load, now)
        chosen = chosen_rows(contenders, rows, slots=slots, agents=agents, left=left)
        self.is_full = sum(map(len, chosen.values())) >= left
        without = {one.agent: one.most for one in contenders if not chosen.get(one.agent)}
        self.saturated = frozenset(agent for agent, most in without.items() if most <= 0)
        self.starved = frozenset(without) - self.saturated if self.is_full else frozenset()
        live = {agent: len(ids) for agent, ids in chosen.items() if wanted[agent][0].priority >= 0}
        self.ahead = _ahead(live, load, slots=slots, share=guaranteed(slots, agents))
        held = {agent: room.total for agent, room in rooms.items() if not allowed[agent] and room.total}
        return [*chosen.values(), *_paid(held, now)]

    def slots(self, now: datetime) -> int:
        """Return how many runs the fleet does at a time, as of a second ago."""
        if self._counted_at is None or not timedelta(0) <= now - self._counted_at < SLOTS_AGE:
            self._slots, self._counted_at = fleet_slots(now), now
        return self._slots

    def _allowed(self, specs: Mapping[str, AgentSpec], load: Load) -> dict[str, int]:
        rules = {agent: rules_of(spec) for agent, spec in specs.items()}
        limited = self.limits(list(rules.values()))
        allowed = {agent: self._most(one, load) for agent, one in rules.items()}
        # Rows that are queued have not asked the limiter yet.
        return allowed | {
            agent: min(allowed[agent], max(0, room - load.queued[agent])) for agent, room in limited.items()
        }

    def _most(self, rules: Rules, load: Load) -> int:
        cap = min(self.per_agent, rules.at_once or self.per_agent)
        return max(0, cap - load.busy(rules.agent_id))


def _contenders(
    wanted: Mapping[str, Sequence[Head]],
    specs: Mapping[str, AgentSpec],
    most: Mapping[str, int],
    load: Load,
    now: datetime,
) -> list[Contender]:
    return [
        Contender(
            agent,
            level=max(level_of(head.priority, head.due_at, now) for head in wanted[agent]),
            weight=specs[agent].execution.weight,
            busy=load.busy(agent),
            most=rows,
        )
        for agent, rows in most.items()
    ]


def _paid(held: Mapping[str, int], now: datetime) -> list[list[str]]:
    """Choose rows of agents none of whose calls may begin: what has an answer already is only to be written."""
    reach = max(LEAST_REACH, PAID_REACH // max(1, len(held)))
    return [due.paid_rows(agent, now, most=room, reach=reach) for agent, room in held.items()]


def _is_paced(rules: Rules) -> bool:
    return bool(rules.per_minute or rules.tokens_per_hour or rules.nanousd_per_hour)


def _ahead(given: Mapping[str, int], load: Load, *, slots: int, share: int) -> frozenset[str]:
    if load.total < slots:
        return frozenset()
    return frozenset(agent for agent, rows in given.items() if 0 < rows <= share - load.busy(agent))
