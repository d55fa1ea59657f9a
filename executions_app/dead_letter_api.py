"""The HTTP API of dead letters. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import ClassVar, Final

from django.db.models import Model
from django.http import StreamingHttpResponse
from django.urls import path
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import OBJECT, SLICE, operation
from agents_app.api_request import somebody, whole
from agents_app.sight import visible_agents
from executions_app import dead_letter_work as work
from executions_app import dead_letters
from executions_app.asking import request_id_of
from executions_app.dead_letter_request import filter_of, rate, refuse_unseen, selection, skipped
from executions_app.dead_letter_shapes import (
    GONE,
    QUERY,
    TAG,
    TAKEN,
    WRONG,
    DiscardBody,
    RequeueBody,
    SelectionBody,
)
from executions_app.dead_letter_wire import dead_letter_json, line_json, report_json, story_json
from executions_app.dead_letters import Filter
from executions_app.models import Execution

MOST: Final = 1_000
USUAL: Final = 100


class _May(DjangoModelPermissions):
    """Asks for one permission of executions, whatever the method is."""

    permission: ClassVar[str]

    def get_required_permissions(self, method: str, model_cls: type[Model]) -> list[str]:  # noqa: ARG002  # its signature
        """Return the permission."""
        return [f"executions_app.{self.permission}_execution"]


class MayView(_May):
    """Whoever sees executions sees dead letters."""

    permission = "view"


class MayRequeue(_May):
    """Running again may cost money."""

    permission = "requeue"


class MayDiscard(_May):
    """Putting aside and bringing back."""

    permission = "discard"


class DeadLetterList(APIView):
    """Dead letters."""

    permission_classes = (MayView,)
    queryset = Execution.objects.none()

    @operation("list_dead_letters", tag=TAG, answers={200: OBJECT}, failures=[WRONG], query=[*QUERY, *SLICE])
    def get(self, request: Request) -> Response:
        """List dead letters, newest first."""
        query = request.query_params
        skip = skipped(query)
        limit = min(MOST, max(1, whole(query, "limit", USUAL)))
        chosen = filter_of(query, visible=visible_agents(request.user))
        page = [dead_letter_json(letter) for letter in dead_letters.newest(chosen, skip=skip, limit=limit)]
        total = dead_letters.count(chosen)
        return Response({"dead_letters": page, "total": total, "skip": skip, "limit": limit})


class DeadLetterDetail(APIView):
    """One dead letter."""

    permission_classes = (MayView,)
    queryset = Execution.objects.none()

    @operation("get_dead_letter", tag=TAG, answers={200: OBJECT}, failures=[GONE, TAKEN])
    def get(self, request: Request, letter_id: str) -> Response:  # the framework's signature
        """Show all that is known of it, also when it was let run again."""
        letter = dead_letters.find(letter_id, once=True)
        refuse_unseen({letter.id: letter_id}, visible_agents(request.user))
        return Response(story_json(letter))


class DeadLetterExport(APIView):
    """All of them, as lines of JSON."""

    permission_classes = (MayView,)
    queryset = Execution.objects.none()

    @operation(
        "export_dead_letters",
        tag=TAG,
        answers={(200, "application/x-ndjson"): {"type": "string"}},
        failures=[WRONG],
        query=QUERY,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Write them out, oldest first."""
        lines = _lines(filter_of(request.query_params, visible=visible_agents(request.user)))
        return StreamingHttpResponse(lines, content_type="application/x-ndjson")


class Requeue(APIView):
    """Running again."""

    permission_classes = (MayRequeue,)
    queryset = Execution.objects.none()

    @operation(
        "requeue_dead_letters",
        tag=TAG,
        answers={200: OBJECT},
        failures=[GONE, TAKEN, WRONG],
        body=RequeueBody,
    )
    def post(self, request: Request) -> Response:
        """Let dead letters run again, at most `rate` a second."""
        chosen, body = selection(request, "rate")
        by, request_id, pace = somebody(request), request_id_of(request), rate(body.get("rate"))
        report = work.requeue(chosen, by=by, rate=pace, request_id=request_id, now=_now())
        return Response(report_json(report))


class Discard(APIView):
    """Putting aside."""

    permission_classes = (MayDiscard,)
    queryset = Execution.objects.none()

    @operation(
        "discard_dead_letters",
        tag=TAG,
        answers={200: OBJECT},
        failures=[GONE, TAKEN, WRONG],
        body=DiscardBody,
    )
    def post(self, request: Request) -> Response:
        """Put dead letters aside, with a reason; nothing is erased."""
        chosen, body = selection(request, "why")
        why = str(body.get("why") or "")
        return Response(report_json(work.discard(chosen, by=somebody(request), why=why, now=_now())))


class Restore(APIView):
    """Bringing back."""

    permission_classes = (MayDiscard,)
    queryset = Execution.objects.none()

    @operation(
        "restore_dead_letters",
        tag=TAG,
        answers={200: OBJECT},
        failures=[GONE, TAKEN, WRONG],
        body=SelectionBody,
    )
    def post(self, request: Request) -> Response:
        """Bring back what was put aside."""
        chosen, _ = selection(request)
        return Response(report_json(work.restore(chosen, by=somebody(request), now=_now())))


urlpatterns = [
    path("dead-letters", DeadLetterList.as_view()),
    path("dead-letters/export", DeadLetterExport.as_view()),
    path("dead-letters/requeue", Requeue.as_view()),
    path("dead-letters/discard", Discard.as_view()),
    path("dead-letters/restore", Restore.as_view()),
    path("dead-letters/<str:letter_id>", DeadLetterDetail.as_view()),
]


def _lines(wanted: Filter) -> Iterator[str]:
    for letter in dead_letters.every(wanted):
        yield json.dumps(line_json(letter), ensure_ascii=False, default=_plain) + "\n"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _now() -> datetime:
    return datetime.now(UTC)
