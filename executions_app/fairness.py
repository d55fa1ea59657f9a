"""Whose rows go to the broker next. Pure: what each agent has and wants in, how many each may send out."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

AGEING: Final = timedelta(seconds=30)
"""Waiting so long counts as much as one step of priority, so that low priority never starves."""

MOST_URGENT: Final = 10
"""The highest priority, and as far as waiting alone goes: among all that is old, weights decide and not age."""


@dataclass(frozen=True, slots=True)
class Contender:
    """An agent with due rows: the urgency of its first, its weight, what it has in flight and may have more."""

    agent: str
    level: int
    weight: int
    busy: int
    most: int


def level_of(priority: int, due_at: datetime, now: datetime) -> int:
    """Return a row's urgency: its priority, and a step for each half minute that it has been due, up to the highest."""
    return min(priority + max(timedelta(0), now - due_at) // AGEING, MOST_URGENT)


def guaranteed(slots: int, agents: int) -> int:
    """Return how many rows of each agent are let through whatever the others have in flight."""
    return max(1, slots // max(1, agents))


def share_out(contenders: Sequence[Contender], *, slots: int, agents: int, left: int) -> dict[str, int]:
    """Say how many rows each agent may send.

    `slots` is how many runs the fleet can do at a time, `agents` how many agents have something to do, `left` how
    many more rows may be in flight.

    1. Each agent has its guaranteed share, so that no backlog of others delays its few rows. A backfill's is one.
    2. What is left goes to the most urgent level first, and within a level to whoever has least in flight for
       its weight.
    """
    share = guaranteed(slots, agents)
    given = {
        one.agent: min(one.most, max(0, (share if one.level >= 0 else 1) - one.busy)) for one in contenders
    }
    left -= sum(given.values())
    queue = [
        (-one.level, (one.busy + given[one.agent]) / one.weight, at) for at, one in enumerate(contenders)
    ]
    heapq.heapify(queue)
    while queue and left > 0:
        level, _, at = queue[0]
        one = contenders[at]
        if given[one.agent] >= one.most:
            heapq.heappop(queue)
            continue
        given[one.agent] += 1
        left -= 1
        heapq.heapreplace(queue, (level, (one.busy + given[one.agent]) / one.weight, at))
    return given


def chosen_rows(
    contenders: Sequence[Contender],
    rows: Callable[[str, int], list[str]],
    *,
    slots: int,
    agents: int,
    left: int,
) -> dict[str, list[str]]:
    """Choose rows by `share_out`, with `rows` giving an agent's next rows, at most so many.

    How many rows an agent has due is found out by asking for its share: what it does not need is shared out anew.
    """
    found: dict[str, list[str]] = {}
    while True:
        shares = share_out(contenders, slots=slots, agents=agents, left=left)
        for agent, share in shares.items():
            if share > len(found.get(agent, ())):
                found[agent] = rows(agent, share)
        known = [
            replace(one, most=len(found.get(one.agent, ())))
            if len(found.get(one.agent, ())) < shares[one.agent]
            else one
            for one in contenders
        ]
        if known == contenders:
            return {agent: found[agent][:share] for agent, share in shares.items() if share}
        contenders = known
