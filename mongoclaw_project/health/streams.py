"""Whether the change streams are read: a dead watcher, or one that does not read, must not look healthy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.db import DatabaseError, connection
from pymongo.errors import PyMongoError

from mongoclaw_project.config import current
from mongoclaw_project.health.component import Probe, Unhealthy
from mongoclaw_project.health.servers import mongo


def stream_probe() -> Probe:
    """The probe of all streams."""
    return Probe("streams", ask_streams)


def ask_streams() -> dict[str, Any]:
    """Look at the streams of all databases that agents watch.

    Raises Unhealthy with what is wrong with each. Whoever asks may read that, so it holds no detail of an error.
    """
    from watcher.observing.survey import survey

    databases, held, open_gaps = _ledger()
    settings = current()
    try:
        home = mongo().get_database(settings.mongodb.database)
        found = survey(home, settings.mongodb.resume_tokens_collection, databases)
    except PyMongoError as error:
        raise Unhealthy("not known: MongoDB cannot be reached") from error
    troubles = [] if found.watchers or not databases else ["no watcher is alive"]
    if found.watchers and found.dispatched_by is None:
        troubles.append("no watcher dispatches")
    for view in found.streams:
        trouble = replace(view, detail="").trouble(settings.watcher.unpolled_seconds)
        if trouble:
            troubles.append(f"stream {view.unit.name}: {trouble}")
    troubles += [f"agent {agent} is held by a gap" for agent in sorted(held)]
    if troubles:
        raise Unhealthy("; ".join(troubles))
    paused = [view.unit.name for view in found.streams if view.paused]
    return {
        "streams": len(found.streams),
        "watchers": len(found.watchers),
        "paused": paused,
        "open_gaps": open_gaps,
    }


def _ledger() -> tuple[set[str], set[str], int]:
    """The watched databases, the agents that are held, and how many gaps are not closed."""
    from agents_app import registry
    from executions_app import gaps

    try:
        databases = {agent.spec.watch.database for agent in registry.active_agents()}
        return databases, set(gaps.held_since()), gaps.unsettled().count()
    except DatabaseError as error:
        raise Unhealthy("not known: the SQL database cannot be reached") from error
    finally:
        connection.close()
