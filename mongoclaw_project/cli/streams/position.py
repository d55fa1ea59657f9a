"""`mongoclaw streams set-position`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import click
from bson import Timestamp

from mongoclaw_project import cluster_moment, stream_position
from mongoclaw_project.cli import moment
from mongoclaw_project.cli.output import done, note
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.streams.server import mongodb
from mongoclaw_project.stream_home import Server, require_known
from mongoclaw_project.stream_position import Move


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
        move = stream_position.plan(server, database, _target(server, wanted), by=somebody())
        _say(move, force=force)
        moved = stream_position.carry_out(server, move, now=datetime.now(UTC))
    done(
        f"The stream of {database} goes on from {cluster_moment.shown(move.target)} UTC",
        database=database,
        position=cluster_moment.as_json(move.target),
        positions=moved.positions,
        gaps=list(moved.gaps),
    )


def _target(server: Server, wanted: Wanted) -> Timestamp:
    if sum((wanted.at is not None, wanted.token is not None, wanted.now, wanted.beginning)) != 1:
        raise click.UsageError("Give one of --at, --token, --now and --beginning-of-oplog")
    if wanted.at is not None:
        return cluster_moment.parse(wanted.at, now=server.now())
    if wanted.token is not None:
        return stream_position.of_token(wanted.token)
    return stream_position.newest(server) if wanted.now else stream_position.oldest(server)


def _say(move: Move, *, force: bool) -> None:
    if not move.is_checked:
        note("The oplog cannot be read, so nobody has looked whether it reaches back so far.")
    if not move.missed:
        note("Changes that are on record already stay as they are; only what is missing is added.")
        return
    note(
        f"{move.left_out}\n"
        "Each gets a gap on record; `mongoclaw streams gaps close ID --backfill` works through what is there."
    )
    if not force:
        click.confirm("Go on?", abort=True, err=True)
