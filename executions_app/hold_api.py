"""The HTTP API of holds. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from django.urls import path
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.errors import AgentNotFound, SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app import holds
from executions_app.api_permissions import MayOperate, MayView
from executions_app.hold_wire import agent_json, holding_json
from executions_app.models import Hold

LONGEST_REASON: Final = 1_000


class Dispatch(APIView):
    """What is held at present."""

    permission_classes = (MayView,)
    queryset = Hold.objects.none()

    def get(self, request: Request) -> Response:
        """Say whether all agents are held, and which single ones."""
        return Response(holding_json(holds.in_force(), only=visible_agents(request.user)))


class DispatchMove(APIView):
    """Pausing all agents and letting them go on."""

    permission_classes = (MayOperate,)
    pauses: bool = True

    def post(self, request: Request) -> Response:
        """Pause or resume. Whoever may see some agents only does not decide for the others."""
        if visible_agents(request.user) is not None:
            raise PermissionDenied("This key is bound to some agents: pause or resume those")
        _move(holds.ALL, request, pauses=self.pauses)
        return Response(holding_json(holds.in_force()))


class AgentMove(APIView):
    """Pausing one agent and letting it go on."""

    permission_classes = (MayOperate,)
    pauses: bool = True

    def post(self, request: Request, agent_id: str) -> Response:
        """Pause or resume."""
        visible = visible_agents(request.user)
        if visible is not None and agent_id not in visible:
            raise AgentNotFound(agent_id=agent_id)
        _move(agent_id, request, pauses=self.pauses)
        return Response(agent_json(holds.in_force(), agent_id))


urlpatterns = [
    path("dispatch", Dispatch.as_view()),
    path("dispatch/pause", DispatchMove.as_view(pauses=True)),
    path("dispatch/resume", DispatchMove.as_view(pauses=False)),
    path("agents/<slug:agent_id>/pause", AgentMove.as_view(pauses=True)),
    path("agents/<slug:agent_id>/resume", AgentMove.as_view(pauses=False)),
]


def _move(scope: str, request: Request, *, pauses: bool) -> None:
    by, now = f"api:{request.user.get_username()}", datetime.now(UTC)
    if pauses:
        holds.pause(scope, by=by, why=_reason(request.data), now=now)
    else:
        holds.resume(scope, by=by, now=now)


def _reason(body: object) -> str:
    """Read why. Raises SpecInvalid."""
    if not isinstance(body, Mapping):
        raise SpecInvalid(errors=[SpecProblem("", "must be an object")])
    problems = [SpecProblem(str(name), "unknown field") for name in body if name != "reason"]
    reason = body.get("reason") or ""
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        problems.append(SpecProblem("reason", f"must be text of at most {LONGEST_REASON:,} characters"))
    if problems:
        raise SpecInvalid(errors=problems)
    return str(reason)
