"""`mongoclaw health`."""

from __future__ import annotations

import click

from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import FAILURE, SUCCESS, show
from mongoclaw_project.health.component import Component, check
from mongoclaw_project.health.servers import probes


@click.command(cls=Command)
@click.option("-c", "--component", "only", type=click.Choice(["mongodb", "redis", "database"]))
@click.pass_context
def health(context: click.Context, only: str | None) -> None:
    """Ask MongoDB, Redis and the SQL database whether they answer.

    Exits with 1 if one of them does not.
    """
    components = check(probe for probe in probes() if only in (None, probe.name))
    show(
        {component.name: component.as_json() for component in components},
        text="\n".join(_line(component) for component in components),
    )
    context.exit(0 if all(component.is_healthy for component in components) else 1)


def _line(component: Component) -> str:
    if component.is_healthy:
        return f"{SUCCESS} {component.name}: healthy"
    return f"{FAILURE} {component.name}: unhealthy - {component.error}"
