"""Optimistic locking over HTTP: the revision of an agent or of a policy is its ETag."""

from __future__ import annotations

from rest_framework.request import Request

from agents_app.errors import AgentChanged, PolicyChanged
from agents_app.models import Agent, Policy


def etag_of(row: Agent | Policy) -> str:
    """Return the row's ETag."""
    return f'"{row.revision}"'


def expected_revision(request: Request, row: Agent | Policy) -> int | None:
    """Return the revision that the request's If-Match asks for; None if it takes any.

    Raises AgentChanged or PolicyChanged if it is not the row's.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return None
    if etag_of(row) not in {tag.strip() for tag in header.split(",")}:
        raise AgentChanged(agent_id=row.id) if isinstance(row, Agent) else PolicyChanged(name=row.name)
    return row.revision
