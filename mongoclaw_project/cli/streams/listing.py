"""`mongoclaw streams list` and `show`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import click

from executions_app import gaps
from mongoclaw_project import cluster_moment
from mongoclaw_project.cli import moment
from mongoclaw_project.cli.output import note, show
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.streams.server import mongodb
from mongoclaw_project.cli.tables import Table
from mongoclaw_project.config import current
from mongoclaw_project.stream_home import Server, agents_of, require_known, watched
from mongoclaw_project.stream_wire import database_json, stream_json, time_left, watching_json
from watcher.observing.oplog import Oplog, read_oplog
from watcher.observing.survey import StreamView, Survey, survey

HEADERS = ("Stream", "State", "Watcher", "Term", "Lag", "Position (UTC)", "Age", "Lost in", "Agents", "Gaps")
ELASTIC = (0, 2)


@click.command("list", cls=SqlCommand)
def list_() -> None:
    """List the streams: who reads each, how far it is, and what is wrong with it."""
    with mongodb() as server:
        found, oplog = _look(server, watched()), read_oplog(server.client)
    open_gaps = Counter(gaps.unsettled().values_list("database", flat=True))
    data = {
        "streams": [_described(view, oplog, open_gaps) for view in found.streams],
        "watchers": [{"host": one.host, "pid": one.pid, "roles": list(one.roles)} for one in found.watchers],
        "oplog_window_seconds": oplog.window if oplog else None,
    }
    rows = [_row(view, oplog, open_gaps) for view in found.streams]
    show(data, text=Table(HEADERS, rows, elastic=ELASTIC) if rows else "No agent watches anything.")
    for view in found.streams:
        trouble = view.trouble(current().watcher.unpolled_seconds)
        if trouble:
            note(f"{view.unit.name}: {trouble}")


@click.command("show", cls=SqlCommand)
@click.argument("database", metavar="DATABASE")
def show_(database: str) -> None:
    """Show all that is known of a database's stream."""
    with mongodb() as server:
        require_known(server, database)
        found, oplog = _look(server, {database}), read_oplog(server.client)
    held = gaps.held_since()
    agents = [watching_json(agent, held) for agent in agents_of(database)]
    open_gaps = list(gaps.listed(database=database))
    streams = [_described(view, oplog, Counter({database: len(open_gaps)})) for view in found.streams]
    data = database_json(
        database,
        found.controls.get(database),
        streams=streams,
        agents=agents,
        gaps=[gap.id for gap in open_gaps],
    )
    lines = [line for view in found.streams for line in _told(view, oplog)]
    lines += ["", "Agents"] + [f"  {_agent_line(agent)}" for agent in agents]
    lines += [] if agents else ["  none at work"]
    lines += ["", f"Gaps that are not closed: {len(open_gaps)}"]
    lines += [f"  {gap.id[:8]}  {gap.agent_id}  {gap.kind}  {gap.status}" for gap in open_gaps]
    show(data, text="\n".join(lines))


def _look(server: Server, databases: set[str]) -> Survey:
    return survey(server.home, current().mongodb.resume_tokens_collection, databases)


def _row(view: StreamView, oplog: Oplog | None, open_gaps: Counter[str]) -> tuple[object, ...]:
    return (
        view.unit.name,
        view.state,
        view.watcher or None,
        view.term,
        moment.lasting(view.lag_seconds),
        cluster_moment.shown(view.position),
        moment.lasting(view.position_age),
        moment.lasting(time_left(view, oplog)),
        len(agents_of(view.unit.database)),
        open_gaps[view.unit.database],
    )


def _described(view: StreamView, oplog: Oplog | None, open_gaps: Counter[str]) -> dict[str, Any]:
    agents = [agent.agent_id for agent in agents_of(view.unit.database)]
    return stream_json(view, oplog, open_gaps, agents)


def _told(view: StreamView, oplog: Oplog | None) -> Iterator[str]:
    yield f"Stream     {view.unit.name}"
    yield f"State      {view.state}" + (f": {view.detail}" if view.detail else "")
    trouble = view.trouble(current().watcher.unpolled_seconds)
    if trouble and view.detail not in trouble:
        yield f"           {trouble}"
    if view.watcher:
        yield f"Watcher    {view.watcher}, term {view.term}"
    lag = moment.lasting(view.lag_seconds)
    yield f"Lag        {lag if lag is not None else 'not known'}"
    if view.position is None:
        yield "Position   " + ("none yet" if view.position_readable else "cannot be read")
        return
    age = moment.lasting(view.position_age)
    yield f"Position   {cluster_moment.shown(view.position)} UTC ({cluster_moment.as_json(view.position)}), {age} ago"
    left = time_left(view, oplog)
    if left is None:
        yield "Oplog      not known: the user may not read database local, or this is a sharded cluster"
    else:
        yield f"Oplog      drops this position in {moment.lasting(left)} at the earliest"


def _agent_line(told: dict[str, Any]) -> str:
    held = ", held by a gap" if told["held"] else ""
    return f"{told['agent_id']}: {told['collection']}, on lost history {told['on_history_lost']}{held}"
