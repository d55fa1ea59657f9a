"""The agent that is tried."""

from __future__ import annotations

from agents_app import publish, registry
from agents_app.spec import AgentSpec


def spec_of(agent_id: str) -> AgentSpec:
    """What an agent says at present. Raises AgentNotFound."""
    return registry.config_of(publish.get(agent_id))
