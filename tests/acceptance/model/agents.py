"""The agents of the model test: each watches one collection in a way of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
PROMPT = "Sort this ticket: "
EVERY_CHANGE = ("insert", "update", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An agent, and what the test expects of it."""

    agent: str
    database: str
    collection: str
    filter: Mapping[str, Any] | None = None
    """Equalities only, so that the test can judge them itself."""
    fields: tuple[str, ...] | None = None
    coalesce: bool = True
    elsewhere: str | None = None
    """The collection of the same database that answers go to, if it is not the watched one."""

    @property
    def namespace(self) -> str:
        """Where it watches."""
        return f"{self.database}.{self.collection}"

    def matches(self, document: Document) -> bool:
        """Whether the document as it is now wants an answer."""
        return all(document.get(key) == value for key, value in (self.filter or {}).items())

    def triggers(self, operation: str, changed: frozenset[str]) -> bool:
        """Whether a user's change is one of those that the agent asked for, whatever its filter says."""
        if operation not in EVERY_CHANGE:
            return False
        return operation != "update" or self.fields is None or not changed.isdisjoint(self.fields)

    def changes(self) -> Document:
        """What makes this agent of the fleet's standard one."""
        watch: Document = {
            "database": self.database,
            "collection": self.collection,
            "operations": list(EVERY_CHANGE),
        }
        if self.filter is not None:
            watch["filter"] = dict(self.filter)
        if self.fields is not None:
            watch["fields"] = list(self.fields)
        write: Document = {"target_collection": self.elsewhere} if self.elsewhere else {}
        return {
            "id": self.agent,
            "name": self.agent,
            "watch": watch,
            "write": write,
            "execution": {"coalesce": self.coalesce},
        }


RULES = (
    Rule(agent="plain", database="shop", collection="tickets"),
    Rule(agent="ordered", database="shop", collection="letters", coalesce=False),
    Rule(agent="moved", database="shop", collection="shelf"),
    Rule(agent="choosy", database="desk", collection="cases", filter={"kind": "lead", "open": True}),
    Rule(agent="narrow", database="desk", collection="notes", fields=("text",)),
    Rule(agent="mirror", database="desk", collection="orders", elsewhere="summaries"),
    Rule(agent="fleeting", database="attic", collection="items"),
)

STAGING = ("shop", "staging")
"""Nobody watches it; it is renamed into the watched collection of `moved` now and then."""
