"""`mongoclaw streams set-position`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from bson import Timestamp

from agents_app.registry import ActiveAgent
from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.gaps import NewGap
from executions_app.identity import pack_time, unpack_time
from executions_app.models import GapKind
from mongoclaw_project.cli import moment
from mongoclaw_project.cli.output import done, fail, note
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.streams.server import Server, agents_of, mongodb, require_known
from watcher.reading import cluster
from watcher.reading.cluster import Cluster
from watcher.reading.event import time_of_token
from watcher.reading.position import PositionRefused


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which of the four ways to name a position was used."""

    at: str | None
    token: str | None
    now: bool
    beginning: bool


@click.command("set-position", cls=SqlCommand)
@click.argument("database", metavar="DATABASE")
@click.option(
    "--at", type=moment.Moment(), help="Begin at this time: 2026-11-21T02:15:00Z, -2h, or a cluster time."
)
@click.option("--token", metavar="TOKEN", help="Begin at the time of this resume token.")
@click.option("--now", "to_now", is_flag=True, help="Begin at the newest change.")
@click.option("--beginning-of-oplog", "beginning", is_flag=True, help="Begin at the oldest change there is.")
@click.option("-f", "--force", "-y", "--yes", "force", is_flag=True, help="Do not ask.")
def set_position(
    database: str, at: str | None, token: str | None, *, to_now: bool, beginning: bool, force: bool
) -> None:
    """Let a database's stream go on from another place.

    Going forward leaves changes out: each agent gets a gap on record, which a backfill can close. Going back reads
    changes again: what is on record already is not done twice (`streams replay` does it again).
    """
    wanted = Wanted(at, token, to_now, beginning)
    with mongodb() as server:
        require_known(server, database)
        here = cluster.look_at(server.client)
        target = _target(server, wanted, here)
        _refuse_outside(server, target, here)
        missed = list(_missed(server, database, target, here))
        _say(database, target, missed, force=force)
        recorded = [gaps.record(gap, now=_now()).id for gap in missed]
        moved = server.positions.place(database, time=target, token=None, cluster=here, now=_now())
        server.controls.renew(database)
    done(
        f"The stream of {database} goes on from {moment.shown(target)} UTC",
        database=database,
        position=moment.as_json(target),
        positions=moved,
        gaps=recorded,
    )


def _target(server: Server, wanted: Wanted, here: Cluster) -> Timestamp:
    if sum((wanted.at is not None, wanted.token is not None, wanted.now, wanted.beginning)) != 1:
        raise click.UsageError("Give one of --at, --token, --now and --beginning-of-oplog")
    if wanted.at is not None:
        return moment.parse(wanted.at, now=server.now())
    if wanted.token is not None:
        try:
            return time_of_token(wanted.token)
        except ValueError:
            fail("--token is no resume token: copy the text of its `_data`, which begins with 82")
    if wanted.now:
        return here.time
    first = cluster.oldest_entry(server.client)
    if first is None:
        fail("The oplog cannot be read, by this user or through a mongos: name a time with --at")
    return first


def _refuse_outside(server: Server, target: Timestamp, here: Cluster) -> None:
    if target > here.time:
        fail(
            f"{moment.shown(target)} UTC lies in the future: the cluster's time is {moment.shown(here.time)}; "
            "--now begins at the newest change"
        )
    first = cluster.oldest_entry(server.client)
    if first is None:
        note("The oplog cannot be read, so nobody has looked whether it reaches back so far.")
    elif target < first:
        fail(
            f"The oplog reaches back to {moment.shown(first)} UTC only: --beginning-of-oplog begins there, and "
            "`mongoclaw backfill AGENT` works through documents whatever the oplog holds"
        )


def _missed(server: Server, database: str, target: Timestamp, here: Cluster) -> Iterator[NewGap]:
    """Say what each agent would not see: what lies between where it is and the target.

    An agent that a gap holds is where that gap ends, however far the stream is.
    """
    try:
        stored = server.positions.reached(database, here)
    except PositionRefused:
        stored = None  # nobody knows: then since the agent is enabled
    held = {agent_id: unpack_time(until) for agent_id, until in gaps.held_since().items()}
    for agent in agents_of(database):
        enabled = moment.beginning_of(agent.enabled_at)
        seen = [time for time in (stored, held.get(agent.agent_id)) if time is not None]
        since = max(enabled, min(seen)) if seen else enabled
        if since < target:
            yield _gap(agent, since, target)


def _gap(agent: ActiveAgent, since: Timestamp, until: Timestamp) -> NewGap:
    watch = agent.spec.watch
    return NewGap(
        agent_id=agent.agent_id,
        database=watch.database,
        collection=watch.collection,
        kind=GapKind.POSITION_SET,
        since=pack_time(since),
        until=pack_time(until),
        # Whoever sets a position has decided; nobody is held, and the gap stays open as a warning.
        policy=HistoryPolicy.SKIP,
        detail=f"{somebody()} set the stream's position",
    )


def _say(database: str, target: Timestamp, missed: list[NewGap], *, force: bool) -> None:
    if not missed:
        note("Changes that are on record already stay as they are; only what is missing is added.")
        return
    since = moment.shown(min(unpack_time(gap.since) for gap in missed))
    names = ", ".join(sorted(gap.agent_id for gap in missed))
    note(
        f"Changes of {database} from {since} to {moment.shown(target)} UTC will be left out for: {names}.\n"
        "Each gets a gap on record; `mongoclaw streams gaps close ID --backfill` works through what is there."
    )
    if not force:
        click.confirm("Go on?", abort=True, err=True)


def _now() -> datetime:
    return datetime.now(UTC)
