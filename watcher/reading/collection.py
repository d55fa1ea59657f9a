"""What a collection is, as far as it matters to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo.database import Database
from pymongo.errors import OperationFailure

from agents_app.publish import COLLECTION_REASON
from agents_app.registry import ActiveAgent

Document = dict[str, Any]

_DENIED: Final = 13
_NO_CHANGES: Final[Mapping[str, str]] = {"view": "a view", "timeseries": "a time-series collection"}


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """One collection's kind and options. `keeps_images` says whether it has pre- and post-images of changes."""

    name: str
    kind: str
    capped: bool
    keeps_images: bool

    @property
    def obstacle(self) -> str | None:
        """Why it cannot be watched and written to, as a sentence without its end, or None if it can."""
        if self.kind in _NO_CHANGES:
            return (
                f"'{self.name}' is {_NO_CHANGES[self.kind]}, and MongoDB reports no changes of those; "
                "watch the collection that its documents come from"
            )
        if self.capped:
            return (
                f"'{self.name}' is a capped collection: MongoDB drops its oldest documents without reporting it, "
                "and an answer may not fit in; watch an ordinary collection, such as one with a TTL index"
            )
        return None


def collections_of(database: Database[Document], *names: str) -> dict[str, CollectionFacts]:
    """Look at these collections of a database, or at all; those that do not exist are left out.

    Raises pymongo's errors, among them OperationFailure where listing collections is not allowed.
    """
    wanted: Document = {"name": {"$in": list(names)}} if names else {}
    return {found["name"]: _facts(found) for found in database.list_collections(filter=wanted)}


def announce(
    database: Database[Document],
    agents: Sequence[ActiveAgent],
    watched: Callable[[Iterable[str]], object],
    unhealthy: Callable[[str, str], object],
) -> None:
    """Report that these agents of the database are watched, or else what their collections have become.

    Publishing refuses collections that cannot be watched; this finds those that came later. Raises pymongo's errors.
    """
    blocked = _obstacles(database, agents)
    for agent_id, reason in blocked.items():
        unhealthy(agent_id, f"{COLLECTION_REASON}{reason}")
    watched([agent.agent_id for agent in agents if agent.agent_id not in blocked])


def _obstacles(database: Database[Document], agents: Sequence[ActiveAgent]) -> dict[str, str]:
    """Say by the agents' ids what is in the way; where listing collections is not allowed, nothing is known."""
    watched = {agent.agent_id: agent.spec.watch.collection for agent in agents}
    try:
        facts = collections_of(database, *sorted(set(watched.values())))
    except OperationFailure as error:
        if error.code != _DENIED:
            raise
        return {}
    found = ((agent_id, facts.get(name)) for agent_id, name in watched.items())
    return {agent_id: fact.obstacle for agent_id, fact in found if fact is not None and fact.obstacle}


def _facts(found: Mapping[str, Any]) -> CollectionFacts:
    options = found.get("options", {})
    return CollectionFacts(
        name=found["name"],
        kind=str(found.get("type", "collection")),
        capped=bool(options.get("capped")),
        keeps_images=bool(options.get("changeStreamPreAndPostImages", {}).get("enabled")),
    )
