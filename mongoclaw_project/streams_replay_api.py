"""The HTTP API of reading a range of changes again: a few seconds a request, as often as there is more to read."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import closing
from http import HTTPStatus
from typing import Any, ClassVar, Final

import structlog
from bson import Timestamp
from pydantic import ConfigDict, Field
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import Shape, operation
from agents_app.api_permissions import Needs
from agents_app.api_request import body_of, somebody
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.registry import ActiveAgent
from agents_app.sight import visible_agents
from executions_app.gap_wire import time_json
from executions_app.moment import MomentInvalid
from executions_app.mongodb import mongodb
from mongoclaw_project.cluster_moment import parse, parse_end
from mongoclaw_project.stream_home import Server
from mongoclaw_project.stream_replay import chosen, new_id, replaying, span
from mongoclaw_project.streams_api import seen
from watcher.reading.replay import Range, Replayed

log = structlog.get_logger(__name__)

SECONDS: Final = 5.0
"""How long one request reads."""

ID: Final = re.compile(r"[0-9a-zA-Z_-]{1,64}")
_NAMES: Final = ("from", "to", "agent_id", "replay_id")


class WantedReplay(Shape):
    """What is read again. To go on, send an answer's `replay_id`, with its `reached` as `from` and `until` as `to`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    since: str = Field(
        alias="from", description="`-2h`, `2026-11-21T02:15:00Z`, or a cluster time `1795227300:1`."
    )
    to: str | None = Field(None, description="Likewise; without it, the newest change.")
    agent_id: str | None = Field(None, description="For this agent only.")
    replay_id: str | None = Field(None, description="That of the replay that goes on; none for a new one.")


class ReplayPart(Shape):
    """What this request has read, and up to where. `matched` counts pairs of a change and an agent."""

    replay_id: str
    database: str
    since: str
    until: str
    agents: list[str]
    read: int
    matched: int
    reached: str
    done: bool


class Replay(APIView):
    """Reading a range of changes again."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "agents_app.operate_agent"}

    @operation(
        "replay_stream",
        tag="streams",
        answers={200: ReplayPart},
        failures=[HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY],
        body=WantedReplay,
    )
    def post(self, request: Request, database: str) -> Response:
        """Read changes again for a few seconds, and run the agents on them even where they have run before.

        A change that one replay reads twice is on record once. Where a document's input is unchanged, no model is
        called.
        """
        server, body = Server(mongodb()), _texts(body_of(request))
        here = seen(server, database, visible_agents(request.user))
        wanted = _span(server, database, body)
        agents, id_ = chosen(here, database, body["agent_id"]), body["replay_id"] or new_id()
        reached, done = _read(server, agents, wanted, id_)
        log.info("stream.replayed", database=database, replay=id_, read=reached.read, by=somebody(request))
        told = {"replay_id": id_, "database": database, "agents": [agent.agent_id for agent in agents]}
        places = {"since": wanted.start, "until": wanted.end, "reached": reached.time}
        times = {name: time_json(place) for name, place in places.items()}
        return Response({**told, **times, "read": reached.read, "matched": reached.matched, "done": done})


def _read(server: Server, agents: list[ActiveAgent], wanted: Range, id_: str) -> tuple[Replayed, bool]:
    """Read until the end, or until the time is over and something later was reached; tells whether to the end."""
    until, reached = time.monotonic() + SECONDS, Replayed(0, 0, wanted.start)
    with closing(replaying(server, agents, wanted, id_=id_)) as parts:
        for reached in parts:
            # Many changes may share one time: whoever goes on from there must not read the same ones for ever.
            if time.monotonic() >= until and wanted.start < reached.time <= wanted.end:
                return reached, False
    return reached, True


def _texts(body: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what a body says. Raises SpecInvalid."""
    problems = [SpecProblem(name, "unknown field") for name in body if name not in _NAMES]
    problems += [
        SpecProblem(name, "must be a text") for name in _NAMES if not isinstance(body.get(name), str | None)
    ]
    if not body.get("from"):
        problems.append(SpecProblem("from", "is required"))
    id_ = body.get("replay_id")
    if isinstance(id_, str) and not ID.fullmatch(id_):
        problems.append(SpecProblem("replay_id", "must be the one of an answer"))
    if problems:
        raise SpecInvalid(errors=problems)
    return {name: body.get(name) for name in _NAMES}


def _span(server: Server, database: str, body: Mapping[str, str | None]) -> Range:
    """Read from where to where. Raises SpecInvalid, ReplayRefused, and pymongo's errors."""
    now, problems = server.now(), []
    times: dict[str, Timestamp] = {}
    for name, read in (("from", parse), ("to", parse_end)):
        text = body[name]
        try:
            if text is not None:
                times[name] = read(text, now=now)
        except MomentInvalid as error:
            problems.append(SpecProblem(name, str(error)))
    if problems:
        raise SpecInvalid(errors=problems)
    return span(server, database, times["from"], times.get("to"))
