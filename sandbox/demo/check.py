"""The exact check after the demo: of the documents, MongoDB's change history and the model's call log.

- A document is **enriched** if it matches its agent's filter, holds a result that was written after its last
  relevant edit, and, with the sandbox model, that result answers a prompt with the document's present text.
- **lost** are the matching documents that are not enriched.
- **doubled** are results that were written twice for the same input, plus repeated calls of the sandbox model
  for the same prompt. One repeat per prompt is permitted if its first call was in the air when the worker was
  killed: under way, or answered less than a second earlier, so that the answer may have died with the worker.
  A real model keeps no log for us, so with one only the writes are checked.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bson import json_util

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pymongo import MongoClient

    from sandbox.demo.agents import DemoAgent
    from sandbox.demo.documents import Document, Namespace
    from sandbox.demo.witness import History

Call = dict[str, Any]
_ANSWER_MAY_BE_LOST_SECONDS = 1.0


@dataclass(frozen=True)
class Tally:
    """What was found for one collection, or for all."""

    inserted: int = 0
    deleted: int = 0
    matching: int = 0
    enriched: int = 0
    unwanted: int = 0
    doubled_writes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.inserted + other.inserted,
            self.deleted + other.deleted,
            self.matching + other.matching,
            self.enriched + other.enriched,
            self.unwanted + other.unwanted,
            self.doubled_writes + other.doubled_writes,
        )


@dataclass(frozen=True)
class Verdict:
    """The findings; `problems` names documents that are not as they should be."""

    by_namespace: Mapping[Namespace, Tally]
    doubled_calls: int
    permitted_repeats: int
    model_calls: int
    problems: tuple[str, ...]

    @property
    def total(self) -> Tally:
        """All collections together."""
        return sum(self.by_namespace.values(), Tally())

    @property
    def lost(self) -> int:
        """Matching documents that are not enriched."""
        return self.total.matching - self.total.enriched

    @property
    def doubled(self) -> int:
        """Results written twice and calls made twice."""
        return self.total.doubled_writes + self.doubled_calls

    @property
    def is_sound(self) -> bool:
        """Whether nothing was lost, doubled, or written where it should not be."""
        return not self.lost and not self.doubled and not self.total.unwanted


def check(
    client: MongoClient[Document],
    agents: Sequence[DemoAgent],
    histories: Iterable[History],
    calls: Sequence[Call] | None,
    killed_at: float | None,
) -> Verdict:
    """Checks every document; `calls` is the sandbox model's log, None with a real model."""
    grouped: defaultdict[Namespace, list[History]] = defaultdict(list)
    for history in histories:
        grouped[history.namespace].append(history)
    problems: list[str] = []
    tallies = {
        agent.namespace: _check_collection(client, agent, grouped[agent.namespace], calls, problems)
        for agent in agents
    }
    repeats, permitted = _repeats(calls or [], killed_at, problems)
    written = sum(len(history.results()) for group in grouped.values() for history in group)
    return Verdict(tallies, repeats, permitted, len(calls) if calls is not None else written, tuple(problems))


def _check_collection(
    client: MongoClient[Document],
    agent: DemoAgent,
    histories: Sequence[History],
    calls: Sequence[Call] | None,
    problems: list[str],
) -> Tally:
    collection = client[agent.namespace.database][agent.namespace.collection]
    matching_ids = {_key(found["_id"]) for found in collection.find(agent.filter, {"_id": 1})}
    by_key = {_key(history.document_id): history for history in histories}
    total = Tally(
        inserted=sum("insert" in history.events for history in histories),
        deleted=sum("delete" in history.events for history in histories),
    )
    for document in collection.find():
        history = by_key.get(_key(document["_id"]))
        matches = _key(document["_id"]) in matching_ids
        why = _why_not_enriched(agent, document, history, calls) if matches else ""
        unwanted = not matches and agent.result_of(document) is not None
        twice = _doubled_writes(agent, document, history)
        total += Tally(
            matching=matches, enriched=matches and not why, unwanted=unwanted, doubled_writes=twice
        )
        stray = "has a result without matching" if unwanted else ""
        told = (why, stray, "was written twice" if twice else "")
        problems.extend(f"{agent.namespace} {document['_id']} {one}" for one in told if one)
    return total


def _why_not_enriched(
    agent: DemoAgent, document: Document, history: History | None, calls: Sequence[Call] | None
) -> str:
    result = agent.result_of(document)
    if result is None or not agent.entry(document):
        return "has no result"
    if history is None or not _result_is_last(history.events):
        return "was edited after its result"
    if calls is None:
        return ""
    text = document[agent.text_field]
    answers = [call["answer"] for call in calls if call["answer"] and text in call["prompt"]]
    if not answers:
        return "has a result of an earlier text"
    return (
        ""
        if any(agent.expected(json.loads(answer)) == result for answer in answers)
        else "has a foreign result"
    )


def _result_is_last(events: Sequence[str]) -> bool:
    relevant = [event for event in events if event != "glance"]
    return bool(relevant) and relevant[-1].startswith("result:")


def _doubled_writes(agent: DemoAgent, document: Document, history: History | None) -> int:
    by_hash = Counter(history.results() if history is not None else [])
    in_history = sum(count - 1 for count in by_hash.values())
    appended = (
        [_key(item) for item in document.get("digests", [])]
        if agent.namespace.collection == "articles"
        else []
    )
    return max(in_history, len(appended) - len(set(appended)))


def _repeats(calls: Sequence[Call], killed_at: float | None, problems: list[str]) -> tuple[int, int]:
    """How many calls repeated an earlier one without and with the kill's permission."""
    by_prompt: defaultdict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_prompt[call["hash"]].append(call)
    doubled = permitted = 0
    for same in by_prompt.values():
        allowed = int(killed_at is not None and any(_in_the_air(call, killed_at) for call in same))
        extra = len(same) - 1
        permitted += min(extra, allowed)
        if extra > allowed:
            doubled += extra - allowed
            problems.append(f"the model was called {len(same)} times for the prompt that ends in "
                            f"{same[0]['prompt'][-60:]!r}")  # fmt: skip
    return doubled, permitted


def _in_the_air(call: Call, killed_at: float) -> bool:
    ended = call["ended"]
    return call["started"] <= killed_at and (
        ended is None or ended >= killed_at - _ANSWER_MAY_BE_LOST_SECONDS
    )


def _key(value: Any) -> str:
    return json_util.dumps(value, sort_keys=True)
