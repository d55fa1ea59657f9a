"""`mongoclaw streams replay`."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime

import click

from agents_app.publish import mark_health
from agents_app.registry import ActiveAgent
from executions_app.routes import Routes
from mongoclaw_project.cli import moment
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.live_line import LiveLine
from mongoclaw_project.cli.output import done, fail
from mongoclaw_project.cli.progress import bar
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.streams.server import Server, agents_of, mongodb
from mongoclaw_project.config import current
from watcher.reading import cluster
from watcher.reading.replay import Range, Replayed
from watcher.reading.replay import replay as read_again
from watcher.recording.ingest import Ingest
from watcher.recording.pressure import Pressure, PressurePolicy
from watcher.sending.publisher import Publisher
from watcher.sending.windows import Windows


@click.command(cls=SqlCommand)
@click.argument("database", metavar="DATABASE")
@click.option(
    "--from",
    "since",
    type=moment.Moment(),
    required=True,
    help="The first change: 2026-11-21T02:15:00Z, -2h, or a cluster time.",
)
@click.option("--to", "until", type=moment.Moment(), help="The last change; without it, the newest.")
@click.option("--agent", "agent_id", type=AGENT_ID, metavar="ID", help="For this agent only.")
def replay(database: str, since: str, until: str | None, agent_id: str | None) -> None:
    """Read a range of changes again and run the agents on them, even where they have run before.

    Changes from before an agent was enabled count too. Where a document's input is unchanged, no model is called.
    """
    agents = _chosen(database, agent_id)
    id_ = uuid.uuid4().hex[:12]
    with mongodb() as server, LiveLine() as line:
        wanted = _range(server, database, since, until)
        reached = Replayed(0, 0, wanted.start)
        for reached in read_again(
            server.client, agents, wanted, id_=id_, ingest=_ingest(), unhealthy=_unhealthy
        ):
            line.tell(_progress(reached, wanted))
    done(
        f"Read {reached.read} changes of {database} again; on record for agents: {reached.matched}",
        replay_id=id_,
        database=database,
        since=moment.as_json(wanted.start),
        until=moment.as_json(wanted.end),
        agents=[agent.agent_id for agent in agents],
        read=reached.read,
        matched=reached.matched,
    )


def _chosen(database: str, agent_id: str | None) -> list[ActiveAgent]:
    here = agents_of(database)
    if agent_id is not None and agent_id not in {agent.agent_id for agent in here}:
        fail(
            f"No agent '{agent_id}' at work watches database '{database}'; "
            f"`mongoclaw streams show {database}` names those that do"
        )
    if not here:
        fail(
            f"No agent at work watches database '{database}'; `mongoclaw streams list` shows those that are watched"
        )
    return [agent for agent in here if agent_id in (None, agent.agent_id)]


def _range(server: Server, database: str, since: str, until: str | None) -> Range:
    here = cluster.time_of(server.client)
    start = moment.parse(since, now=server.now())
    end = here if until is None else min(moment.parse_end(until, now=server.now()), here)
    if start >= end:
        fail(
            f"There is nothing from {moment.shown(start)} to {moment.shown(end)} UTC: --from must come first"
        )
    first = cluster.oldest_entry(server.client)
    if first is not None and start < first:
        fail(
            f"The oplog reaches back to {moment.shown(first)} UTC only: give a later --from, or "
            "`mongoclaw backfill AGENT`, which works through documents whatever the oplog holds"
        )
    return Range(database=database, start=start, end=end)


def _ingest() -> Ingest:
    from mongoclaw_project.celery import app

    # No room in the broker: dispatch sends the rows when their turn has come.
    return Ingest(
        Publisher(app, Routes(current(), monotonic=time.monotonic)),
        windows=Windows(0, 1.0),
        pressure=Pressure(PressurePolicy(), time.monotonic),
        unhealthy=_unhealthy,
        now=_now,
        monotonic=time.monotonic,
    )


def _unhealthy(agent_id: str, reason: str) -> None:
    mark_health(agent_id, "unhealthy", reason)


def _now() -> datetime:
    return datetime.now(UTC)


def _progress(reached: Replayed, wanted: Range) -> str:
    at = moment.shown(reached.time)
    return f"{bar(reached.share(wanted))}  {at} UTC  read {reached.read:,}, on record {reached.matched:,}"
