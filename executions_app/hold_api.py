"""The HTTP API of holds. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from django.urls import path
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import listing
from agents_app.api_docs import operation
from agents_app.api_request import somebody
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app import holds
from executions_app.api_permissions import MayOperate, MayView
from executions_app.hold_shapes import AgentDispatching, Dispatching, PauseBody
from executions_app.hold_wire import agent_json, holding_json
from executions_app.models import Hold

TAG: Final = "dispatch"
GONE, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY


class Dispatch(APIView):
    """What is held at present."""

    permission_classes = (MayView,)
    queryset = Hold.objects.none()

    @operation("get_dispatch", tag=TAG, answers={200: Dispatching})
    def get(self, request: Request) -> Response:
        """Say whether all agents are held, and which single ones."""
        return Response(holding_json(holds.in_force(), only=visible_agents(request.user)))


class DispatchPause(APIView):
    """Pausing all agents."""

    permission_classes = (MayOperate,)

    @operation("pause_dispatch", tag=TAG, answers={200: Dispatching}, failures=[WRONG], body=PauseBody)
    def post(self, request: Request) -> Response:
        """Hold back the runs of all agents; those in the air finish. A key that is bound to agents may not: 403."""
        return _all_moved(request, pauses=True)


class DispatchResume(APIView):
    """Letting all agents go on."""

    permission_classes = (MayOperate,)

    @operation("resume_dispatch", tag=TAG, answers={200: Dispatching})
    def post(self, request: Request) -> Response:
        """Lift the hold of all agents; those of single agents stay. A key that is bound to agents may not: 403."""
        return _all_moved(request, pauses=False)


class AgentPause(APIView):
    """Pausing one agent."""

    permission_classes = (MayOperate,)

    @operation(
        "pause_agent", tag=TAG, answers={200: AgentDispatching}, failures=[GONE, WRONG], body=PauseBody
    )
    def post(self, request: Request, agent_id: str) -> Response:
        """Hold back the runs of an agent; those in the air finish."""
        return _one_moved(request, agent_id, pauses=True)


class AgentResume(APIView):
    """Letting one agent go on."""

    permission_classes = (MayOperate,)

    @operation("resume_agent", tag=TAG, answers={200: AgentDispatching}, failures=[GONE])
    def post(self, request: Request, agent_id: str) -> Response:
        """Lift the hold of an agent; what holds all agents holds it still."""
        return _one_moved(request, agent_id, pauses=False)


urlpatterns = [
    path("dispatch", Dispatch.as_view()),
    path("dispatch/pause", DispatchPause.as_view()),
    path("dispatch/resume", DispatchResume.as_view()),
    path("agents/<str:agent_id>/pause", AgentPause.as_view()),
    path("agents/<str:agent_id>/resume", AgentResume.as_view()),
]


def _all_moved(request: Request, *, pauses: bool) -> Response:
    """Move all. Whoever may see some agents only does not decide for the others."""
    if visible_agents(request.user) is not None:
        raise PermissionDenied("This key is bound to some agents: pause or resume those")
    _move(holds.ALL, request, pauses=pauses)
    return Response(holding_json(holds.in_force()))


def _one_moved(request: Request, agent_id: str, *, pauses: bool) -> Response:
    agent = listing.seen(agent_id, visible_agents(request.user))
    _move(agent.id, request, pauses=pauses)
    return Response(agent_json(holds.in_force(), agent.id))


def _move(scope: str, request: Request, *, pauses: bool) -> None:
    by, now = somebody(request), datetime.now(UTC)
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
    if not isinstance(reason, str) or len(reason) > holds.LONGEST_WHY:
        problems.append(SpecProblem("reason", f"must be text of at most {holds.LONGEST_WHY:,} characters"))
    if problems:
        raise SpecInvalid(errors=problems)
    return str(reason)
