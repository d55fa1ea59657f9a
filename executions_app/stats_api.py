"""The HTTP API of statistics."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import operation, parameter
from agents_app.api_request import text
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app import holds, live, stats
from executions_app.api_permissions import MayView
from executions_app.hold_wire import holding_json
from executions_app.models import HourTally
from executions_app.moment import FORMS, MomentInvalid
from executions_app.seeing import require_visible
from executions_app.stats import By, SpanInvalid
from executions_app.stats_shapes import Statistics
from executions_app.stats_wire import live_json, stats_json


class StatsView(APIView):
    """How many runs ended how, how quick they were, what they cost, and what waits now."""

    permission_classes = (MayView,)
    queryset = HourTally.objects.all()

    @operation(
        "get_stats",
        tag="statistics",
        answers={200: Statistics},
        failures=[HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY],
        query=[
            parameter("since", f"How far back: {FORMS}; by default {stats.USUAL}."),
            parameter("agent_id", "Only this agent's."),
            parameter("by", "What the figures are told apart by.", choices=[by.value for by in By]),
        ],
    )
    def get(self, request: Request) -> Response:
        """Add up since `since` (24h), for one `agent_id` or all, told apart `by` agent, hour or reason."""
        query, now = request.query_params, datetime.now(UTC)
        by = _by(query.get("by", By.AGENT.value))
        try:
            since = stats.beginning(query.get("since", stats.USUAL), now=now)
        except (MomentInvalid, SpanInvalid) as error:
            raise SpecInvalid(errors=[SpecProblem("since", str(error))], place="query") from None
        agent_id, only = text(query, "agent_id") or None, visible_agents(request.user)
        require_visible(agent_id, only)
        found = stats.gather(since=since, agent_id=agent_id, by=by, only=only)
        waiting = (
            live.look(now, agent_id=agent_id, only=only),
            live.put_off(now, agent_id=agent_id, only=only),
        )
        holding = holding_json(holds.in_force(), only=only)
        return Response({**stats_json(found, by=by), "live": live_json(*waiting), "dispatch": holding})


def _by(text: str) -> By:
    try:
        return By(text)
    except ValueError:
        message = f"must be one of: {', '.join(By)}"
        raise SpecInvalid(errors=[SpecProblem("by", message)], place="query") from None
