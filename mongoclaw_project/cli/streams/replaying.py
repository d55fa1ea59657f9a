"""`mongoclaw streams replay`."""

from __future__ import annotations

import click

from mongoclaw_project.cli import moment
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.live_line import LiveLine
from mongoclaw_project.cli.output import done
from mongoclaw_project.cli.progress import bar
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.streams.server import mongodb
from mongoclaw_project.cluster_moment import as_json, parse, parse_end, shown
from mongoclaw_project.stream_home import agents_of
from mongoclaw_project.stream_replay import chosen, new_id, replaying, span
from watcher.reading.replay import Range, Replayed


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
    agents = chosen(agents_of(database), database, agent_id)
    id_ = new_id()
    with mongodb() as server, LiveLine() as line:
        now = server.now()
        end = None if until is None else parse_end(until, now=now)
        wanted = span(server, database, parse(since, now=now), end)
        reached = Replayed(0, 0, wanted.start)
        for reached in replaying(server, agents, wanted, id_=id_):
            line.tell(_progress(reached, wanted))
    done(
        f"Read {reached.read} changes of {database} again; on record for agents: {reached.matched}",
        replay_id=id_,
        database=database,
        since=as_json(wanted.start),
        until=as_json(wanted.end),
        agents=[agent.agent_id for agent in agents],
        read=reached.read,
        matched=reached.matched,
    )


def _progress(reached: Replayed, wanted: Range) -> str:
    at = shown(reached.time)
    return f"{bar(reached.share(wanted))}  {at} UTC  read {reached.read:,}, on record {reached.matched:,}"
