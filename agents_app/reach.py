"""Where the agents of a bound key may work: where these agents work already."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from rest_framework.exceptions import PermissionDenied

from agents_app import registry
from agents_app.errors import VersionUnreadable
from agents_app.models import Agent
from agents_app.spec import AgentSpec

Namespace = tuple[str, str]


def require_within_reach(spec: AgentSpec, only: Collection[str] | None) -> None:
    """Raise PermissionDenied if a key that is bound to agents would point one at another collection.

    Else whoever holds the key of one agent could read all of MongoDB through it, and write into it.
    """
    if only is None:
        return
    reach = set(_namespaces(only))
    named = {"watch": spec.watch_namespace, "write": spec.target_namespace}
    beyond = [f"{'.'.join(place)} ({section})" for section, place in named.items() if place not in reach]
    if beyond:
        raise PermissionDenied(
            f"This key is bound to agents and may not point one at {' or '.join(beyond)}, where none of them works"
        )


def _namespaces(only: Collection[str]) -> Iterator[Namespace]:
    live = Agent.objects.filter(id__in=only, archived_at=None, current_version__isnull=False)
    for version_id in live.values_list("current_version_id", flat=True):
        try:
            spec = registry.spec_of(version_id or 0)
        except VersionUnreadable:
            continue
        yield from (spec.watch_namespace, spec.target_namespace)
