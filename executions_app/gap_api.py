"""The HTTP API of gaps: what agents have not seen, and what is decided about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import ClassVar, Final

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import SLICE, Moment, Shape, operation, parameter
from agents_app.api_permissions import Needs
from agents_app.api_request import body_of, flag, slice_of, somebody, text
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app import gaps
from executions_app.gap_wire import gap_json
from executions_app.gaps import GapNotFound
from executions_app.models import StreamGap
from executions_app.seeing import found_by_id, require_visible

TAG: Final = "streams"
GONE, TAKEN, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY


class Gap(Shape):
    """Changes that passed an agent unseen, between two cluster times (`seconds:increment`)."""

    id: str
    agent_id: str
    database: str
    collection: str
    kind: str
    status: str
    policy: str
    since: str
    until: str
    code: int | None
    detail: str
    backfill_id: str | None
    detected_at: Moment
    closed_at: Moment | None
    closed_by: str | None
    resolution: str | None


class GapList(Shape):
    """A part of the gaps, newest first."""

    gaps: list[Gap]
    total: int
    skip: int
    limit: int


class GapDecision(Shape):
    """What closes the gap: working through the agent's documents, or nothing."""

    backfill: bool = False


class Gaps(APIView):
    """All gaps."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_streamgap"}

    @operation(
        "list_gaps",
        tag=TAG,
        answers={200: GapList},
        failures=[GONE, WRONG],
        query=[
            parameter("agent_id", "Only this agent's."),
            parameter("database", "Only this database's."),
            parameter("closed", "Closed ones too.", bool),
            *SLICE,
        ],
    )
    def get(self, request: Request) -> Response:
        """List the gaps that are not closed, or all, newest first."""
        query, only = request.query_params, visible_agents(request.user)
        agent_id, part = text(query, "agent_id") or None, slice_of(query)
        require_visible(agent_id, only)
        closed = flag(query, "closed", default=False)
        rows = gaps.listed(database=text(query, "database") or None, agent_id=agent_id, closed=closed)
        rows = rows if only is None else rows.filter(agent_id__in=only)
        page = [gap_json(row) for row in rows[part.skip : part.end]]
        return Response({"gaps": page, "total": rows.count(), "skip": part.skip, "limit": part.limit})


class GapDetail(APIView):
    """One gap."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_streamgap"}

    @operation("get_gap", tag=TAG, answers={200: Gap}, failures=[GONE])
    def get(self, request: Request, gap_id: str) -> Response:
        """Show a gap. The first characters of its id are enough."""
        return Response(gap_json(_seen(gap_id, visible_agents(request.user))))


class GapClosing(APIView):
    """Deciding about a gap."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "executions_app.change_streamgap"}

    @operation("close_gap", tag=TAG, answers={200: Gap}, failures=[GONE, TAKEN, WRONG], body=GapDecision)
    def post(self, request: Request, gap_id: str) -> Response:
        """Acknowledge a gap, or let a backfill close it. An agent that it holds goes on from the gap's end."""
        gap = _seen(gap_id, visible_agents(request.user))
        by, now = somebody(request), datetime.now(UTC)
        if _wants_backfill(body_of(request)):
            return Response(gap_json(gaps.settle_by_backfill(gap.id, by=by, now=now)))
        return Response(gap_json(gaps.close(gap.id, by=by, resolution="left out", now=now)))


urlpatterns = [
    path("gaps", Gaps.as_view()),
    path("gaps/<str:gap_id>", GapDetail.as_view()),
    path("gaps/<str:gap_id>/close", GapClosing.as_view()),
]


def _seen(gap_id: str, only: Collection[str] | None) -> StreamGap:
    """Return a gap of an agent among `only`. Raises GapNotFound, likewise for one that is hidden."""
    return found_by_id(gap_id, gaps.find, only, missing=GapNotFound(f"Gap '{gap_id}' not found"))


def _wants_backfill(body: Mapping[str, object]) -> bool:
    wanted = body.get("backfill", False)
    problems = [SpecProblem(name, "unknown field") for name in body if name != "backfill"]
    if not isinstance(wanted, bool):
        problems.append(SpecProblem("backfill", "must be true or false"))
    if problems:
        raise SpecInvalid(errors=problems)
    return bool(wanted)
