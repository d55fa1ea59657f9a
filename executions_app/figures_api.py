"""The HTTP API of the contract's figures: of executions, and of one agent (peer contract §3.8, §4.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from statistics import fmean
from typing import Any, ClassVar, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import listing
from agents_app.api_docs import operation, parameter
from agents_app.api_permissions import Needs
from agents_app.api_request import text, whole
from agents_app.sight import visible_agents
from executions_app.api_shapes import AgentStats, ExecutionStats
from executions_app.cost import usd
from executions_app.figures import Ended, figures, mean_durations, newest_ended
from executions_app.models import Execution
from executions_app.seeing import require_visible
from executions_app.states import Status

HOURS: Final = 24
MOST_HOURS: Final = 720


class PeriodStats(APIView):
    """How runs ended lately."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_execution"}

    @operation(
        "get_execution_stats",
        tag="executions",
        answers={200: ExecutionStats},
        failures=[HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY],
        query=[
            parameter("agent_id", "Only this agent's."),
            parameter("hours", "How long the period is: 1 to 720, by default 24.", int),
        ],
    )
    def get(self, request: Request) -> Response:
        """Count the runs that ended in the last hours, by how they ended."""
        query, only = request.query_params, visible_agents(request.user)
        agent_id = text(query, "agent_id") or None
        require_visible(agent_id, only)
        hours = min(MOST_HOURS, max(1, whole(query, "hours", HOURS)))
        since = (datetime.now(UTC) - timedelta(hours=hours)).replace(minute=0, second=0, microsecond=0)
        agents = only if agent_id is None else {agent_id}
        found = figures(agents, since=since)
        means = mean_durations(newest_ended(agents, since=since))
        by_status = {
            status: {"count": number, "avg_duration_ms": round(means.get(status, 0.0), 2)}
            for status, number in sorted(found.ends.items())
            if number
        }
        return Response({"period_hours": hours, "by_status": by_status, "total": found.ends.total()})


class AgentFigures(APIView):
    """What an agent has done."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_execution"}

    @operation("get_agent_stats", tag="agents", answers={200: AgentStats}, failures=[HTTPStatus.NOT_FOUND])
    def get(self, request: Request, agent_id: str) -> Response:
        """Count all runs of an agent, and what they took."""
        agent = listing.seen(agent_id, visible_agents(request.user))
        return Response(_agent_json(agent.id))


urlpatterns = [
    path("executions/stats", PeriodStats.as_view()),
    path("agents/<str:agent_id>/stats", AgentFigures.as_view()),
]


def _agent_json(agent_id: str) -> dict[str, Any]:
    found, sample = figures({agent_id}), newest_ended({agent_id})
    completed = [run for run in sample if run.status == Status.COMPLETED]
    return {
        "agent_id": agent_id,
        "total_executions": found.ends.total(),
        "successful_executions": found.ends[Status.COMPLETED],
        "failed_executions": found.ends[Status.FAILED],
        "skipped_executions": found.ends[Status.SKIPPED],
        "avg_duration_ms": round(mean_durations(completed).get(Status.COMPLETED, 0.0), 2),
        "avg_latency_ms": _mean_latency(completed),
        "total_tokens": found.tokens,
        "total_cost_usd": usd(found.cost_nanousd),
        "last_execution_at": max((run.completed_at for run in sample), default=None),
        "last_error": _last_error(agent_id),
    }


def _mean_latency(runs: list[Ended]) -> float:
    return round(fmean(run.latency_ms for run in runs), 2) if runs else 0.0


def _last_error(agent_id: str) -> str | None:
    failed = Execution.objects.filter(agent_id=agent_id, status=Status.FAILED).order_by("-completed_at")
    return failed.values_list("error", flat=True).first() or None
