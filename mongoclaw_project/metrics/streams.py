"""How the streams stand, from what the watchers keep in MongoDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pymongo.errors import PyMongoError

from agents_app import registry
from executions_app.metrics.declared import web
from executions_app.metrics.metric import Family, Value, family
from executions_app.metrics.names import largest
from executions_app.metrics.scrape import SourceAway
from mongoclaw_project.config import current
from mongoclaw_project.health.servers import mongo
from watcher.observing.survey import UNWATCHED, StreamView, survey
from watcher.reading.status import StreamState

STATES: Final = (*(state.value for state in StreamState), UNWATCHED)


def of_streams() -> Iterator[Family]:
    """Look at the streams of all databases that agents watch. Raises SourceAway, and Django's database errors."""
    watched: dict[str, set[str]] = {}
    for agent in registry.active_agents():
        database, collection = agent.spec.watch_namespace
        watched.setdefault(database, set()).add(collection)
    settings = current().mongodb
    try:
        found = survey(mongo().get_database(settings.database), settings.resume_tokens_collection, watched)
    except PyMongoError as error:
        raise SourceAway from error
    yield family(web.WATCHERS, [((), len(found.watchers))])
    yield family(web.STREAM_LAG, largest(_lags(found.streams, watched)))
    states = ((view.unit.name, state, view.state == state) for view in found.streams for state in STATES)
    yield family(web.STREAM_STATE, (((stream, state), float(is_so)) for stream, state, is_so in states))


def _lags(streams: Sequence[StreamView], watched: Mapping[str, set[str]]) -> Iterator[Value]:
    """Tell the lag of a stream for each collection that it may carry."""
    for view in streams:
        if view.lag_seconds is not None:
            for collection in sorted(watched.get(view.unit.database, ())):
                yield (view.unit.database, collection), view.lag_seconds
