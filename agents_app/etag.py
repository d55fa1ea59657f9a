"""Optimistic locking over HTTP: the revision of an agent or of a policy is its ETag."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from rest_framework.request import Request

from agents_app.errors import AgentChanged, PolicyChanged
from agents_app.models import Agent, Policy

TRIES: Final = 5
"""How often a change that names no revision is merged anew because somebody was quicker."""

Done = TypeVar("Done")


def etag_of(row: Agent | Policy) -> str:
    """Return the row's ETag."""
    return f'"{row.revision}"'


def is_bound(request: Request) -> bool:
    """Whether the request is about one state alone, named by If-Match."""
    return request.headers.get("If-Match", "*").strip() != "*"


def expected_revision(request: Request, row: Agent | Policy) -> int | None:
    """Return the revision that the request's If-Match asks for; None if it takes any.

    Raises AgentChanged or PolicyChanged if it is not the row's.
    """
    if not is_bound(request):
        return None
    if etag_of(row) not in {tag.strip() for tag in request.headers["If-Match"].split(",")}:
        raise AgentChanged(agent_id=row.id) if isinstance(row, Agent) else PolicyChanged(name=row.name)
    return row.revision


def over_latest(request: Request, change: Callable[[], Done]) -> Done:
    """Do a change that reads a row and publishes over the state that it has read.

    Without If-Match it is done anew where somebody was quicker, so that what they changed is kept too. Raises what
    `change` raises.
    """
    for _ in range(0 if is_bound(request) else TRIES - 1):
        try:
            return change()
        except (AgentChanged, PolicyChanged):
            continue
    return change()
