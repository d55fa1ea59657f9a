"""`mongoclaw doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import click

from mongoclaw_project.cli import sql
from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.doctor import (
    agents,
    broker,
    clocks,
    collections,
    database,
    dispatch,
    installation,
    limits,
    mongodb,
    notifications,
    processes,
    queues,
    streams,
)
from mongoclaw_project.cli.doctor.finding import (
    Area,
    Examination,
    Finding,
    Level,
    as_json,
    examine,
    told,
    worst,
)
from mongoclaw_project.cli.live_line import LiveLine
from mongoclaw_project.cli.output import show


def examine_access() -> Iterator[Finding]:
    """Look at what MongoDB lets the agents do; without a readable ledger there are no agents to look at."""
    try:
        specs = agents.specs()
    except sql.SqlUnusable:
        return iter(())
    return mongodb.examine_access(specs)


@dataclass(frozen=True, slots=True)
class Visit:
    """An area, how it is examined, and the areas without which there is nothing to see in it."""

    name: str
    examination: Examination
    needs: tuple[str, ...] = ()


MONGODB, REDIS, BROKER, SQL = "MongoDB", "Redis", "Broker", "SQL database"
VISITS: Final = (
    Visit("Settings", installation.examine_settings),
    Visit(MONGODB, mongodb.examine_server),
    Visit(REDIS, broker.examine_server),
    Visit(BROKER, queues.examine_broker),
    Visit(SQL, database.examine_server),
    Visit("Workers", processes.examine_workers, needs=(SQL,)),
    Visit("Clocks", clocks.examine_clocks, needs=(MONGODB, SQL)),
    Visit("Watchers", streams.examine_watchers, needs=(MONGODB,)),
    Visit("Streams", streams.examine_streams, needs=(MONGODB, SQL)),
    Visit("Gaps", streams.examine_gaps, needs=(SQL,)),
    Visit("Agents", agents.examine_agents, needs=(SQL,)),
    Visit("Agents' access to MongoDB", examine_access, needs=(MONGODB, SQL)),
    Visit("Collections", collections.examine_collections, needs=(MONGODB, SQL)),
    Visit("Queue", queues.examine_queues, needs=(REDIS, BROKER, SQL)),
    Visit("Limits", limits.examine_limits, needs=(REDIS,)),
    Visit("Dispatch", dispatch.examine_holds, needs=(SQL,)),
    Visit("Notifications", notifications.examine_notifications, needs=(SQL,)),
    Visit("Work", processes.examine_work, needs=(SQL,)),
)


@click.command(cls=Command)
@click.pass_context
def doctor(context: click.Context) -> None:
    """Look for what keeps MongoClaw from working, and say how to mend it.

    Changes nothing. Exits with 1 if something fails.
    """
    areas = _visited()
    verdict = worst(area.level for area in areas)
    unseen = [visit.name for visit in VISITS if visit.name not in {area.name for area in areas}]
    data = {
        "verdict": verdict.value,
        "findings": [line for area in areas for line in as_json(area)],
        "not_examined": unseen,
    }
    lines = [line for area in areas if area.findings for line in told(area)]
    show(data, text="\n".join([*lines, "", *_summary(areas, unseen)]))
    context.exit(1 if verdict is Level.FAIL else 0)


def _visited() -> list[Area]:
    """Examine all areas but those that would only repeat what another one lacks."""
    seen: dict[str, Area] = {}
    with LiveLine() as line:
        for visit in VISITS:
            if all(need in seen and seen[need].level is not Level.FAIL for need in visit.needs):
                line.tell(f"Examining {visit.name} …")
                seen[visit.name] = examine(visit.name, visit.examination)
    return list(seen.values())


def _summary(areas: list[Area], unseen: list[str]) -> Iterator[str]:
    levels = [finding.level for area in areas for finding in area.findings]
    fails, warns = levels.count(Level.FAIL), levels.count(Level.WARN)
    yield f"Problems: {fails}. Warnings: {warns}." if fails or warns else "All is well."
    if unseen:
        yield f"Not examined until the problems above are mended: {', '.join(unseen)}."
