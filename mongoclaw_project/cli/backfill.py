"""`mongoclaw backfill`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click

from executions_app import backfills
from executions_app.backfill_estimate import Estimate, estimate
from executions_app.backfill_wire import backfill_json, estimate_json
from executions_app.backfills import Wish
from executions_app.cost import cost_text
from executions_app.provider_config import provider_config
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.following import NO_WATCHER, follow, somebody_takes_it_up
from mongoclaw_project.cli.live_line import LiveLine
from mongoclaw_project.cli.output import done, note, show
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.rate import RATE
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.streams.server import mongodb


@click.command(cls=SqlCommand)
@click.argument("agent_id", type=AGENT_ID, metavar="AGENT")
@click.option(
    "--filter", "filter_text", metavar="JSON", help="Only documents that match this query too; Extended JSON."
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many documents.")
@click.option("--rate", type=RATE, metavar="N/s", help="At most so many documents a second.")
@click.option("--dry-run", is_flag=True, help="Count, sample and estimate tokens and cost; write nothing.")
@click.option("--no-wait", is_flag=True, help="Ask for it and leave.")
@click.pass_context
def backfill(
    context: click.Context,
    agent_id: str,
    filter_text: str | None,
    limit: int | None,
    rate: float | None,
    *,
    dry_run: bool,
    no_wait: bool,
) -> None:
    """Run an agent on documents that exist.

    A watcher puts them on record, in the order of their `_id`s and behind all changes; those whose answer is up
    to date are left out. This command shows how far that is; the backfill goes on without it.
    """
    query = backfills.read_filter(filter_text or "")
    asked = backfills.wish(agent_id, filter_=query, limit=limit, rate=rate)
    if dry_run:
        _dry_run(asked)
        return
    planned = backfills.ask(asked, by=somebody(), now=_now())
    if not no_wait and somebody_takes_it_up():
        follow(context, planned)
        return
    if not somebody_takes_it_up():
        note(NO_WATCHER)
    note(f"`mongoclaw backfills follow {planned.id[:8]}` shows how far it is.")
    done(f"Planned backfill {planned.id[:8]} of {agent_id}", **backfill_json(planned))


def _dry_run(asked: Wish) -> None:
    with mongodb() as server, LiveLine() as line:
        line.tell(f"Counting what {asked.agent_id} matches …")
        found = estimate(server.client, asked, provider_config(), now=_now)
    show(estimate_json(found), text="\n".join(_told(asked, found)))


def _told(asked: Wish, found: Estimate) -> Iterator[str]:
    sampled, answers = found.sampled, found.answers
    yield f"A backfill of {asked.agent_id} (nothing was written)"
    yield f"Documents  {found.documents:,} match, counted {found.counted}"
    yield f"Sample     {sampled.documents}: {sampled.current} up to date, to be left out"
    if sampled.broken:
        yield f"           {sampled.broken} whose prompt cannot be rendered: {sampled.fault}"
    yield f"Runs       about {found.runs:,}"
    yield f"Tokens     about {found.tokens:,}: {sampled.prompt_tokens:,} a prompt, counted on the high side,"
    yield f"           and {answers.tokens:,} an answer, {answers.basis}"
    cost = (
        "unknown: the model has no price here" if found.cost_nanousd is None else _about(found.cost_nanousd)
    )
    yield f"Cost       {cost}"
    if found.seconds is not None:
        yield f"Time       {timedelta(seconds=round(found.seconds))} at {asked.rate:g} documents a second"


def _about(nanousd: int) -> str:
    return f"about {cost_text(round(nanousd, -6))}, without repairs and retries"


def _now() -> datetime:
    return datetime.now(UTC)
