"""The HTTP API of executions (peer contract §4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import OBJECT, SLICE, operation, parameter
from agents_app.api_permissions import Needs
from agents_app.api_request import slice_of, somebody, text, wrong_query
from agents_app.errors import AgentNotFound
from agents_app.models import Agent
from agents_app.sight import visible_agents
from executions_app import queries, transitions
from executions_app.api_shapes import ExecutionList, ExecutionRecord
from executions_app.asking import request_id_of
from executions_app.dead_letter_api import Requeue
from executions_app.dead_letter_shapes import RequeueBody
from executions_app.listing import Wanted
from executions_app.pages import page
from executions_app.retrying import RetryRefused, retry
from executions_app.seeing import as_may_be_read, require_visible, seen
from executions_app.states import Status
from executions_app.wire import awaited_json, execution_json, trace_json

TAG: Final = "executions"
GONE, TAKEN, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY
STATUSES: Final = tuple(status.value for status in Status)


class Executions(APIView):
    """All executions."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_execution"}

    @operation(
        "list_executions",
        tag=TAG,
        answers={200: ExecutionList},
        failures=[GONE, WRONG],
        query=[
            parameter("agent_id", "Only this agent's."),
            parameter("status", "Only these.", choices=STATUSES),
            parameter("status_filter", "The old name of `status`.", choices=STATUSES),
            parameter("reason", "Only those that carry this reason code."),
            *SLICE,
        ],
    )
    def get(self, request: Request) -> Response:
        """List executions, newest first."""
        query = request.query_params
        wanted = Wanted(
            agent_id=text(query, "agent_id") or None,
            status=_status(query),
            reason=text(query, "reason") or None,
        )
        return _listed(request, wanted)


class AgentExecutions(APIView):
    """The executions of an agent."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_execution"}

    @operation(
        "list_agent_executions", tag=TAG, answers={200: ExecutionList}, failures=[GONE, WRONG], query=SLICE
    )
    def get(self, request: Request, agent_id: str) -> Response:
        """List an agent's executions, newest first; those of a deleted agent too."""
        if "\0" in agent_id or not Agent.objects.filter(pk=agent_id).exists():
            raise AgentNotFound(agent_id=agent_id)
        return _listed(request, Wanted(agent_id=agent_id))


class ExecutionDetail(APIView):
    """One execution."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_execution"}

    @operation("get_execution", tag=TAG, answers={200: ExecutionRecord}, failures=[GONE])
    def get(self, request: Request, execution_id: str) -> Response:
        """Show an execution, with the model's last answer."""
        return Response(awaited_json(seen(execution_id, visible_agents(request.user))))


class Trace(APIView):
    """The story of an execution."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_execution"}

    @operation(
        "get_execution_trace",
        tag=TAG,
        answers={200: OBJECT},
        failures=[GONE],
    )
    def get(self, request: Request, execution_id: str) -> Response:
        """Show an execution with its timeline and all its model calls."""
        found = seen(execution_id, visible_agents(request.user))
        return Response(trace_json(queries.trace(found)))


class Retry(APIView):
    """Running once more."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "executions_app.requeue_execution"}

    @operation("retry_execution", tag=TAG, answers={200: ExecutionRecord}, failures=[GONE, TAKEN])
    def post(self, request: Request, execution_id: str) -> Response:
        """Let a run happen again; the answer is the run to wait for.

        A failed run runs again itself. One that has written or was skipped gets a successor. One that has not ended is
        returned as it is.
        """
        found = seen(execution_id, visible_agents(request.user))
        by, request_id = somebody(request), request_id_of(request)
        run = retry(found, by=by, request_id=request_id, now=datetime.now(UTC))
        return Response(as_may_be_read(awaited_json(run), request.user))


class RetryMany(Requeue):
    """Running many once more."""

    @operation(
        "retry_executions", tag=TAG, answers={200: OBJECT}, failures=[GONE, TAKEN, WRONG], body=RequeueBody
    )
    def post(self, request: Request) -> Response:
        """Let failed runs happen again, by ids or by a filter; the same as requeueing dead letters."""
        return super().post(request)


class Cancel(APIView):
    """Ending a run that has not begun."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "executions_app.cancel_execution"}

    @operation("cancel_execution", tag=TAG, answers={200: ExecutionRecord}, failures=[GONE, TAKEN])
    def post(self, request: Request, execution_id: str) -> Response:
        """End a run that waits: `skipped`, `cancelled`. One that a worker has begun goes on: 409.

        One that somebody asked for is answered as whoever waits for it sees it: `completed`, without having written.
        """
        found = seen(execution_id, visible_agents(request.user))
        by, request_id = somebody(request), request_id_of(request)
        if not transitions.cancel(found.pk, by=by, request_id=request_id, now=datetime.now(UTC)):
            raise RetryRefused("It has begun, or has ended already: only what waits can be cancelled")
        return Response(as_may_be_read(awaited_json(seen(execution_id, None)), request.user))


urlpatterns = [
    path("executions", Executions.as_view()),
    path("executions/retry", RetryMany.as_view()),
    path("executions/agent/<str:agent_id>", AgentExecutions.as_view()),
    path("executions/<str:execution_id>", ExecutionDetail.as_view()),
    path("executions/<str:execution_id>/trace", Trace.as_view()),
    path("executions/<str:execution_id>/retry", Retry.as_view()),
    path("executions/<str:execution_id>/cancel", Cancel.as_view()),
]


def _listed(request: Request, wanted: Wanted) -> Response:
    only = visible_agents(request.user)
    require_visible(wanted.agent_id, only)
    part = slice_of(request.query_params)
    found = page(wanted, part.skip, part.end, only=only)
    body: dict[str, Any] = {
        "executions": [execution_json(row) for row in found.rows],
        "total": found.total,
        "total_is_exact": found.is_exact,
    }
    return Response({**body, "skip": part.skip, "limit": part.limit})


def _status(query: Mapping[str, str]) -> str | None:
    name = "status" if query.get("status") else "status_filter"
    given = query.get(name) or None
    if given is not None and given not in STATUSES:
        raise wrong_query(name, f"must be one of {', '.join(STATUSES)}")
    return given
