"""The HTTP API of backfills and statistics. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from django.urls import path
from pymongo import MongoClient
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_request import somebody, whole
from agents_app.errors import AgentNotFound, SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from enrichment.providers import ProviderConfig
from executions_app import backfill_transitions, backfills
from executions_app.api_permissions import MayChange, MayView
from executions_app.backfill_estimate import estimate
from executions_app.backfill_wire import backfill_json, backfills_json, estimate_json
from executions_app.backfills import BackfillNotFound, Wish
from executions_app.models import Backfill
from executions_app.stats_api import StatsView
from mongoclaw_project.config import current

FIELDS: Final = ("agent_id", "filter", "limit", "rate", "dry_run")
MOST: Final = 1_000
USUAL: Final = 100
PATIENCE_MS: Final = 3_000


class BackfillList(APIView):
    """All backfills."""

    permission_classes = (MayView,)
    queryset = Backfill.objects.all()

    def get(self, request: Request) -> Response:
        """List backfills, newest first."""
        skip = max(0, whole(request.query_params, "skip", 0))
        limit = min(MOST, max(1, whole(request.query_params, "limit", USUAL)))
        query = request.query_params
        found = backfills.newest(agent_id=query.get("agent_id"), status=query.get("status"))
        only = visible_agents(request.user)
        if only is not None:
            found = found.filter(agent_id__in=only)
        page = backfills_json(list(found[skip : skip + limit]))
        return Response({"backfills": page, "total": found.count(), "skip": skip, "limit": limit})

    def post(self, request: Request) -> Response:
        """Ask for a backfill, or, with `dry_run`, what it would do and cost."""
        asked, dry_run = _wish(request.data)
        only = visible_agents(request.user)
        if only is not None and asked.agent_id not in only:
            raise AgentNotFound(agent_id=asked.agent_id)
        if dry_run:
            with _mongodb() as client:
                found = estimate(client, asked, _providers(), now=_now)
            return Response({"dry_run": True, "estimate": estimate_json(found)})
        planned = backfills.ask(asked, by=somebody(request), now=_now())
        return Response(backfill_json(planned), status=HTTPStatus.CREATED)


class BackfillDetail(APIView):
    """One backfill."""

    permission_classes = (MayView,)
    queryset = Backfill.objects.all()

    def get(self, request: Request, backfill_id: str) -> Response:
        """Show how far it is."""
        return Response(backfill_json(_seen(request, backfill_id)))


class BackfillMove(APIView):
    """Pausing, resuming and cancelling."""

    permission_classes = (MayChange,)
    queryset = Backfill.objects.all()
    move: str = ""

    def post(self, request: Request, backfill_id: str) -> Response:
        """Change its status."""
        id_, by = _seen(request, backfill_id).id, somebody(request)
        moves: dict[str, Callable[[], Backfill]] = {
            "pause": lambda: backfill_transitions.pause(id_, by=by),
            "resume": lambda: backfill_transitions.resume(id_, by=by),
            "cancel": lambda: backfill_transitions.cancel(id_, by=by, now=_now()),
        }
        return Response(backfill_json(moves[self.move]()))


urlpatterns = [
    path("backfills", BackfillList.as_view()),
    path("backfills/<str:backfill_id>", BackfillDetail.as_view()),
    path("backfills/<str:backfill_id>/pause", BackfillMove.as_view(move="pause")),
    path("backfills/<str:backfill_id>/resume", BackfillMove.as_view(move="resume")),
    path("backfills/<str:backfill_id>/cancel", BackfillMove.as_view(move="cancel")),
    path("stats", StatsView.as_view()),
]


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


def _seen(request: Request, backfill_id: str) -> Backfill:
    """Find a backfill of an agent that the caller may see. Raises BackfillNotFound."""
    found, only = backfills.find(backfill_id), visible_agents(request.user)
    if only is not None and found.agent_id not in only:
        raise BackfillNotFound(f"Backfill '{backfill_id}' not found")
    return found


def _mongodb() -> MongoClient[dict[str, Any]]:
    return MongoClient(
        current().mongodb.uri, serverSelectionTimeoutMS=PATIENCE_MS, minPoolSize=0, appname="mongoclaw-api"
    )


def _providers() -> ProviderConfig:
    """What prices are told by."""
    return ProviderConfig(sandbox_url=current().ai.sandbox_url, env=dict(os.environ))


def _now() -> datetime:
    return datetime.now(UTC)
