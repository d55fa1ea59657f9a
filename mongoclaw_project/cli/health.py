"""`mongoclaw health`."""

from __future__ import annotations

from typing import Final

import click

from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import FAILURE, SUCCESS, fail, show
from mongoclaw_project.health.component import Component, check
from mongoclaw_project.health.probes import all_probes

COMPONENTS: Final = ("mongodb", "redis", "broker", "database", "watcher", "workers", "streams")


@click.command(cls=Command)
@click.option("-c", "--component", "only", type=click.Choice(COMPONENTS))
@click.pass_context
def health(context: click.Context, only: str | None) -> None:
    """Ask whether servers answer, a watcher and a worker live, and streams are read.

    The same as the web server's `/health/ready`. Exits with 1 if something does not work.
    """
    components = check(probe for probe in all_probes() if only in (None, probe.name))
    if not components:
        fail("There is no broker beside Redis: MONGOCLAW_BROKER__URL is empty")
    show(
        {component.name: component.as_json() for component in components},
        text="\n".join(_line(component) for component in components),
    )
    context.exit(0 if all(component.is_healthy for component in components) else 1)


def _line(component: Component) -> str:
    if component.is_healthy:
        return f"{SUCCESS} {component.name}: healthy"
    return f"{FAILURE} {component.name}: unhealthy - {component.error}"
