"""What happens to the documents while they are processed: inserts, edits and deletes, mixed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.demo.documents import (
    ARTICLES,
    REVIEWS,
    TEXT_FIELD,
    TICKETS,
    Document,
    Namespace,
    article_text,
    make_documents,
    review_text,
    ticket_text,
)

if TYPE_CHECKING:
    from random import Random

    from pymongo import MongoClient

_EDIT_SHARE = 0.12  # New text: the document has to be enriched again.
_GLANCE_SHARE = 0.10  # A counter that no prompt uses: nothing may be called.
_DELETE_SHARE = 0.04
_REOPEN_SHARE = 0.02  # A closed ticket is opened: it matches from then on.
_FIRST_CHANGE = 10  # How many inserts come before the first change.


@dataclass(frozen=True)
class Step:
    """One operation of the script, as an application would send it."""

    kind: str
    namespace: Namespace
    document_id: Any
    document: Document = field(default_factory=dict)
    changes: Document = field(default_factory=dict)

    def apply(self, client: MongoClient[Document]) -> None:
        """Sends it to MongoDB."""
        collection = client[self.namespace.database][self.namespace.collection]
        if self.kind == "insert":
            collection.insert_one(self.document)
        elif self.kind == "delete":
            collection.delete_one({"_id": self.document_id})
        else:
            collection.update_one({"_id": self.document_id}, self.changes)


def write_script(count: int, rng: Random) -> list[Step]:
    """`count` inserts and, spread between and behind them, the changes to some of them."""
    documents = make_documents(count, rng)
    inserts = [
        Step("insert", namespace, document["_id"], document=document) for namespace, document in documents
    ]
    changes = _changes(inserts, count, rng)
    steps = list(inserts)
    for change in changes:
        own = next(place for place, step in enumerate(steps) if step.document_id == change.document_id)
        first = max(own + 1, min(_FIRST_CHANGE, len(steps)))
        steps.insert(rng.randint(first, len(steps)), change)
    return steps


def _changes(inserts: list[Step], count: int, rng: Random) -> list[Step]:
    chosen = rng.sample(inserts, len(inserts))
    quota = {
        "delete": _DELETE_SHARE,
        "edit": _EDIT_SHARE,
        "glance": _GLANCE_SHARE,
    }
    changes: list[Step] = []
    for kind, share in quota.items():
        for _ in range(round(share * count)):
            if chosen:
                changes.append(_change(kind, chosen.pop(), count + len(changes) + 1, rng))
    closed = [step for step in chosen if step.document.get("status") == "closed"]
    changes += [
        Step("reopen", step.namespace, step.document_id, changes={"$set": {"status": "open"}})
        for step in closed[: round(_REOPEN_SHARE * count)]
    ]
    rng.shuffle(changes)
    return changes


def _change(kind: str, insert: Step, number: int, rng: Random) -> Step:
    namespace, document_id = insert.namespace, insert.document_id
    if kind == "delete":
        return Step(kind, namespace, document_id)
    if kind == "glance":
        return Step(kind, namespace, document_id, changes={"$inc": {"views": 1}})
    text = {
        TICKETS: lambda: ticket_text(number, rng)[1],
        REVIEWS: lambda: review_text(number, rng),
        ARTICLES: lambda: article_text(number, rng)[1],
    }[namespace]()
    return Step(kind, namespace, document_id, changes={"$set": {TEXT_FIELD[namespace]: text}})
