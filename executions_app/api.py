"""The HTTP API of backfills and statistics. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from django.urls import path
from pydantic import Field
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import SLICE, Shape, operation, parameter
from agents_app.api_request import slice_of, somebody, text
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app import backfill_transitions, backfills
from executions_app.api_permissions import MayChange, MayView
from executions_app.backfill_estimate import estimate
from executions_app.backfill_shapes import BackfillPage, BackfillRecord, DryRun
from executions_app.backfill_wire import backfill_json, backfills_json, estimate_json
from executions_app.backfills import BackfillNotFound, Wish
from executions_app.models import Backfill
from executions_app.mongodb import mongodb
from executions_app.provider_config import provider_config
from executions_app.seeing import found_by_id, require_visible
from executions_app.stats_api import StatsView

FIELDS: Final = ("agent_id", "filter", "limit", "rate", "dry_run")
TAG: Final = "backfills"
GONE, TAKEN, WRONG = HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY


class BackfillBody(Shape):
    """What to work through. `filter` is a MongoDB query in Extended JSON; `rate` is documents a second."""

    agent_id: str
    filter: dict[str, Any] | None = None
    limit: int | None = Field(default=None, ge=1)
    rate: float | None = Field(default=None, gt=0)
    dry_run: bool = False


class BackfillList(APIView):
    """All backfills."""

    permission_classes = (MayView,)
    queryset = Backfill.objects.all()

    @operation(
        "list_backfills",
        tag=TAG,
        answers={200: BackfillPage},
        failures=[WRONG],
        query=[parameter("agent_id", "Only this agent's."), parameter("status", "Only these."), *SLICE],
    )
    def get(self, request: Request) -> Response:
        """List backfills, newest first."""
        query = request.query_params
        part = slice_of(query)
        agent_id, status = text(query, "agent_id") or None, text(query, "status") or None
        only = visible_agents(request.user)
        require_visible(agent_id, only)
        found = backfills.newest(agent_id=agent_id, status=status)
        found = found if only is None else found.filter(agent_id__in=only)
        page = backfills_json(list(found[part.skip : part.end]))
        return Response({"backfills": page, "total": found.count(), "skip": part.skip, "limit": part.limit})

    @operation(
        "create_backfill",
        tag=TAG,
        answers={200: DryRun, 201: BackfillRecord},
        failures=[GONE, TAKEN, WRONG],
        body=BackfillBody,
    )
    def post(self, request: Request) -> Response:
        """Ask for a backfill, or, with `dry_run`, what it would do and cost."""
        asked, dry_run = _wish(request.data)
        require_visible(asked.agent_id, visible_agents(request.user))
        if dry_run:
            if not request.user.has_perm(
                "executions_app.view_backfill"
            ):  # a count of documents tells what is in them
                raise PermissionDenied("An estimate is read: this needs the permission to view backfills")
            found = estimate(mongodb(), asked, provider_config(), now=_now)
            return Response({"dry_run": True, "estimate": estimate_json(found)})
        planned = backfills.ask(asked, by=somebody(request), now=_now())
        return Response(backfill_json(planned), status=HTTPStatus.CREATED)


class BackfillDetail(APIView):
    """One backfill."""

    permission_classes = (MayView,)
    queryset = Backfill.objects.all()

    @operation("get_backfill", tag=TAG, answers={200: BackfillRecord}, failures=[GONE])
    def get(self, request: Request, backfill_id: str) -> Response:
        """Show how far it is."""
        return Response(backfill_json(_seen(request, backfill_id)))


class BackfillMove(APIView):
    """Pausing, resuming and cancelling."""

    permission_classes = (MayChange,)
    queryset = Backfill.objects.all()


class Pause(BackfillMove):
    """Pausing."""

    @operation("pause_backfill", tag=TAG, answers={200: BackfillRecord}, failures=[GONE, TAKEN])
    def post(self, request: Request, backfill_id: str) -> Response:
        """Stop reading until it is resumed."""
        return _moved(request, backfill_id, backfill_transitions.pause)


class Resume(BackfillMove):
    """Resuming."""

    @operation("resume_backfill", tag=TAG, answers={200: BackfillRecord}, failures=[GONE, TAKEN])
    def post(self, request: Request, backfill_id: str) -> Response:
        """Go on reading."""
        return _moved(request, backfill_id, backfill_transitions.resume)


class Cancel(BackfillMove):
    """Cancelling."""

    @operation("cancel_backfill", tag=TAG, answers={200: BackfillRecord}, failures=[GONE, TAKEN])
    def post(self, request: Request, backfill_id: str) -> Response:
        """End it, and the runs that nothing else has asked for."""
        return _moved(request, backfill_id, partial(backfill_transitions.cancel, now=_now()))


urlpatterns = [
    path("backfills", BackfillList.as_view()),
    path("backfills/<str:backfill_id>", BackfillDetail.as_view()),
    path("backfills/<str:backfill_id>/pause", Pause.as_view()),
    path("backfills/<str:backfill_id>/resume", Resume.as_view()),
    path("backfills/<str:backfill_id>/cancel", Cancel.as_view()),
    path("stats", StatsView.as_view()),
]


def _moved(request: Request, backfill_id: str, move: Callable[..., Backfill]) -> Response:
    return Response(backfill_json(move(_seen(request, backfill_id).id, by=somebody(request))))


def _seen(request: Request, backfill_id: str) -> Backfill:
    """Return a backfill of an agent that the caller may see. Raises BackfillNotFound, likewise for a hidden one."""
    missing = BackfillNotFound(f"Backfill '{backfill_id}' not found")
    return found_by_id(backfill_id, backfills.find, visible_agents(request.user), missing=missing)


def _wish(data: object) -> tuple[Wish, bool]:
    """Read the body. Raises SpecInvalid with every problem."""
    if not isinstance(data, Mapping):
        raise SpecInvalid(errors=[SpecProblem("", "must be an object")])
    agent_id, dry_run = data.get("agent_id"), data.get("dry_run", False)
    # A field that is misspelt would make the backfill larger than was meant.
    problems = [SpecProblem(str(name), "unknown field") for name in data if name not in FIELDS]
    if not isinstance(agent_id, str):
        problems.append(SpecProblem("agent_id", "is required" if agent_id is None else "must be text"))
    if not isinstance(dry_run, bool):
        problems.append(SpecProblem("dry_run", "must be true or false"))
    try:
        asked = backfills.wish(
            str(agent_id), filter_=data.get("filter"), limit=data.get("limit"), rate=data.get("rate")
        )
    except SpecInvalid as error:
        raise SpecInvalid(errors=[*problems, *error.errors]) from None
    if problems:
        raise SpecInvalid(errors=problems)
    return asked, bool(dry_run)


def _now() -> datetime:
    return datetime.now(UTC)
