"""`mongoclaw streams pause`, `resume` and `partition`."""

from __future__ import annotations

import click

from mongoclaw_project.cli import moment
from mongoclaw_project.cli.output import done, note
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.streams.server import Server, mongodb, require_known
from watcher.leading.control import MOST_PARTS
from watcher.observing.oplog import read_oplog, seconds_to_loss
from watcher.reading.cluster import look_at
from watcher.reading.position import PositionRefused

_DATABASE = click.argument("database", metavar="DATABASE")


@click.command(cls=SqlCommand)
@_DATABASE
def pause(database: str) -> None:
    """Stop reading a database. What is on record already goes on; the oplog goes on ageing."""
    with mongodb() as server:
        require_known(server, database)
        server.controls.pause(database)
        left = _left(server, database)
    if left is not None:
        when = moment.lasting(left)
        note(
            f"Resume it before the oplog drops what follows its position: in {when}, if writes go on as now."
        )
    done(f"Paused the stream of {database}", database=database, paused=True)


def _left(server: Server, database: str) -> float | None:
    """How many seconds the oplog holds all that follows the position of a database; None if that is not known."""
    oplog = read_oplog(server.client)
    try:
        reached = server.positions.reached(database, look_at(server.client))
    except PositionRefused:
        return None
    return None if oplog is None or reached is None else seconds_to_loss(oplog, reached)


@click.command(cls=SqlCommand)
@_DATABASE
def resume(database: str) -> None:
    """Read a database on from where it was paused."""
    with mongodb() as server:
        require_known(server, database)
        server.controls.resume(database)
    done(f"Resumed the stream of {database}", database=database, paused=False)


@click.command(cls=SqlCommand)
@_DATABASE
@click.argument("parts", metavar="PARTS", type=click.IntRange(1, MOST_PARTS))
def partition(database: str, parts: int) -> None:
    """Read a database in PARTS parts, by the hash of `_id`, so that several watchers share it.

    Worth it only where one watcher is not quick enough: MongoDB reads its whole oplog once for each part.
    """
    with mongodb() as server:
        require_known(server, database)
        server.controls.divide(database, parts)
    done(
        f"The stream of {database} is read in {parts} part{'s' if parts > 1 else ''}",
        database=database,
        partitions=parts,
    )
