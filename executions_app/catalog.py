"""What collections hold, as far as a caller may see: those that its agents watch (peer contract §7)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import pymongo
from pymongo import MongoClient

from agents_app import registry
from agents_app.errors import Decision, MongoClawError
from agents_app.models import Agent
from agents_app.spec import AgentSpec
from enrichment.plain import to_plain
from executions_app.identity import CODEC

Document = Mapping[str, Any]
Namespace = tuple[str, str]

HIDDEN: Final = frozenset({"admin", "config", "local"})
PATIENCE_SECONDS: Final = 5.0
DEEPEST: Final = 3
LONGEST_EXAMPLE: Final = 200
RECENT: Final = 10

COUNTED: Final = 10_000
"""Documents up to which fields are counted; of more, a sample is looked at."""

SAMPLED: Final = 1_000

_TYPES: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    list: "array",
    dict: "object",
}


class CollectionNotFound(MongoClawError):
    """There is no such collection, or no agent that the caller may see watches it."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "collection_not_found"


@dataclass(frozen=True, slots=True)
class Watching:
    """An agent and what it is published to do."""

    agent: Agent
    spec: AgentSpec


@dataclass(slots=True)
class FieldFacts:
    """What the documents looked at have under one path. The example is the first value that is not null."""

    seen: int = 0
    types: Counter[str] = field(default_factory=Counter)
    example: Any = None

    def see(self, value: Any) -> None:
        """Note a value."""
        self.seen += 1
        kind = type_name(value)
        self.types[kind] += 1
        if self.example is None:
            self.example = kind if kind in {"object", "array"} else example_of(value)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a collection holds. `estimated`: the numbers of documents were told from a sample."""

    total: int
    enriched: int
    triaged: int
    estimated: bool
    fields: Mapping[str, FieldFacts]
    recent: Sequence[Document]


def watching(only: Collection[str] | None) -> dict[Namespace, list[Watching]]:
    """Return the agents that are not archived, among `only`, by the collection that they watch."""
    agents = Agent.objects.filter(archived_at=None, current_version__isnull=False).order_by("id")
    found: defaultdict[Namespace, list[Watching]] = defaultdict(list)
    for agent in agents if only is None else agents.filter(id__in=only):
        spec = registry.readable(agent.current_version_id)
        if spec is not None:
            found[spec.watch_namespace].append(Watching(agent, spec))
    return dict(found)


def everything(client: MongoClient[Any], *, hidden: Collection[str]) -> dict[str, list[str]]:
    """Name all databases and their collections, but what is nobody's business. Raises pymongo's errors."""
    with pymongo.timeout(PATIENCE_SECONDS):
        names = sorted(set(client.list_database_names()) - HIDDEN - set(hidden))
        return {name: sorted(client.get_database(name).list_collection_names()) for name in names}


def profile(
    client: MongoClient[Any], namespace: Namespace, *, marks: Collection[str], sample_size: int
) -> Profile:
    """Look at a collection: its newest documents closely, all of them for the fields in `marks`.

    Raises pymongo's errors.
    """
    database, name = namespace
    documents = client.get_database(database).get_collection(name, codec_options=CODEC)
    with pymongo.timeout(PATIENCE_SECONDS):
        total = documents.estimated_document_count()
        is_long = total > COUNTED
        enriched, triaged, looked_at = _marked(documents, marks, sampled=is_long)
        newest = list(documents.find().sort("_id", pymongo.DESCENDING).limit(sample_size))
        recent = list(documents.find({}, _recent_fields(marks)).sort("_id", -1).limit(RECENT))
    share = total / looked_at if is_long and looked_at else 1
    counted = total if is_long else looked_at
    return Profile(
        counted,
        round(enriched * share),
        round(triaged * share),
        is_long,
        fields_of(newest),
        recent,
    )


def fields_of(documents: Sequence[Document]) -> dict[str, FieldFacts]:
    """Tell which paths documents have, three levels deep, in the order of their names."""
    facts: defaultdict[str, FieldFacts] = defaultdict(FieldFacts)
    for document in documents:
        for path, value in _walk(document, (), 1):
            facts[path].see(value)
    return dict(sorted(facts.items()))


def type_name(value: Any) -> str:
    """Name the type of a value as the contract does, or by its class."""
    return _TYPES.get(type(value), type(value).__name__)


def example_of(value: Any) -> Any:
    """Return a value that holds no others as JSON, cut where it is long."""
    plain = to_plain(value)
    return plain[:LONGEST_EXAMPLE] if isinstance(plain, str) else plain


def _marked(documents: Any, marks: Collection[str], *, sampled: bool) -> tuple[int, int, int]:
    """Count the documents that have one of the marks, those with `ai_triage`, and those looked at."""
    has_mark = {"$or": [{"$ne": [{"$type": f"${mark}"}, "missing"]} for mark in sorted(marks)]}
    has_triage = {"$ne": [{"$type": "$ai_triage"}, "missing"]}
    sums = {
        "enriched": {"$sum": {"$cond": [has_mark, 1, 0]}},
        "triaged": {"$sum": {"$cond": [has_triage, 1, 0]}},
        "all": {"$sum": 1},
    }
    first = [{"$sample": {"size": SAMPLED}}] if sampled else []
    for found in documents.aggregate([*first, {"$group": {"_id": None, **sums}}]):
        return found["enriched"], found["triaged"], found["all"]
    return 0, 0, 0


def _recent_fields(marks: Collection[str]) -> dict[str, int]:
    return {**dict.fromkeys(marks, 1), "ai_triage": 1}


def _walk(value: Document, path: tuple[str, ...], depth: int) -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        here = (*path, name)
        yield ".".join(here), item
        if isinstance(item, Mapping) and depth < DEEPEST:
            yield from _walk(item, here, depth + 1)
