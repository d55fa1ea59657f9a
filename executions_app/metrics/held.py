"""What holds calls up, as the limiter in Redis says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from agents_app.registry import ActiveAgent
from executions_app.limits import Limiter, Pauses, rules_of
from executions_app.metrics.declared import limits
from executions_app.metrics.metric import Family, Value, family
from executions_app.metrics.names import Names, largest
from executions_app.states import Reason

CLOSED: Final = 0.0
HALF_OPEN: Final = 1.0
OPEN: Final = 2.0
_CIRCUIT: Final = "circuit:"
_AGENT: Final = "agent:"


def of_limits(
    limiter: Limiter, agents: Sequence[ActiveAgent], names: Names, *, monotonic: float
) -> Iterator[Family]:
    """Compute what holds calls up. Raises LimiterUnavailable."""
    rules = [rules_of(agent.spec) for agent in agents]
    pauses = limiter.pauses()
    refused = limiter.refusals([one for one in rules if one.is_bounded])
    force = pauses.in_force(monotonic=monotonic)
    circuits = {one.circuit for one in rules} | {name for name in pauses.found if name.startswith(_CIRCUIT)}
    yield family(limits.CIRCUIT, [_circuit(pauses, name, monotonic) for name in sorted(circuits)])
    quarantined = {pause.name for pause in force if pause.reason == Reason.QUARANTINED}
    yield family(
        limits.QUARANTINED,
        largest(((names(one.agent_id),), float(one.agent in quarantined)) for one in rules),
    )
    shown = ((_shown(pause.name, names), pause.reason, pause.seconds) for pause in force)
    yield family(limits.PAUSED, largest(((name, reason), seconds) for name, reason, seconds in shown))
    reached = (((names(agent), str(why.reason)), 1.0) for agent, why in refused.items())
    yield family(limits.REACHED, largest(reached))


def _circuit(pauses: Pauses, name: str, monotonic: float) -> Value:
    """Say how a circuit is. One whose time is over lets one call through, until that has an answer."""
    found = pauses.found.get(name)
    if found is None or found.reason != Reason.CIRCUIT_OPEN:
        state = CLOSED
    else:
        state = OPEN if pauses.holding([name], monotonic=monotonic) else HALF_OPEN
    return (name.removeprefix(_CIRCUIT),), state


def _shown(name: str, names: Names) -> str:
    if not name.startswith(_AGENT):
        return name
    return f"{_AGENT}{names(name.removeprefix(_AGENT))}"
