"""How dead letters are asked for over HTTP, for the OpenAPI document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, Literal

from pydantic import Field

from agents_app.api_docs import Shape, parameter

TAG: Final = "dead letters"
GONE, TAKEN, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY

QUERY: Final = (
    parameter("agent_id", "Only this agent's."),
    parameter("reason", "Only those with this reason code."),
    parameter("kind", "What they are.", choices=("run", "message")),
    parameter("database", "Only runs on documents of this database."),
    parameter("collection", "Only runs on documents of this collection."),
    parameter("since", "Only those that died at this time or later."),
    parameter("until", "Only those that died before this time."),
    parameter("text", "The beginning of an id, or a part of the error."),
    parameter("archived", "Those that were put aside instead of the others.", bool),
)


class DeadLetterFilter(Shape):
    """Which dead letters are meant; what is left out does not matter."""

    agent_id: str | None = None
    reason: str | None = None
    kind: Literal["run", "message"] | None = None
    database: str | None = None
    collection: str | None = None
    since: str | None = None
    until: str | None = None
    text: str | None = None


class SelectionBody(Shape):
    """Which dead letters are meant: exactly one of the three."""

    ids: list[str] | None = Field(default=None, max_length=5_000)
    filter: DeadLetterFilter | None = None
    all: bool | None = None


class RequeueBody(SelectionBody):
    """Which may run again, and how many a second."""

    rate: float | None = Field(default=None, ge=0.0001)


class DiscardBody(SelectionBody):
    """Which are put aside, and why."""

    why: str | None = None
