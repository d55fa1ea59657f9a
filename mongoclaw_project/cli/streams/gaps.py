"""`mongoclaw streams gaps`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from executions_app import gaps as ledger
from executions_app.gap_wire import gap_json
from executions_app.identity import unpack_time
from executions_app.models import StreamGap
from mongoclaw_project import cluster_moment
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.output import done, show
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.cli.tables import Table

HEADERS = ("ID", "Agent", "Database", "Kind", "Status", "Policy", "From (UTC)", "To (UTC)")
ELASTIC = (1, 2)
_ID = click.argument("gap_id", metavar="ID")


@click.group(cls=SqlGroup)
def gaps() -> None:
    """List, show and close gaps: what agents have not seen."""


@gaps.command("list")
@click.option("--database", metavar="NAME", help="Only this database's.")
@click.option("--agent", "agent_id", type=AGENT_ID, metavar="ID", help="Only this agent's.")
@click.option("--all", "closed", is_flag=True, help="Closed ones too.")
def list_(database: str | None, agent_id: str | None, *, closed: bool) -> None:
    """List the gaps that are not closed, newest first."""
    found = list(ledger.listed(database=database, agent_id=agent_id, closed=closed))
    text = Table(HEADERS, [_row(gap) for gap in found], elastic=ELASTIC) if found else "No gaps."
    show({"gaps": [gap_json(gap) for gap in found], "total": len(found)}, text=text)


@gaps.command("show")
@_ID
def show_(gap_id: str) -> None:
    """Show a gap. The first characters of its id are enough; times are UTC."""
    gap = ledger.find(gap_id)
    show(gap_json(gap), text="\n".join(_told(gap)))


@gaps.command()
@_ID
@click.option("--skip", is_flag=True, help="Leave it at that: nothing is worked through.")
@click.option("--backfill", is_flag=True, help="Work through the agent's documents; that closes the gap.")
def close(gap_id: str, *, skip: bool, backfill: bool) -> None:
    """Close a gap. An agent that it holds goes on from the gap's end."""
    if skip == backfill:
        raise click.UsageError("Give either --skip or --backfill")
    gap = ledger.find(gap_id)
    now = datetime.now(UTC)
    if skip:
        gap = ledger.close(gap.id, by=somebody(), resolution="left out", now=now)
        done(f"Closed gap {gap.id[:8]} of {gap.agent_id}", **gap_json(gap))
        return
    gap = ledger.settle_by_backfill(gap.id, by=somebody(), now=now)
    done(f"Gap {gap.id[:8]} of {gap.agent_id} will be closed by backfill {gap.backfill_id}", **gap_json(gap))


def _row(gap: StreamGap) -> tuple[object, ...]:
    return (
        gap.id[:8],
        gap.agent_id,
        gap.database,
        gap.kind,
        gap.status,
        gap.policy,
        cluster_moment.shown(unpack_time(gap.since)),
        cluster_moment.shown(unpack_time(gap.until)),
    )


def _told(gap: StreamGap) -> Iterator[str]:
    code = f" (MongoDB error {gap.code})" if gap.code else ""
    yield f"Gap        {gap.id}"
    yield f"Agent      {gap.agent_id}, {gap.database}.{gap.collection}"
    yield f"Kind       {gap.kind}{code}"
    if gap.detail:
        yield f"           {gap.detail}"
    yield f"From       {cluster_moment.shown(unpack_time(gap.since))}"
    yield f"To         {cluster_moment.shown(unpack_time(gap.until))}"
    yield f"Status     {gap.status}, policy {gap.policy}"
    yield f"Detected   {gap.detected_at:%Y-%m-%d %H:%M:%S}"
    if gap.backfill_id:
        yield f"Backfill   {gap.backfill_id}"
    if gap.closed_at:
        yield f"Closed     {gap.closed_at:%Y-%m-%d %H:%M:%S} by {gap.closed_by}: {gap.resolution}"
