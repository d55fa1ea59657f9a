"""The demo's three agents: the examples of the repository, and what each leaves in a document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sandbox.demo.documents import ARTICLES, REVIEWS, TEXT_FIELD, TICKETS, Document, Namespace
from sandbox.errors import SandboxError

if TYPE_CHECKING:
    from sandbox.demo.real_model import RealModel

Shape = Callable[[Document], Any]
_FILES = {TICKETS: "support.yaml", REVIEWS: "reviews.yaml", ARTICLES: "news.yaml"}
_PLACES = (
    Path(__file__).parents[2] / "examples" / "agents",
    Path(__file__).parents[1] / "examples" / "agents",
)


@dataclass(frozen=True)
class DemoAgent:
    """An agent with the collection that it watches.

    `result_of` takes its result out of a document (None if there is none); `expected` makes from an answer of
    the model what that result has to be; `text_field` is the field whose text stands in its prompt.
    """

    namespace: Namespace
    config: Document
    result_of: Shape
    expected: Shape
    text_field: str

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.config["id"])

    @property
    def filter(self) -> Document:
        """Which documents it is for, in MongoDB's language."""
        found: Document = self.config["watch"].get("filter") or {}
        return found

    def entry(self, document: Document) -> Document:
        """What it wrote about its own work into the document; empty if nothing."""
        entry: Document = document.get("_ai_metadata", {}).get("agents", {}).get(self.id, {})
        return entry


def load_agents(model: RealModel | None) -> tuple[DemoAgent, ...]:
    """The three agents; with a real model they all use that one."""
    shapes: dict[Namespace, tuple[Shape, Shape]] = {
        TICKETS: (_ticket_result, _whole),
        REVIEWS: (_review_result, _review_expected),
        ARTICLES: (_article_result, _whole),
    }
    return tuple(
        DemoAgent(namespace, _read(file, model), *shapes[namespace], TEXT_FIELD[namespace])
        for namespace, file in _FILES.items()
    )


def _read(name: str, model: RealModel | None) -> Document:
    path = next((place / name for place in _PLACES if (place / name).exists()), None)
    if path is None:
        raise SandboxError(
            f"the example agent {name} is missing: run the demo in a clone or an installed release"
        )
    config: Document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if model is not None:
        config["ai"] |= {"provider": model.provider, "model": model.name}
    return config


def _ticket_result(document: Document) -> Any:
    return (
        {key: value for key, value in document["ai"].items() if key != "queue"} if "ai" in document else None
    )


def _whole(answer: Document) -> Any:
    return answer


def _review_result(document: Document) -> Any:
    if "insights" not in document:
        return None
    return {**document["insights"], "looks_fake": document.get("moderation", {}).get("suspected_fake")}


def _review_expected(answer: Document) -> Any:
    return {key: value for key, value in answer.items() if key != "reasoning"}


def _article_result(document: Document) -> Any:
    digests = document.get("digests")
    return digests[-1] if digests else None
