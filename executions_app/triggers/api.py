"""The HTTP API of triggers. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import listing
from agents_app.api_docs import Shape, header, operation
from agents_app.api_request import somebody
from agents_app.sight import visible_agents
from executions_app.api_permissions import MayOperate
from executions_app.api_shapes import ExecutionRecord
from executions_app.asking import request_id_of
from executions_app.mongodb import mongodb
from executions_app.seeing import as_may_be_read
from executions_app.triggers.entering import trigger
from executions_app.triggers.wanted import read_key, read_wanted
from executions_app.wire import awaited_json

GONE, TAKEN, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
REPEATED: Final = header(
    "Idempotency-Key", "Names the request: sent again, it is answered with the same run."
)


class TriggerBody(Shape):
    """Exactly one of the two, in Extended JSON: a document, or the `_id` of one that is there."""

    document: dict[str, Any] | None = None
    document_id: Any = None


class Trigger(APIView):
    """Runs without a change."""

    permission_classes = (MayOperate,)

    @operation(
        "trigger_agent",
        tag="triggers",
        answers={202: ExecutionRecord},
        failures=[GONE, TAKEN, WRONG],
        body=TriggerBody,
        query=[REPEATED],
    )
    def post(self, request: Request, agent_id: str) -> Response:
        """Let an agent work on a document; the answer is the run, which has not started yet."""
        agent = listing.seen(agent_id, visible_agents(request.user))
        run = trigger(
            mongodb(),
            agent.id,
            read_wanted(request.data),
            key=read_key(request.headers.get("Idempotency-Key")),
            by=somebody(request),
            request_id=request_id_of(request),
            now=datetime.now(UTC),
        )
        return Response(as_may_be_read(awaited_json(run), request.user), status=HTTPStatus.ACCEPTED)


urlpatterns = [path("webhooks/trigger/<str:agent_id>", Trigger.as_view())]
