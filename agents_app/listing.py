"""Finding agents for people and programs."""

from __future__ import annotations

from collections.abc import Collection

from agents_app import publish
from agents_app.errors import AgentNotFound
from agents_app.models import Agent
from agents_app.spec.plain import text_problem


def agents(
    start: int,
    end: int,
    *,
    enabled_only: bool = False,
    tags: Collection[str] = (),
    only: Collection[str] | None = None,
) -> tuple[list[Agent], int]:
    """Return a part of the agents that are not archived, newest first, and how many there are.

    With `tags`, agents with any of them; with `only`, those of these ids.
    """
    rows = Agent.objects.filter(archived_at=None)
    if enabled_only:
        rows = rows.filter(enabled=True)
    if only is not None:
        rows = rows.filter(id__in=only)
    if not tags:
        page = list(rows[start:end])
        is_whole = start == 0 and len(page) < end
        return page, len(page) if is_whole else rows.count()
    # SQLite cannot look into a list of texts; the tags of all agents are read faster than that could be worked around.
    ids = [id_ for id_, own in rows.values_list("id", "tags") if not set(tags).isdisjoint(own)]
    found = Agent.objects.in_bulk(ids[start:end])
    return [found[id_] for id_ in ids[start:end] if id_ in found], len(ids)


def seen(agent_id: str, only: Collection[str] | None) -> Agent:
    """Return an agent that is not archived and is among `only`. Raises AgentNotFound."""
    if text_problem(agent_id) is not None or (only is not None and agent_id not in only):
        raise AgentNotFound(agent_id=agent_id)
    return publish.get(agent_id)
