"""The HTTP API of change streams: how each is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app import registry
from agents_app.api_docs import Shape, operation
from agents_app.api_permissions import Needs
from agents_app.registry import ActiveAgent
from agents_app.sight import visible_agents
from executions_app import gaps
from executions_app.mongodb import mongodb
from mongoclaw_project.config import current
from mongoclaw_project.stream_home import Server, StreamNotFound, agents_of, require_known
from mongoclaw_project.stream_wire import database_json, stream_json, watching_json
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


class WatchingAgent(Shape):
    """An agent that a stream feeds. One that a gap holds sees nothing until somebody decides about the gap."""

    agent_id: str
    collection: str
    on_history_lost: str
    held: bool


class DatabaseStream(Shape):
    """All that is known of a database's stream, and what is asked of it."""

    database: str
    paused: bool
    partitions: int
    generation: int
    streams: list[Stream]
    agents: list[WatchingAgent]
    gaps: list[str]


class StreamDetail(APIView):
    """The stream of one database."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"GET": "executions_app.view_streamgap"}

    @operation("get_stream", tag="streams", answers={200: DatabaseStream}, failures=[HTTPStatus.NOT_FOUND])
    def get(self, request: Request, database: str) -> Response:
        """Show a database's stream: its parts, the agents that it feeds, and the gaps that are not closed."""
        only, server = visible_agents(request.user), Server(mongodb())
        agents = seen(server, database, only)
        names = [agent.agent_id for agent in agents]
        found, oplog, held = _look({database}), read_oplog(mongodb()), gaps.held_since()
        unsettled = gaps.listed(database=database)
        if only is not None:
            unsettled = unsettled.filter(agent_id__in=only)
        open_gaps = list(unsettled.values_list("id", flat=True))
        counted = {database: len(open_gaps)}
        return Response(
            database_json(
                database,
                found.controls.get(database),
                streams=[stream_json(view, oplog, counted, names) for view in found.streams],
                agents=[watching_json(agent, held) for agent in agents],
                gaps=open_gaps,
            )
        )


def seen(server: Server, database: str, only: Collection[str] | None) -> list[ActiveAgent]:
    """Return the agents at work that a stream feeds, those among `only`.

    Raises StreamNotFound, also where it feeds none of these, and pymongo's errors.
    """
    agents = [one for one in agents_of(database) if only is None or one.agent_id in only]
    if only is None:
        require_known(server, database)
    elif not agents:
        raise StreamNotFound(database=database)
    return agents


def _look(databases: set[str]) -> Survey:
    settings = current().mongodb
    return survey(mongodb().get_database(settings.database), settings.resume_tokens_collection, databases)
