"""The agents: whether they work, what waits for them, what they did in the last day, and what they cost today."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from agents_app import registry
from agents_app.errors import VersionUnreadable
from agents_app.models import Agent, Health
from executions_app.console import queue, spending
from executions_app.console.panel import Asked, Panel
from executions_app.console.queue import Queue
from executions_app.console.spending import Sums
from executions_app.console.viewer import OPERATE, SEE_AGENTS, SEE_FIGURES
from executions_app.histogram import Histogram, quantile
from executions_app.hold_wire import words
from executions_app.holds import Holding, in_force
from executions_app.live import Waiting
from executions_app.models import Hold, HourTally

SHOWN: Final = 40

_NOTHING: Final = Sums()
_DAY: Final = timedelta(hours=23)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLine:
    """One agent. `day` is the last 24 hours, `today` is since midnight (UTC); durations are in milliseconds."""

    id: str
    name: str
    namespace: str
    model: str
    enabled: bool
    is_held: bool
    own_hold: str
    trouble: str
    waiting: Waiting | None
    queued: int
    running: int
    share: int
    day: Sums
    today: Sums
    p95: float | None

    @property
    def state(self) -> str:
        """One word for how it stands."""
        if not self.enabled:
            return "disabled"
        if self.trouble:
            return "unhealthy"
        return "paused" if self.is_held else "enabled"


@dataclass(frozen=True, slots=True)
class Agents:
    """Those with most to tell first; `more` are left out. Without the permission for figures there are none.

    `overall` is what holds all of them, if anything does.
    """

    lines: tuple[AgentLine, ...]
    more: int
    with_figures: bool
    may_operate: bool
    may_pause_all: bool
    overall: Hold | None


@dataclass(frozen=True, slots=True)
class _Work:
    """What is known of all agents' work."""

    queue: Queue = field(default_factory=Queue)
    day: Mapping[str, Sums] = field(default_factory=dict)
    today: Mapping[str, Sums] = field(default_factory=dict)
    holding: Holding = field(default_factory=Holding)


def look(asked: Asked) -> Agents:
    """Read all agents in sight, and describe those that come first."""
    hour = asked.now.replace(minute=0, second=0, microsecond=0)
    with_figures = asked.viewer.may(SEE_FIGURES)
    work = _work(asked, hour - _DAY) if with_figures else _Work(holding=in_force())
    rows = list(Agent.objects.filter(archived_at=None, **asked.viewer.narrowed("id")).order_by("id"))
    rows.sort(key=lambda agent: _rank(agent, work))
    shown = rows[:SHOWN]
    latencies = _latencies([agent.pk for agent in shown], hour - _DAY) if with_figures else {}
    most = max((work.queue.depth(agent.pk) for agent in shown), default=0)
    lines = tuple(_line(agent, work, latencies.get(agent.pk, Histogram()), most) for agent in shown)
    return Agents(
        lines,
        len(rows) - len(shown),
        with_figures,
        asked.viewer.may(OPERATE),
        asked.viewer.may_pause_all,
        work.holding.overall,
    )


def _work(asked: Asked, since: datetime) -> _Work:
    return _Work(
        queue.look(asked.now),
        spending.sums_by_agent(asked, since=since),
        spending.sums_by_agent(asked, since=spending.midnight(asked.now)),
        in_force(),
    )


def _rank(agent: Agent, work: _Work) -> tuple[bool, bool]:
    """Working agents first, and those with anything to do before idle ones; otherwise by id, so that none jumps."""
    idle = not work.queue.depth(agent.pk) and work.day.get(agent.pk, _NOTHING).runs == 0
    return (not agent.enabled, idle)


def _line(agent: Agent, work: _Work, latency: Histogram, most: int) -> AgentLine:
    namespace, model, unreadable = _declared(agent)
    own = work.holding.agents.get(agent.pk)
    ill = agent.health_reason if agent.health == Health.UNHEALTHY else ""
    return AgentLine(
        id=agent.pk,
        name=agent.name,
        namespace=namespace,
        model=model,
        enabled=agent.enabled,
        is_held=work.holding.of(agent.pk) is not None,
        own_hold="" if own is None else words(own),
        trouble=unreadable or ill,
        waiting=work.queue.waiting.get(agent.pk),
        queued=work.queue.load.queued[agent.pk],
        running=work.queue.load.running[agent.pk],
        share=round(100 * work.queue.depth(agent.pk) / most) if most else 0,
        day=work.day.get(agent.pk, _NOTHING),
        today=work.today.get(agent.pk, _NOTHING),
        p95=quantile(latency, 0.95),
    )


def _declared(agent: Agent) -> tuple[str, str, str]:
    """Read where an agent watches, which model it asks, and why that cannot be read."""
    if agent.current_version_id is None:
        return "", "", "nothing is published"
    try:
        spec = registry.spec_of(agent.current_version_id)
    except VersionUnreadable as error:
        return "", "", str(error)
    return ".".join(spec.watch_namespace), spec.ai.model, ""


def _latencies(agents: Collection[str], since: datetime) -> Mapping[str, Histogram]:
    rows = HourTally.objects.filter(hour__gte=since, agent_id__in=agents, completed__gt=0)
    found: defaultdict[str, Histogram] = defaultdict(Histogram)
    pairs: Iterable[tuple[str, Mapping[str, int]]] = rows.values_list("agent_id", "latency")
    for agent_id, latency in pairs:
        found[agent_id].update({int(bucket): number for bucket, number in latency.items()})
    return found


PANEL: Final = Panel(name="agents", title="Agents", needs=SEE_AGENTS, look=look, seconds=4, wide=True)
