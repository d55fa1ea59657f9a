"""The HTTP API of triggers. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.errors import AgentNotFound
from agents_app.sight import visible_agents
from executions_app.api_body import refuse_larger
from executions_app.api_permissions import MayOperate
from executions_app.mongodb import mongodb
from executions_app.triggers.entering import trigger
from executions_app.triggers.wanted import LARGEST, read_key, read_wanted
from executions_app.wire import awaited_json

MOST_BYTES: Final = 2 * LARGEST
"""JSON is wordier than BSON; what is too large in BSON is told apart from it later."""


class Trigger(APIView):
    """Runs without a change."""

    permission_classes = (MayOperate,)

    def post(self, request: Request, agent_id: str) -> Response:
        """Let an agent work on a document; the answer is the run, which has not started yet."""
        visible = visible_agents(request.user)
        if visible is not None and agent_id not in visible:
            raise AgentNotFound(agent_id=agent_id)
        refuse_larger(request, MOST_BYTES)
        run = trigger(
            mongodb(),
            agent_id,
            read_wanted(request.data),
            key=read_key(request.headers.get("Idempotency-Key")),
            by=f"api:{request.user.get_username()}",
            now=datetime.now(UTC),
        )
        return Response(awaited_json(run), status=HTTPStatus.ACCEPTED)


urlpatterns = [path("webhooks/trigger/<slug:agent_id>", Trigger.as_view())]
