"""Optimistic locking over HTTP: an agent's revision is its ETag."""

from __future__ import annotations

from rest_framework.request import Request

from agents_app.errors import AgentChanged
from agents_app.models import Agent


def etag_of(agent: Agent) -> str:
    """Return the agent's ETag."""
    return f'"{agent.revision}"'


def expected_revision(request: Request, agent: Agent) -> int | None:
    """Return the revision that the request's If-Match asks for; None if it takes any.

    Raises AgentChanged if it is not the agent's.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    if etag_of(agent) not in {tag.strip() for tag in header.split(",")}:
        raise AgentChanged(agent_id=agent.id)
    return agent.revision
