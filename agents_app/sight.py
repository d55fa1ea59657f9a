"""Which agents a caller may see: a key may be bound to some."""

from __future__ import annotations


def visible_agents(user: object) -> frozenset[str] | None:
    """Give the ids of the agents that a request's user may see; None for all there are.

    To a caller an agent that is not visible does not exist: it is left out of lists and sums, and asking for it
    is answered 404.
    """
    agents: frozenset[str] | None = getattr(user, "agents", None)
    return agents
