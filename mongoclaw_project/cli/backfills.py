"""`mongoclaw backfills`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from executions_app import backfill_transitions
from executions_app import backfills as asking
from executions_app.backfill_wire import backfill_json, backfills_json
from executions_app.backfills import Progress, progress_of
from executions_app.models import Backfill, BackfillStatus
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.following import counted, follow
from mongoclaw_project.cli.output import done, show
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.progress import bar
from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.tables import Table

HEADERS = ("ID", "Agent", "Status", "Done", "Read", "On record", "Up to date", "Asked (UTC)", "By")
ELASTIC = (1, 8)
SHOWN_ID = 8


@click.group(cls=SqlGroup)
def backfills() -> None:
    """Look at backfills and steer them. The first characters of an id are enough."""


@backfills.command("list")
@click.option("--agent", "agent_id", type=AGENT_ID, metavar="ID", help="Only this agent's.")
@click.option("--status", type=click.Choice([one.value for one in BackfillStatus]), help="Only these.")
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=20, show_default=True, help="How many at most."
)
def list_(agent_id: str | None, status: str | None, limit: int) -> None:
    """List backfills, newest first."""
    found = list(asking.newest(agent_id=agent_id, status=status)[:limit])
    sums = progress_of([row.id for row in found])
    rows = [_row(row, sums[row.id]) for row in found]
    text = (
        Table(HEADERS, rows, elastic=ELASTIC)
        if rows
        else "No backfills: `mongoclaw backfill AGENT` asks for one."
    )
    show({"backfills": backfills_json(found), "limit": limit}, text=text)


@backfills.command("show")
@click.argument("backfill_id", metavar="ID")
def show_(backfill_id: str) -> None:
    """Show how far a backfill is, and what it was asked for."""
    found = asking.find(backfill_id)
    show(backfill_json(found), text="\n".join(_story(found, progress_of([found.id])[found.id])))


@backfills.command("follow")
@click.argument("backfill_id", metavar="ID")
@click.pass_context
def follow_(context: click.Context, backfill_id: str) -> None:
    """Show how far a backfill is until it ends or pauses. Exits with 1 if it failed."""
    follow(context, asking.find(backfill_id))


@backfills.command("pause")
@click.argument("backfill_id", metavar="ID")
def pause_(backfill_id: str) -> None:
    """Read no further until it is resumed. What is on record is worked off."""
    found = backfill_transitions.pause(asking.find(backfill_id).id, by=somebody())
    done(f"Paused backfill {found.id[:SHOWN_ID]}", **backfill_json(found))


@backfills.command("resume")
@click.argument("backfill_id", metavar="ID")
def resume_(backfill_id: str) -> None:
    """Go on where it was paused."""
    found = backfill_transitions.resume(asking.find(backfill_id).id, by=somebody())
    done(f"Resumed backfill {found.id[:SHOWN_ID]}", **backfill_json(found))


@backfills.command("cancel")
@click.argument("backfill_id", metavar="ID")
def cancel_(backfill_id: str) -> None:
    """End it for good, with the runs of it that wait and that no change has asked for since."""
    found = backfill_transitions.cancel(asking.find(backfill_id).id, by=somebody(), now=datetime.now(UTC))
    done(f"Cancelled backfill {found.id[:SHOWN_ID]}", **backfill_json(found))


def _row(backfill: Backfill, sums: Progress) -> tuple[object, ...]:
    share = sums.share(backfill)
    return (
        backfill.id[:SHOWN_ID],
        backfill.agent_id,
        backfill.status,
        None if share is None else f"{share:.0%}",
        f"{sums.read:,}",
        f"{sums.recorded:,}",
        f"{sums.current:,}",
        f"{backfill.created_at:%m-%d %H:%M:%S}",
        backfill.origin,
    )


def _story(backfill: Backfill, sums: Progress) -> Iterator[str]:
    yield f"Backfill   {backfill.id}"
    yield f"Agent      {backfill.agent_id}"
    yield f"Status     {backfill.status}"
    waits = asking.waits_for(backfill, backfill.agent)
    if waits:
        yield f"           It waits for {waits}."
    if backfill.error:
        yield f"Error      {backfill.error}"
    yield f"Progress   {bar(sums.share(backfill))}"
    yield f"           {counted(sums)}"
    yield f"           {sums.done} of {sums.ranges} ranges of keys are done"
    if backfill.filter:
        yield f"Filter     {backfill.filter}"
    if backfill.limit:
        yield f"Limit      {backfill.limit:,} documents"
    if backfill.rate:
        yield f"Rate       at most {backfill.rate:g} documents a second"
    yield f"Asked by   {backfill.origin}"
    moments = (("Asked", backfill.created_at), ("Started", backfill.started_at), ("Ended", backfill.ended_at))
    for name, at in moments:
        if at is not None:
            yield f"{name:<10} {at:%Y-%m-%d %H:%M:%S} UTC"
