"""Examining the streams: whether each is read, by whom, how far, and what agents have not seen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pymongo.errors import PyMongoError

from agents_app import registry
from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.identity import unpack_time
from executions_app.models import GapStatus
from mongoclaw_project import cluster_moment
from mongoclaw_project.cli import moment, sql
from mongoclaw_project.cli.doctor import mongodb
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good
from mongoclaw_project.config import current
from watcher.observing.oplog import Oplog, read_oplog, seconds_to_loss
from watcher.observing.survey import UNWATCHED, StreamView, Survey, survey
from watcher.reading.status import StreamState

START_WATCHER: Final = "start one: `python -m watcher`, or `mongoclaw dev` for everything"
SHORT_SECONDS: Final = 3_600.0
"""A stream whose position the oplog may drop within this time needs somebody now."""


def examine_watchers() -> Iterator[Finding]:
    """Look at the watchers, by the clock of MongoDB that their leases are kept on."""
    try:
        found = _surveyed(())
    except PyMongoError as error:
        yield mongodb.unusable(error)
        return
    living = ", ".join(str(one) for one in found.watchers)
    if living:
        yield good(f"watchers alive: {len(found.watchers)} ({living})")
    else:
        yield bad("no watcher is alive", START_WATCHER)
    if len(found.watchers) == 1:
        yield doubtful("nobody takes over if this watcher's host dies", "start a second one on another host")
    if found.dispatched_by:
        yield good(f"work is handed to the broker by {found.dispatched_by}")
    else:
        yield bad("no watcher hands work to the broker: nobody holds the lease `dispatch`", START_WATCHER)


def examine_streams() -> Iterator[Finding]:
    """Look at the stream of each database that agents watch."""
    try:
        with sql.explained():
            databases = {agent.spec.watch.database for agent in registry.active_agents()}
        found = _surveyed(databases)
        with mongodb.client() as mongo:
            oplog = read_oplog(mongo)
    except sql.SqlUnusable as error:
        yield bad(f"streams are not known: {error.what}", error.remedy)
        return
    except PyMongoError as error:
        yield mongodb.unusable(error)
        return
    for view in found.streams:
        yield from _stream(view, oplog)


def examine_gaps() -> Iterator[Finding]:
    """Look at what agents have not seen."""
    try:
        with sql.explained():
            found = list(gaps.unsettled())
    except sql.SqlUnusable as error:
        yield bad(f"gaps are not known: {error.what}", error.remedy)
        return
    if not found:
        yield good("no agent has missed anything that is not settled")
    for gap in found:
        since = cluster_moment.shown(unpack_time(gap.since))
        what = f"{gap.agent_id} has not seen changes of {gap.database}.{gap.collection} since {since} UTC ({gap.kind})"
        if gap.status == GapStatus.BACKFILLING:
            yield good(f"{what}; backfill {str(gap.backfill_id)[:8]} works through them")
        elif gap.policy == HistoryPolicy.FAIL:
            yield bad(f"{what}, and is held until somebody decides", _close(gap.id))
        else:
            yield doubtful(what, _close(gap.id))


def _surveyed(databases: set[str] | tuple[str, ...]) -> Survey:
    with mongodb.client() as mongo:
        home = mongo.get_database(current().mongodb.database)
        return survey(home, current().mongodb.resume_tokens_collection, databases)


def _stream(view: StreamView, oplog: Oplog | None) -> Iterator[Finding]:
    name = view.unit.name
    trouble = view.trouble(current().watcher.unpolled_seconds)
    if view.paused:
        yield doubtful(f"stream {name} is paused", f"`mongoclaw streams resume {view.unit.database}`")
    elif trouble is not None:
        yield bad(f"stream {name}: {trouble}", _remedy(view))
    else:
        yield good(f"stream {name} is {view.state}, read by {view.watcher}{_lag(view)}")
    if oplog is None or view.position is None:
        return
    left = seconds_to_loss(oplog, view.position)
    if left == 0:
        yield bad(
            f"the oplog has dropped what follows the position of stream {name}",
            "start a watcher: it does what each agent's `watch.on_history_lost` says, and puts the gap on record",
        )
    elif left < min(SHORT_SECONDS, oplog.window / 2):
        yield bad(
            f"the oplog drops what follows the position of stream {name} in {moment.lasting(left)}",
            "let a watcher read it before, or enlarge the oplog with replSetResizeOplog",
        )


def _lag(view: StreamView) -> str:
    return "" if view.lag_seconds is None else f", {moment.lasting(view.lag_seconds)} behind"


def _remedy(view: StreamView) -> str:
    database = view.unit.database
    if view.state == UNWATCHED:
        return START_WATCHER
    if view.state == StreamState.REFUSED:
        return f"say where to begin: `mongoclaw streams set-position {database} --at TIME` (or --now)"
    if view.state == StreamState.BROKEN:
        return "it is tried again every 30 s; mend what the message says, or look into the watcher's log"
    return f"look into the log of watcher {view.watcher}; a restart gives the stream to another one"


def _close(gap_id: str) -> str:
    return f"`mongoclaw streams gaps close {gap_id[:8]} --backfill` (or --skip)"
