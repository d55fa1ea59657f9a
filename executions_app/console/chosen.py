"""The agent that an action was chosen for."""

from __future__ import annotations

from agents_app import publish
from agents_app.errors import AgentNotFound
from agents_app.models import Agent
from executions_app.console.question import Choice
from executions_app.console.viewer import Viewer


def chosen_agent(viewer: Viewer, choice: Choice) -> Agent:
    """Return it. Raises AgentNotFound, also for one that is not in sight."""
    agent = publish.get(choice["agent"])
    if not viewer.sees(agent.pk):
        raise AgentNotFound(agent_id=agent.pk)
    return agent
