"""The HTTP API of change streams: how each is read. Steering them is a command's work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import registry
from agents_app.api_docs import Shape, operation
from agents_app.api_permissions import Needs
from agents_app.sight import visible_agents
from executions_app import gaps
from executions_app.mongodb import mongodb
from mongoclaw_project.config import current
from mongoclaw_project.stream_wire import stream_json
from watcher.observing.oplog import read_oplog
from watcher.observing.survey import Survey, survey


class Stream(Shape):
    """A stream as its watcher said last. Cluster times are `seconds:increment`; null is not known."""

    stream: str
    database: str
    state: str
    detail: str | None
    trouble: str | None
    watcher: str | None
    term: int | None
    polled_ago_seconds: float | None
    lag_seconds: float | None
    position: str | None
    position_age_seconds: float | None
    position_readable: bool
    seconds_until_lost: float | None
    agents: list[str]
    open_gaps: int


class Watcher(Shape):
    """A watcher that is alive."""

    host: str
    pid: int
    roles: list[str]


class StreamList(Shape):
    """All streams that the caller's agents are fed by, and the watchers."""

    streams: list[Stream]
    watchers: list[Watcher]
    oplog_window_seconds: float | None


class Streams(APIView):
    """All streams."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_streamgap"}

    @operation("list_streams", tag="streams", answers={200: StreamList})
    def get(self, request: Request) -> Response:
        """List the streams: who reads each, how far it is, and what is wrong with it."""
        only = visible_agents(request.user)
        agents = [one for one in registry.active_agents() if only is None or one.agent_id in only]
        watching: dict[str, list[str]] = {}
        for one in agents:
            watching.setdefault(one.spec.watch.database, []).append(one.agent_id)
        found, oplog = _look(set(watching)), read_oplog(mongodb())
        unsettled = gaps.unsettled() if only is None else gaps.unsettled().filter(agent_id__in=only)
        open_gaps = Counter(unsettled.values_list("database", flat=True))
        streams = [
            stream_json(view, oplog, open_gaps, watching[view.unit.database]) for view in found.streams
        ]
        watchers = [{"host": one.host, "pid": one.pid, "roles": list(one.roles)} for one in found.watchers]
        window = oplog.window if oplog else None
        return Response({"streams": streams, "watchers": watchers, "oplog_window_seconds": window})


urlpatterns = [path("streams", Streams.as_view())]


def _look(databases: set[str]) -> Survey:
    settings = current().mongodb
    return survey(mongodb().get_database(settings.database), settings.resume_tokens_collection, databases)
