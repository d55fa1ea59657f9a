"""`mongoclaw streams pause`, `resume` and `partition`."""

from __future__ import annotations

import click

from mongoclaw_project.cli import moment
from mongoclaw_project.cli.output import done, note
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.streams.server import mongodb
from mongoclaw_project.stream_home import require_known, seconds_until_lost
from watcher.leading.control import MOST_PARTS

_DATABASE = click.argument("database", metavar="DATABASE")


@click.command(cls=SqlCommand)
@_DATABASE
def pause(database: str) -> None:
    """Stop reading a database. What is on record already goes on; the oplog goes on ageing."""
    with mongodb() as server:
        require_known(server, database)
        server.controls.pause(database)
        left = seconds_until_lost(server, database)
    if left is not None:
        when = moment.lasting(left)
        note(
            f"Resume it before the oplog drops what follows its position: in {when}, if writes go on as now."
        )
    done(f"Paused the stream of {database}", database=database, paused=True)


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
