"""What a backfill would do and cost: counted, sampled and rendered, with nothing written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bson import Timestamp
from django.db.models import Avg, Count
from pymongo import MongoClient, ReadPreference
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout, OperationFailure

from agents_app import registry
from agents_app.errors import MongoClawError, SpecInvalid, SpecProblem
from agents_app.spec import AgentSpec
from enrichment.answer import compile_schema
from enrichment.providers import ProviderConfig, expected_cost
from enrichment.providers.chat import estimate as tokens_of
from enrichment.request import first_request
from enrichment.standing import Standing, standing_of
from enrichment.writeback import DOCUMENT_CODEC, read_provenance
from executions_app.backfills import Wish, refuse_idle
from executions_app.filter_fault import is_filter_fault
from executions_app.models import Attempt, Execution

Document = dict[str, Any]

SAMPLE: Final = 20
COUNT_MS: Final = 5_000
SAMPLE_MS: Final = 10_000
HISTORY: Final = 200
"""Executions of the agent that its usual answer's length is taken from."""


@dataclass(frozen=True, slots=True)
class Answers:
    """How long answers are assumed to be, in tokens, and by what."""

    tokens: int
    basis: str


@dataclass(frozen=True, slots=True)
class Sampled:
    """What some documents say. `prompt_tokens` is the mean; `fault` is why a prompt could not be rendered."""

    documents: int
    current: int
    broken: int
    prompt_tokens: int
    fault: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a backfill would do. `cost_nanousd` is None where no price is known."""

    documents: int
    counted: str
    """`exactly`, or how the number was come by."""

    runs: int
    sampled: Sampled
    answers: Answers
    tokens: int
    cost_nanousd: int | None
    seconds: float | None


def estimate(
    client: MongoClient[Document],
    asked: Wish,
    providers: ProviderConfig,
    *,
    now: Callable[[], datetime],
    sample: int = SAMPLE,
) -> Estimate:
    """Count, sample and render. The first call of each run is counted, repairs and retries are not.

    Raises AgentNotFound, BackfillRefused, SpecInvalid for a filter that the server refuses, and pymongo's errors.
    """
    agent = refuse_idle(asked.agent_id)
    spec = registry.spec_of(agent.current_version_id or 0)
    query = {"$and": [part for part in (spec.watch.filter, asked.filter) if part] or [{}]}
    database, name = spec.watch_namespace
    collection: Collection[Document] = client.get_database(database).get_collection(
        name, codec_options=DOCUMENT_CODEC, read_preference=ReadPreference.PRIMARY
    )
    with _filter_faults():
        counted = _count(collection, query)
        found = _sample(collection, query, sample)
    sampled = _look(client, standing_of(spec), found, now=now)
    return _sum(asked, spec, providers, counted, sampled)


def _sum(
    asked: Wish, spec: AgentSpec, providers: ProviderConfig, counted: tuple[int, str], sampled: Sampled
) -> Estimate:
    documents, how = counted
    share = sampled.current / sampled.documents if sampled.documents else 0.0
    runs = round(documents * (1 - share))
    if asked.limit is not None:
        runs = min(runs, asked.limit)
    answers = _answers(spec)
    cost = expected_cost(spec.ai, providers, sampled.prompt_tokens, answers.tokens)
    return Estimate(
        documents=documents,
        counted=how,
        runs=runs,
        sampled=sampled,
        answers=answers,
        tokens=runs * (sampled.prompt_tokens + answers.tokens),
        cost_nanousd=None if cost is None else runs * cost,
        seconds=runs / asked.rate if asked.rate else None,
    )


@contextmanager
def _filter_faults() -> Iterator[None]:
    """Say that the filter is at fault. Raises SpecInvalid."""
    try:
        yield
    except OperationFailure as error:
        if not is_filter_fault(error):
            raise
        # The name alone: the text may quote a document.
        name = (error.details or {}).get("codeName", "unknown reason")
        problem = (
            f"MongoDB refuses it ({name}): an operator is unknown or wrongly used, or fails on some document"
        )
        raise SpecInvalid(errors=[SpecProblem("filter", problem)]) from None


def _count(collection: Collection[Document], query: Document) -> tuple[int, str]:
    try:
        return collection.count_documents(query, maxTimeMS=COUNT_MS), "exactly"
    except ExecutionTimeout:
        everything = collection.estimated_document_count()
    if query == {"$and": [{}]}:
        return everything, "by the collection's own count, which may be off"
    matched = _share(collection, query)
    return round(everything * matched), "from a sample of 1,000 documents: the count took too long"


def _share(collection: Collection[Document], query: Document) -> float:
    pipeline: list[Document] = [{"$sample": {"size": 1_000}}, {"$match": query}, {"$count": "n"}]
    found = next(iter(collection.aggregate(pipeline, maxTimeMS=SAMPLE_MS)), {"n": 0})
    return float(found["n"]) / 1_000


def _sample(collection: Collection[Document], query: Document, size: int) -> Sequence[Document]:
    try:
        pipeline = [{"$match": query}, {"$sample": {"size": size}}]
        return list(collection.aggregate(pipeline, maxTimeMS=SAMPLE_MS))
    except ExecutionTimeout:
        return list(collection.find(query).limit(size).max_time_ms(SAMPLE_MS))


def _look(
    client: MongoClient[Document],
    standing: Standing,
    documents: Sequence[Document],
    *,
    now: Callable[[], datetime],
) -> Sampled:
    contract = compile_schema(standing.spec.ai.response_schema)
    holders = _holders(client, standing, documents)
    tokens, current, fault, broken = 0, 0, "", 0
    for document, holder in zip(documents, holders, strict=True):
        try:
            rendered = standing.render(
                document, operation="backfill", cluster_time=Timestamp(1, 1), now=now()
            )
        except MongoClawError as error:
            broken, fault = broken + 1, fault or str(error)
            continue
        request = first_request(standing.spec, contract, rendered, {})
        tokens += tokens_of(request.user) + tokens_of(request.system or "")
        entry = read_provenance(holder, standing.spec) if holder and standing.hash_path else None
        current += entry is not None and entry.input_hash == standing.hash_of(rendered)
    rendered_ones = len(documents) - broken
    mean = round(tokens / rendered_ones) if rendered_ones else 0
    return Sampled(len(documents), current, broken, mean, fault)


def _holders(
    client: MongoClient[Document], standing: Standing, documents: Sequence[Document]
) -> list[Document | None]:
    """Return the documents that carry the answers to these."""
    if not standing.is_elsewhere:
        return list(documents)
    database, name = standing.spec.target_namespace
    target = client.get_database(database).get_collection(name, codec_options=DOCUMENT_CODEC)
    return [target.find_one({"_id": {"$eq": document["_id"]}}) for document in documents]


def _answers(spec: AgentSpec) -> Answers:
    """Take the mean of the agent's latest answers, or all that an answer may have."""
    newest = Execution.objects.filter(agent_id=spec.id, model_calls__gt=0).order_by("-created_at")
    latest = list(newest.values_list("id", flat=True)[:HISTORY])
    known = Attempt.objects.filter(execution_id__in=latest, outcome="valid").aggregate(
        mean=Avg("completion_tokens"), count=Count("id")
    )
    if known["count"]:
        return Answers(round(known["mean"]), f"the mean of the agent's latest {known['count']} answers")
    return Answers(spec.ai.max_tokens, "ai.max_tokens, the most: the agent has not answered yet")
