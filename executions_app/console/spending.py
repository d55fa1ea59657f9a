"""What model calls have cost since midnight (UTC), and who has spent it; summed up by the database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Sum

from executions_app.console.panel import Asked, Panel
from executions_app.console.shared import Shared
from executions_app.console.viewer import SEE_FIGURES, Viewer
from executions_app.models import HourTally

SHOWN: Final = 8
FRESH: Final = timedelta(seconds=4)
"""How old sums may be: what they add up is 10 to 40 seconds behind."""

_SUMS: Final = ("completed", "skipped", "failed", "model_calls", "tokens", "cost_nanousd", "unpriced_calls")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What an agent, or all of them, did since a moment. Calls without a known price are counted apart."""

    completed: int = 0
    skipped: int = 0
    failed: int = 0
    model_calls: int = 0
    tokens: int = 0
    cost_nanousd: int = 0
    unpriced_calls: int = 0

    @property
    def runs(self) -> int:
        """All runs that ended."""
        return self.completed + self.skipped + self.failed


@dataclass(frozen=True, slots=True)
class Spender:
    """An agent, what it spent, and its share of the greatest spender's, from 0 to 100."""

    agent_id: str
    sums: Sums
    share: int


@dataclass(frozen=True, slots=True)
class Spending:
    """The day's sums, and the agents that spent most."""

    total: Sums
    spenders: tuple[Spender, ...]
    others: int

    @property
    def is_unpriced(self) -> bool:
        """Whether nobody knows the price of any call."""
        return bool(self.total.model_calls) and self.total.unpriced_calls == self.total.model_calls


def look(asked: Asked) -> Spending:
    """Read the day, the greatest spenders first; of those that cost nothing, who used most tokens."""
    found = sums_by_agent(asked, since=midnight(asked.now))
    ranked = sorted(found.items(), key=lambda pair: (-pair[1].cost_nanousd, -pair[1].tokens, pair[0]))
    spent = [(agent, sums) for agent, sums in ranked if sums.model_calls]
    most = max((sums.cost_nanousd for _, sums in spent), default=0)
    shown = tuple(
        Spender(agent, sums, round(100 * sums.cost_nanousd / most) if most else 0)
        for agent, sums in spent[:SHOWN]
    )
    return Spending(total_of(found), shown, max(0, len(spent) - SHOWN))


def midnight(now: datetime) -> datetime:
    """Return the beginning of the day (UTC)."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def sums_by_agent(asked: Asked, *, since: datetime) -> Mapping[str, Sums]:
    """Add up the tallies of each agent in sight since an hour; they are a few seconds old at most."""
    if asked.viewer.agents is not None:
        return _sums_by_agent(asked.viewer, since)
    return _SHARED.look(since, asked.now, lambda: _sums_by_agent(asked.viewer, since))


def _sums_by_agent(viewer: Viewer, since: datetime) -> Mapping[str, Sums]:
    rows = HourTally.objects.filter(hour__gte=since, **viewer.narrowed("agent_id")).order_by()
    added = rows.values_list("agent_id").annotate(*(Sum(name) for name in _SUMS))
    return {agent: Sums(**dict(zip(_SUMS, sums, strict=True))) for agent, *sums in added}


def total_of(found: Mapping[str, Sums]) -> Sums:
    """Add up the sums of agents."""
    return Sums(**{name: sum(getattr(sums, name) for sums in found.values()) for name in _SUMS})


_SHARED: Final[Shared[datetime, Mapping[str, Sums]]] = Shared(lasts=FRESH)

PANEL: Final = Panel(name="spending", title="Cost today", needs=SEE_FIGURES, look=look, seconds=5)
