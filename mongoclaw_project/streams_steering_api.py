"""The HTTP API of steering change streams: pausing, dividing, and going on from another place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar, Final

import structlog
from bson import Timestamp
from pydantic import Field
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.api_docs import Shape, operation
from agents_app.api_permissions import Needs
from agents_app.api_request import body_of, somebody
from agents_app.errors import SpecInvalid, SpecProblem
from agents_app.sight import visible_agents
from executions_app.gap_wire import time_json
from executions_app.moment import MomentInvalid
from executions_app.mongodb import mongodb
from mongoclaw_project import stream_position
from mongoclaw_project.cluster_moment import parse
from mongoclaw_project.stream_home import Server, StreamOutOfReach, agents_of, seconds_until_lost
from mongoclaw_project.stream_position import ChangesLeftOut, TokenInvalid
from mongoclaw_project.streams_api import seen
from watcher.leading.control import MOST_PARTS

log = structlog.get_logger(__name__)

TAG: Final = "streams"
OUT, GONE = HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND
WRONG: Final = HTTPStatus.UNPROCESSABLE_ENTITY

_TEXTS: Final = ("at", "token")
_WAYS: Final = (*_TEXTS, "now", "beginning_of_oplog")
_FLAGS: Final = ("now", "beginning_of_oplog", "leave_out")


class StreamPaused(Shape):
    """Whether a database's stream is paused, and for how long the oplog holds what follows its position."""

    database: str
    paused: bool
    seconds_until_lost: float | None


class Parts(Shape):
    """In how many parts a database is read."""

    parts: int = Field(ge=1, le=MOST_PARTS)


class StreamParts(Shape):
    """In how many parts a database is read from now on."""

    database: str
    partitions: int


class WantedPosition(Shape):
    """Where to go on from: exactly one of `at`, `token`, `now` and `beginning_of_oplog`."""

    at: str | None = Field(
        None, description="`-2h`, `2026-11-21T02:15:00Z`, or a cluster time `seconds:increment`."
    )
    token: str | None = Field(None, description="The `_data` of a resume token; its time counts.")
    now: bool = Field(default=False, description="The newest change.")
    beginning_of_oplog: bool = Field(default=False, description="The oldest change that there is.")
    leave_out: bool = Field(default=False, description="Agents may miss changes; each gets a gap on record.")


class StreamMoved(Shape):
    """Where a database's stream goes on from, and the gaps that are on record for it."""

    database: str
    position: str
    positions: int
    gaps: list[str]


class Steering(APIView):
    """What steers a stream asks for the permission to decide about gaps."""

    permission_classes = (Needs,)
    needs: ClassVar[Mapping[str, str]] = {"POST": "executions_app.change_streamgap"}


class Pause(Steering):
    """Pausing a stream."""

    @operation("pause_stream", tag=TAG, answers={200: StreamPaused}, failures=[GONE])
    def post(self, request: Request, database: str) -> Response:
        """Stop reading a database. What is on record already goes on; the oplog goes on ageing."""
        server = _steered(request, database)
        server.controls.pause(database)
        log.warning("stream.paused", database=database, by=somebody(request))
        left = seconds_until_lost(server, database)
        return Response({"database": database, "paused": True, "seconds_until_lost": left})


class Resume(Steering):
    """Resuming a stream."""

    @operation("resume_stream", tag=TAG, answers={200: StreamPaused}, failures=[GONE])
    def post(self, request: Request, database: str) -> Response:
        """Read a database on from where it was paused."""
        server = _steered(request, database)
        server.controls.resume(database)
        log.warning("stream.resumed", database=database, by=somebody(request))
        left = seconds_until_lost(server, database)
        return Response({"database": database, "paused": False, "seconds_until_lost": left})


class Partition(Steering):
    """Dividing a stream."""

    @operation(
        "partition_stream", tag=TAG, answers={200: StreamParts}, failures=[GONE, OUT, WRONG], body=Parts
    )
    def post(self, request: Request, database: str) -> Response:
        """Read a database in so many parts, by the hash of `_id`, so that several watchers share it."""
        server = _steered(request, database)
        parts = _parts(body_of(request))
        server.controls.divide(database, parts)
        log.warning("stream.divided", database=database, parts=parts, by=somebody(request))
        return Response({"database": database, "partitions": parts})


class Position(Steering):
    """Letting a stream go on from another place."""

    @operation(
        "set_stream_position",
        tag=TAG,
        answers={200: StreamMoved},
        failures=[GONE, OUT, WRONG],
        body=WantedPosition,
    )
    def post(self, request: Request, database: str) -> Response:
        """Go on from another place. Going back does nothing twice that is on record already.

        Going forward leaves changes out, and is a 409 that names for whom unless `leave_out` is true.
        """
        server = _steered(request, database)
        body = body_of(request)
        leave_out = _flags(body)["leave_out"]
        move = stream_position.plan(server, database, _target(server, body), by=somebody(request))
        if move.missed and not leave_out:
            raise ChangesLeftOut(f"{move.left_out} Say `leave_out: true` if that is meant.")
        moved = stream_position.carry_out(server, move, now=datetime.now(UTC))
        log.warning("stream.moved", database=database, position=time_json(move.target), by=somebody(request))
        told = {"database": database, "position": time_json(move.target)}
        return Response({**told, "positions": moved.positions, "gaps": list(moved.gaps)})


def _steered(request: Request, database: str) -> Server:
    """Return where streams are steered. Raises StreamNotFound, StreamOutOfReach, and pymongo's errors."""
    only, server = visible_agents(request.user), Server(mongodb())
    agents = seen(server, database, only)
    if only is not None and len(agents) != len(agents_of(database)):
        raise StreamOutOfReach(database=database)
    return server


def _parts(body: Mapping[str, Any]) -> int:
    parts = body.get("parts")
    problems = [SpecProblem(name, "unknown field") for name in body if name != "parts"]
    if isinstance(parts, bool) or not isinstance(parts, int) or not 1 <= parts <= MOST_PARTS:
        problems.append(SpecProblem("parts", f"must be a number from 1 to {MOST_PARTS}"))
    if problems:
        raise SpecInvalid(errors=problems)
    return int(parts or 0)


def _flags(body: Mapping[str, Any]) -> dict[str, bool]:
    """Return what is true or false in a body, once all of it is known to be of the right kind. Raises SpecInvalid."""
    problems = [SpecProblem(name, "unknown field") for name in body if name not in {*_WAYS, *_FLAGS}]
    problems += [
        SpecProblem(name, "must be true or false")
        for name in _FLAGS
        if not isinstance(body.get(name, False), bool)
    ]
    problems += [
        SpecProblem(name, "must be a text") for name in _TEXTS if not isinstance(body.get(name), str | None)
    ]
    if not problems and sum(body.get(name) not in {None, False} for name in _WAYS) != 1:
        problems.append(SpecProblem("", f"give exactly one of {', '.join(_WAYS)}"))
    if problems:
        raise SpecInvalid(errors=problems)
    return {name: body.get(name, False) for name in _FLAGS}


def _target(server: Server, body: Mapping[str, Any]) -> Timestamp:
    """Return the moment that a body names. Raises SpecInvalid, PositionOutside, and pymongo's errors."""
    name = next(name for name in _WAYS if body.get(name) not in {None, False})
    try:
        if name == "at":
            return parse(body["at"], now=server.now())
        if name == "token":
            return stream_position.of_token(body["token"])
    except (MomentInvalid, TokenInvalid) as error:
        raise SpecInvalid(errors=[SpecProblem(name, str(error))]) from None
    return stream_position.newest(server) if name == "now" else stream_position.oldest(server)
