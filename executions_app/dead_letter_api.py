"""The HTTP API of dead letters. Errors are put into their envelope by `mongoclaw_project.api_errors`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from django.db.models import Model
from django.http import StreamingHttpResponse
from django.urls import path
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import OBJECT, SLICE, operation
from agents_app.api_request import somebody, whole
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app import dead_letter_work as work
from executions_app import dead_letters
from executions_app.asking import request_id_of
from executions_app.dead_letter_names import unknown_names
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
from executions_app.dead_letter_work import Report, Selection
from executions_app.dead_letters import DeadLetterNotFound, Filter, Kind
from executions_app.models import Execution
from executions_app.moment import MomentInvalid, moment_of

MOST: Final = 1_000
USUAL: Final = 100
MOST_SKIPPED: Final = 10_000
MOST_MOVED: Final = 5_000
"""Letters that one call moves; `more` in its answer says that there are others."""

TEXTS: Final = ("agent_id", "reason", "database", "collection", "text")
WAYS: Final = ("ids", "filter", "all")
FILTERS: Final = (*TEXTS, "kind", "since", "until")


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
        skip = _skipped(query)
        limit = min(MOST, max(1, whole(query, "limit", USUAL)))
        wanted = _wanted(query, visible=visible_agents(request.user))
        page = [dead_letter_json(letter) for letter in dead_letters.newest(wanted, skip=skip, limit=limit)]
        total = dead_letters.count(wanted)
        return Response({"dead_letters": page, "total": total, "skip": skip, "limit": limit})


class DeadLetterDetail(APIView):
    """One dead letter."""

    permission_classes = (MayView,)
    queryset = Execution.objects.none()

    @operation("get_dead_letter", tag=TAG, answers={200: OBJECT}, failures=[GONE, TAKEN])
    def get(self, request: Request, letter_id: str) -> Response:  # the framework's signature
        """Show all that is known of it, also when it was let run again."""
        letter = dead_letters.find(letter_id, once=True)
        _refuse_unseen([letter.id], visible_agents(request.user))
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
        lines = _lines(_wanted(request.query_params, visible=visible_agents(request.user)))
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
        selection, body = _selection(request, "rate")
        by, request_id, rate = somebody(request), request_id_of(request), _rate(body.get("rate"))
        report = work.requeue(selection, by=by, rate=rate, request_id=request_id, now=_now())
        return Response(report_json(report))


class Aside(APIView):
    """Putting aside and bringing back."""

    permission_classes = (MayDiscard,)
    queryset = Execution.objects.none()
    move: str = ""

    def post(self, request: Request) -> Response:
        """Discard with a reason, or restore."""
        selection, body = _selection(request, *(["why"] if self.move == "discard" else []))
        by, why = somebody(request), str(body.get("why") or "")
        moves: dict[str, Callable[[], Report]] = {
            "discard": lambda: work.discard(selection, by=by, why=why, now=_now()),
            "restore": lambda: work.restore(selection, by=by, now=_now()),
        }
        return Response(report_json(moves[self.move]()))


class Discard(Aside):
    """Putting aside."""

    move = "discard"

    @operation(
        "discard_dead_letters",
        tag=TAG,
        answers={200: OBJECT},
        failures=[GONE, TAKEN, WRONG],
        body=DiscardBody,
    )
    def post(self, request: Request) -> Response:
        """Put dead letters aside, with a reason; nothing is erased."""
        return super().post(request)


class Restore(Aside):
    """Bringing back."""

    move = "restore"

    @operation(
        "restore_dead_letters",
        tag=TAG,
        answers={200: OBJECT},
        failures=[GONE, TAKEN, WRONG],
        body=SelectionBody,
    )
    def post(self, request: Request) -> Response:
        """Bring back what was put aside."""
        return super().post(request)


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


def _selection(request: Request, *also: str) -> tuple[Selection, Mapping[str, Any]]:
    """Read which letters a body means. Raises SpecInvalid: a body that says nothing does not mean everything."""
    data, visible = request.data, visible_agents(request.user)
    if not isinstance(data, Mapping):
        raise SpecInvalid(errors=[SpecProblem("", "must be an object")])
    problems = list(_problems(data, also))
    if problems:
        raise SpecInvalid(errors=problems)
    ids = dead_letters.all_meant(data.get("ids") or ())
    _refuse_unseen(ids, visible)
    wanted = _wanted(data.get("filter") or {}, "filter.", place="body", visible=visible)
    return Selection(ids=ids, wanted=wanted, limit=MOST_MOVED), data


def _problems(data: Mapping[str, Any], also: tuple[str, ...]) -> Iterator[SpecProblem]:
    ids, wanted = data.get("ids") or [], data.get("filter") or {}
    yield from (SpecProblem(str(name), "unknown field") for name in data if name not in {*WAYS, *also})
    if sum(bool(data.get(name)) for name in WAYS) != 1:
        yield SpecProblem("", f"say which: exactly one of {', '.join(WAYS)}")
    if not isinstance(ids, list) or len(ids) > MOST_MOVED or not all(map(_is_text, ids)):
        yield SpecProblem("ids", f"must be a list of at most {MOST_MOVED} ids")
    if not isinstance(data.get("all", True), bool):
        yield SpecProblem("all", "must be true")
    if not isinstance(wanted, Mapping):
        yield SpecProblem("filter", "must be an object")
    else:
        unknown = (name for name in wanted if name not in FILTERS)
        yield from (SpecProblem(f"filter.{name}", "unknown field") for name in unknown)


def _refuse_unseen(ids: Sequence[str], visible: frozenset[str] | None) -> None:
    """Say of a letter that whoever asks may not see that there is none. Raises DeadLetterNotFound."""
    if visible is not None:
        seen = Execution.objects.filter(id__in=ids, agent_id__in=visible).values_list("id", flat=True)
        for unseen in set(ids) - set(seen):
            raise DeadLetterNotFound(f"Dead letter '{unseen}' not found")


def _wanted(
    given: Mapping[str, Any],
    prefix: str = "",
    *,
    place: str = "query",
    visible: frozenset[str] | None = None,
) -> Filter:
    """Read a filter of the agents that are visible. Raises SpecInvalid with every problem."""
    problems: list[SpecProblem] = []
    kind = given.get("kind") or None
    if kind is not None and kind not in list(Kind):
        problems.append(SpecProblem(f"{prefix}kind", f"must be one of {', '.join(Kind)}"))
    moments: dict[str, datetime | None] = {}
    for name in ("since", "until"):
        try:
            moments[name] = _moment(given.get(name))
        except MomentInvalid as error:
            problems.append(SpecProblem(f"{prefix}{name}", str(error)))
    texts = {name: str(given.get(name) or "") for name in TEXTS}
    wrong = (name for name, text in texts.items() if not _is_text(text))
    problems += [SpecProblem(f"{prefix}{name}", "must be text without null characters") for name in wrong]
    if problems:
        raise SpecInvalid(errors=problems, place=place)
    wanted = Filter(kind=None if kind is None else Kind(kind), **moments, **texts)  # type: ignore[arg-type]
    wanted = replace(wanted, visible=visible)
    if problems := [SpecProblem(f"{prefix}{one.path}", one.message) for one in unknown_names(wanted)]:
        raise SpecInvalid(errors=problems, place=place)
    archived = str(given.get("archived", "")).lower() in {"1", "true"}
    return replace(wanted, archived=archived)


def _is_text(value: object) -> bool:
    """Whether PostgreSQL can look for it."""
    return isinstance(value, str) and "\0" not in value


def _moment(text: object) -> datetime | None:
    return moment_of(str(text), now=_now()) if text else None


def _rate(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not work.SLOWEST <= value < math.inf:
        told = f"must be a number of letters a second, {work.SLOWEST:g} or more"
        raise SpecInvalid(errors=[SpecProblem("rate", told)])
    return float(value)


def _skipped(query: Mapping[str, str]) -> int:
    """Read how many to leave out. Raises SpecInvalid: the same page again and again would look like more letters."""
    skip = max(0, whole(query, "skip", 0))
    if skip > MOST_SKIPPED:
        told = f"must be at most {MOST_SKIPPED:,}; narrow the list by `until`, or take the export"
        raise SpecInvalid(errors=[SpecProblem("skip", told)], place="query")
    return skip


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _now() -> datetime:
    return datetime.now(UTC)
