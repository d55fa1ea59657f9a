"""`mongoclaw test connection`."""

from __future__ import annotations

import click

from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.doctor import broker, database, mongodb
from mongoclaw_project.cli.doctor.finding import SIGNS, Area, Level, as_json, examine, worst
from mongoclaw_project.cli.output import show


@click.command(cls=Command)
@click.pass_context
def connection(context: click.Context) -> None:
    """Ask MongoDB, Redis and the SQL database whether they serve MongoClaw.

    Exits with 1 if one of them does not.
    """
    areas = [
        examine("MongoDB", mongodb.examine_server),
        examine("Redis", broker.examine_server),
        examine("SQL database", database.examine_server),
    ]
    data = {area.name: {"level": area.level.value, "findings": as_json(area)} for area in areas}
    show(data, text="\n".join(_line(area) for area in areas))
    context.exit(1 if worst(area.level for area in areas) is Level.FAIL else 0)


def _line(area: Area) -> str:
    """The worst finding; of equals the first, which says what answers."""
    finding = next(found for found in area.findings if found.level is area.level)
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"{SIGNS[finding.level]} {area.name}: {finding.message}{remedy}"
