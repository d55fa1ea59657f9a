"""The agents of the storm: each watches one collection in a way of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Document = dict[str, Any]
EVERY_CHANGE: Final = ("insert", "update", "replace")

LIMITS_IN_FORCE: Final = False
"""Whether the judge holds calls against `max_concurrency` and `rate_limit_requests`.

Off where the broker is struck that keeps the limits: one that forgets lets calls begin anew (ADR 0020).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An agent, and what the storm expects of it."""

    agent: str
    database: str
    collection: str
    filter: Mapping[str, Any] | None = None
    """Equalities only, so that the judge can apply them itself."""
    after: str | None = None
    """The agent whose answer in the same document it waits for and asks about."""
    fields: tuple[str, ...] | None = None
    coalesce: bool = True
    elsewhere: str | None = None
    """The collection of the same database that answers go to, if it is not the watched one."""
    target: str = "ai"
    execution: Mapping[str, Any] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """Where it watches."""
        return f"{self.database}.{self.collection}"

    @property
    def is_strict(self) -> bool:
        """Whether no answer may be written once its input has changed."""
        return self.execution.get("consistency_mode") == "strict_post_commit"

    def matches(self, document: Document) -> bool:
        """Whether the document as it is now wants an answer."""
        if self.after is not None and self.prompt_for(document) is None:
            return False
        return all(document.get(key) == value for key, value in (self.filter or {}).items())

    def prompt_for(self, document: Mapping[str, Any]) -> str | None:
        """What the model is asked about the document; None while there is nothing to ask about."""
        if self.after is None:
            return f"[{self.agent}] {document['text']}"
        earlier = document.get(BY_AGENT[self.after].target)
        return None if earlier is None else f"[{self.agent}] {earlier['category']}: {document['text']}"

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
        prompt = f"[{self.agent}] {{{{ document.text }}}}"
        if self.filter is not None:
            watch["filter"] = dict(self.filter)
        if self.fields is not None:
            watch["fields"] = list(self.fields)
        if self.after is not None:
            earlier = BY_AGENT[self.after].target
            watch["filter"] = {f"{earlier}.category": {"$exists": True}}
            prompt = f"[{self.agent}] {{{{ document.{earlier}.category }}}}: {{{{ document.text }}}}"
        return {
            "id": self.agent,
            "name": self.agent,
            "watch": watch,
            "ai": {"prompt": prompt},
            "write": {"target_field": self.target}
            | ({"target_collection": self.elsewhere} if self.elsewhere else {}),
            "execution": {"coalesce": self.coalesce, "timeout_seconds": RUN_SECONDS, **self.execution},
        }


RUN_SECONDS: Final = 20
"""A model that hangs holds a run for so long."""
STRICT: Final = {"consistency_mode": "strict_post_commit"}
CONCURRENT: Final = 3
PER_MINUTE: Final = 120
BURST: Final = PER_MINUTE // 10
"""Calls of one minute beyond the rate: a bucket that was full when it began."""

RULES: Final = (
    Rule(agent="plain", database="shop", collection="tickets"),
    Rule(agent="ordered", database="shop", collection="letters", coalesce=False),
    Rule(agent="moved", database="shop", collection="shelf"),
    Rule(agent="strict", database="shop", collection="contracts", execution=STRICT),
    Rule(
        agent="stubborn",
        database="shop",
        collection="claims",
        coalesce=False,
        execution={**STRICT, "on_conflict": "rerun"},
    ),
    Rule(agent="choosy", database="desk", collection="cases", filter={"kind": "lead", "open": True}),
    Rule(agent="narrow", database="desk", collection="notes", fields=("text",)),
    Rule(agent="mirror", database="desk", collection="orders", elsewhere="summaries"),
    Rule(agent="deed", database="desk", collection="deeds", elsewhere="registry", execution=STRICT),
    Rule(agent="first", database="desk", collection="chain"),
    Rule(agent="second", database="desk", collection="chain", target="ai_second", after="first"),
    Rule(agent="few", database="attic", collection="few", execution={"max_concurrency": CONCURRENT}),
    Rule(
        agent="metered",
        database="attic",
        collection="metered",
        execution={"rate_limit_requests": PER_MINUTE},
    ),
    Rule(agent="fleeting", database="attic", collection="items"),
)
BY_AGENT: Final = {rule.agent: rule for rule in RULES}

STAGING: Final = ("shop", "staging")
"""Nobody watches it; it is renamed into the watched collection of `moved` now and then."""
