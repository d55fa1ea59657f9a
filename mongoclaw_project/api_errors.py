"""What the HTTP API answers when it cannot do what it was asked for (peer contract §2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from rest_framework.exceptions import ErrorDetail, NotAuthenticated, ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler

from agents_app.errors import (
    AgentChanged,
    AgentExists,
    AgentNotFound,
    MongoClawError,
    PolicyChanged,
    PolicyExists,
    PolicyInUse,
    PolicyNotFound,
    PolicyOutOfReach,
    SpecInvalid,
    VersionNotFound,
    VersionUnreadable,
)
from executions_app.api_body import BodyTooLarge
from executions_app.backfill_transitions import BackfillStateWrong
from executions_app.backfills import BackfillNotFound, BackfillRefused
from executions_app.catalog import CollectionNotFound
from executions_app.dead_letters import DeadLetterAmbiguous, DeadLetterNotFound
from executions_app.gaps import GapNotBackfillable, GapNotFound, GapNotOpen
from executions_app.queries import ExecutionNotFound
from executions_app.retrying import RetryRefused
from executions_app.triggers.errors import DocumentAmbiguous, DocumentNotFound, KeyReused, TriggerRefused
from mongoclaw_project.access.authentication import REQUIRED
from mongoclaw_project.stream_home import StreamNotFound, StreamOutOfReach
from mongoclaw_project.stream_position import ChangesLeftOut, PositionOutside
from mongoclaw_project.stream_replay import ReplayRefused
from watcher.leading.control import DivisionUnsupported

STATUSES: Final[Mapping[type[MongoClawError], HTTPStatus]] = {
    AgentChanged: HTTPStatus.PRECONDITION_FAILED,
    AgentNotFound: HTTPStatus.NOT_FOUND,
    BackfillNotFound: HTTPStatus.NOT_FOUND,
    ChangesLeftOut: HTTPStatus.CONFLICT,
    DivisionUnsupported: HTTPStatus.CONFLICT,
    BackfillRefused: HTTPStatus.CONFLICT,
    BackfillStateWrong: HTTPStatus.CONFLICT,
    CollectionNotFound: HTTPStatus.NOT_FOUND,
    DeadLetterAmbiguous: HTTPStatus.CONFLICT,
    DeadLetterNotFound: HTTPStatus.NOT_FOUND,
    ExecutionNotFound: HTTPStatus.NOT_FOUND,
    GapNotBackfillable: HTTPStatus.CONFLICT,
    GapNotFound: HTTPStatus.NOT_FOUND,
    GapNotOpen: HTTPStatus.CONFLICT,
    PolicyChanged: HTTPStatus.PRECONDITION_FAILED,
    PolicyExists: HTTPStatus.CONFLICT,
    PolicyInUse: HTTPStatus.CONFLICT,
    PolicyNotFound: HTTPStatus.NOT_FOUND,
    PolicyOutOfReach: HTTPStatus.FORBIDDEN,
    PositionOutside: HTTPStatus.CONFLICT,
    ReplayRefused: HTTPStatus.CONFLICT,
    RetryRefused: HTTPStatus.CONFLICT,
    StreamNotFound: HTTPStatus.NOT_FOUND,
    StreamOutOfReach: HTTPStatus.FORBIDDEN,
    VersionNotFound: HTTPStatus.NOT_FOUND,
    VersionUnreadable: HTTPStatus.CONFLICT,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    DocumentAmbiguous: HTTPStatus.CONFLICT,
    DocumentNotFound: HTTPStatus.NOT_FOUND,
    KeyReused: HTTPStatus.CONFLICT,
    TriggerRefused: HTTPStatus.CONFLICT,
}


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Answer in the contract's shapes: 422 lists what is wrong and where, all else is a sentence.

    None leaves an error to the server: `mongoclaw_project.outage` if a database is away, else it is logged, and the
    answer tells nothing of the inside.
    """
    if isinstance(error, SpecInvalid):
        return Response({"detail": list(_problems(error))}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if isinstance(error, ParseError):
        malformed = {"type": "json_invalid", "loc": ["body"], "msg": str(error.detail)}
        return Response({"detail": [malformed]}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    if isinstance(error, NotAuthenticated):
        error.detail = ErrorDetail(REQUIRED, error.default_code)
    if isinstance(error, AgentExists):
        # The contract's words, to the letter: programs may look for them.
        taken = f"Agent with ID '{error.details.get('agent_id')}' already exists - {error.details}"
        return Response({"detail": taken}, status=HTTPStatus.BAD_REQUEST)
    for kind, status in STATUSES.items():
        if isinstance(error, kind):
            return Response({"detail": str(error)}, status=status)
    return exception_handler(error, context)


def _problems(error: SpecInvalid) -> Iterator[dict[str, Any]]:
    place = error.details.get("place", "body")
    for problem in error.errors:
        path = problem.path.split(".") if problem.path else []
        yield {"type": "value_error", "loc": [place, *path], "msg": problem.message}
