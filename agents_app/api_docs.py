"""How an operation of the HTTP API is described for the OpenAPI document.

Shapes are pydantic models: the document is made from them, and a fuzzer checks that answers fit them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import BaseModel, ConfigDict

UTC_TIME: Final = "UTC in ISO 8601, without an offset: `2026-11-20T15:33:46.268000`"

Moment = str
"""A time as answers have it: see UTC_TIME."""

_Method = TypeVar("_Method", bound=Callable[..., Any])


class Shape(BaseModel):
    """The JSON form of something in an answer or in a body."""

    model_config = ConfigDict(extra="forbid")


class Sentence(Shape):
    """Why it was not done."""

    detail: str


class Problem(Shape):
    """What is wrong with a value, and where it stands in the body or the query."""

    type: str
    loc: list[str]
    msg: str


class Problems(Shape):
    """All that is wrong with the request."""

    detail: list[Problem]


REASONS: Final[Mapping[HTTPStatus, str]] = {
    HTTPStatus.BAD_REQUEST: "It cannot be done as asked.",
    HTTPStatus.UNAUTHORIZED: "It is not known who asks: send an API key.",
    HTTPStatus.FORBIDDEN: "Who asks is known, and may not do this.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or the caller may not see it.",
    HTTPStatus.METHOD_NOT_ALLOWED: "With this word for an id it is another address, which has no such method.",
    HTTPStatus.CONFLICT: "It is not in a state in which this can be done.",
    HTTPStatus.PRECONDITION_FAILED: "Somebody has changed it in the meantime: read it again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not JSON.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The body or the query is wrong; each problem names its place.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests: wait as long as `Retry-After` says.",
    HTTPStatus.SERVICE_UNAVAILABLE: "A database cannot be asked at the moment.",
}


def operation(
    name: str,
    *,
    tag: str,
    answers: Mapping[Any, Any],
    failures: Sequence[HTTPStatus] = (),
    body: Any = None,
    query: Sequence[OpenApiParameter] = (),
) -> Callable[[_Method], _Method]:
    """Describe a method of a view; its docstring is the description.

    `answers` are the shapes by status. 401, 403, 429 and 503 may happen anywhere and are added to all.
    """
    return extend_schema(
        operation_id=name,
        tags=[tag],
        parameters=list(query),
        request=body,
        responses={**answers, **{int(status): failure(status) for status in failures}},
    )


def failure(status: HTTPStatus) -> OpenApiResponse:
    """Describe an answer that tells why something was not done."""
    shape = Problems if status is HTTPStatus.UNPROCESSABLE_ENTITY else Sentence
    return OpenApiResponse(shape, description=REASONS[status])


def parameter(
    name: str,
    description: str,
    kind: type = str,
    *,
    choices: Sequence[str] | None = None,
    required: bool = False,
) -> OpenApiParameter:
    """Describe a parameter of the query."""
    return OpenApiParameter(name, kind, description=description, enum=choices, required=required)


def header(name: str, description: str) -> OpenApiParameter:
    """Describe a header that may be sent."""
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description)


SLICE: Final = (
    parameter("skip", "How many to leave out, 10,000 at most.", int),
    parameter("limit", "How many to return: 1 to 1,000, by default 100.", int),
)
IF_MATCH: Final = header("If-Match", "The ETag that it was read with; 412 if it was changed since.")
OBJECT: Final[Mapping[str, Any]] = {"type": "object", "additionalProperties": True}
"""An answer that is described in words only."""
