"""What the console shows of servers and streams: the answers of a moment ago, so that no page waits for a server.

`look` is what the setting CONSOLE_OUTLOOK names.
"""

from __future__ import annotations

import functools
import os
import socket
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import DatabaseError, connection
from pymongo.errors import PyMongoError

from executions_app.console.outlook import Outlook, Server, Stream, Watcher
from mongoclaw_project.config import current
from mongoclaw_project.health.component import Component, Probe, Unhealthy
from mongoclaw_project.health.servers import mongo, probes

NAMES: Final = {"mongodb": "MongoDB", "redis": "Redis", "broker": "Broker", "database": "SQL"}
FIRST_SECONDS: Final = 1.0
"""How long the first answer of all is waited for; later ones are there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Streams and watchers."""

    streams: tuple[Stream, ...]
    watchers: tuple[Watcher, ...]


def look() -> Outlook:
    """Tell how servers, streams and watchers were a moment ago, and have them asked anew meanwhile."""
    asked = (*probes(), _streams())
    for probe in asked:
        probe.last()
    *servers, streams = (_last(probe) for probe in asked)
    seen = streams.details.get("seen") if streams is not None else None
    return Outlook(
        servers=tuple(_server(one.name, found) for one, found in zip(asked, servers, strict=False)),
        streams=seen.streams if seen else (),
        watchers=seen.watchers if seen else (),
        streams_error="not asked yet" if streams is None else streams.error,
        web=f"{socket.gethostname()}:{os.getpid()}",
    )


def _last(probe: Probe) -> Component | None:
    found = probe.last()
    if found is not None:
        return found
    try:
        return probe.begin().result(timeout=FIRST_SECONDS)
    except TimeoutError:
        return None


def _server(name: str, found: Component | None) -> Server:
    if found is None:
        return Server(NAMES.get(name, name), None, "has not answered yet")
    return Server(NAMES.get(name, name), found.latency_ms, found.error)


@functools.cache
def _streams() -> Probe:
    return Probe("console-streams", ask_streams)


def ask_streams() -> dict[str, Any]:
    """Look at all streams. Raises Unhealthy if nothing can be known of them."""
    from watcher.observing.survey import survey

    settings = current()
    try:
        home = mongo().get_database(settings.mongodb.database)
        found = survey(home, settings.mongodb.resume_tokens_collection, _databases())
    except PyMongoError as error:
        raise Unhealthy("not known: MongoDB cannot be reached") from error
    # The detail of a trouble may hold more of an error than whoever looks at the console should read.
    streams = tuple(
        Stream(
            name=view.unit.name,
            state=view.state,
            lag=view.lag_seconds,
            watcher=view.watcher,
            trouble=replace(view, detail="").trouble(settings.watcher.unpolled_seconds),
        )
        for view in found.streams
    )
    watchers = tuple(
        Watcher(id=one.holder, place=str(one), roles=one.roles, dispatches=str(one) == found.dispatched_by)
        for one in found.watchers
    )
    return {"seen": Seen(streams, watchers)}


def _databases() -> set[str]:
    from agents_app import registry

    try:
        return {agent.spec.watch.database for agent in registry.active_agents()}
    except DatabaseError as error:
        raise Unhealthy("not known: the SQL database cannot be reached") from error
    finally:
        connection.close()
