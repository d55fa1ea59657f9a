"""Finding shared policies for people and programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from django.db.models import QuerySet

from agents_app import policies
from agents_app.errors import PolicyNotFound
from agents_app.models import Agent, Policy
from agents_app.policy_use import users_of
from agents_app.spec.plain import text_problem


def listed(only: Collection[str] | None = None) -> QuerySet[Policy]:
    """The policies that are not archived, by name; with `only`, those that an agent among these works by."""
    rows = Policy.objects.filter(archived_at=None).exclude(current_version=None)
    if only is not None:
        in_use = _working().filter(id__in=only).values("current_version__policy_version__policy")
        rows = rows.filter(name__in=in_use)
    return rows.select_related("current_version").order_by("name")


def seen(name: str, only: Collection[str] | None) -> Policy:
    """Return a policy that is not archived and that an agent among `only` works by. Raises PolicyNotFound."""
    if text_problem(name) is not None or (only is not None and not set(users_of(name)).intersection(only)):
        raise PolicyNotFound(name=name)
    return policies.get(name)


def users(names: Sequence[str], only: Collection[str] | None = None) -> dict[str, list[str]]:
    """Return the agents, those among `only`, that work by each of these policies."""
    rows = _working().filter(current_version__policy_version__policy__in=names).order_by("id")
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, agent_id in rows.values_list("current_version__policy_version__policy", "id"):
        if only is None or agent_id in only:
            found[name].append(agent_id)
    return {name: found[name] for name in names}


def _working() -> QuerySet[Agent]:
    return Agent.objects.filter(archived_at=None)
