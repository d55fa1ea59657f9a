"""`mongoclaw stats`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import click

from executions_app import holds, live
from executions_app import stats as reading
from executions_app.hold_wire import holding_json, told
from executions_app.live import Live, PutOff
from executions_app.moment import FORMS
from executions_app.stats import By, SpanInvalid, Stats
from executions_app.stats_wire import live_json, quantiles, reasons, spent, stats_json
from executions_app.tally import Tally
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.moment import SINCE, lasting
from mongoclaw_project.cli.output import show
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.tables import Table

HEADERS: Final = ("Runs", "Done", "Skipped", "Failed", "p50", "p95", "p99", "In time", "Waited p95", "Calls")
SPENT: Final = ("Tokens", "Cost")
OLDEST_SHOWN: Final = 5


@click.command("stats", cls=SqlCommand)
@click.option("--agent", "agent_id", type=AGENT_ID, metavar="ID", help="Only this agent's.")
@click.option(
    "--since",
    type=SINCE,
    default=reading.USUAL,
    show_default=True,
    help=f"How far back, in whole hours: {FORMS}.",
)
@click.option(
    "--by",
    type=click.Choice([by.value for by in By]),
    default=By.AGENT.value,
    show_default=True,
    help="A line for each agent, hour (UTC), or reason of those that failed or were skipped.",
)
def stats(agent_id: str | None, since: datetime, by: str) -> None:
    """Show how many runs ended how, how quick they were, and what they cost.

    Latencies are those of completed runs, from the event on record to the end; "in time" is the share of them within
    MONGOCLAW_WORKER__LATENCY_SLO_MS. "Waited" is from due to claimed. Percentiles are estimates.
    """
    now, kind = datetime.now(UTC), By(by)
    try:
        beginning = reading.hour_of(since, now=now)
    except SpanInvalid as error:
        raise click.BadParameter(str(error), param_hint="--since") from None
    found = reading.gather(since=beginning, agent_id=agent_id, by=kind)
    waiting, later = live.look(now, agent_id=agent_id), live.put_off(now, agent_id=agent_id)
    lines = _reasons(found.total) if kind is By.REASON else _parts(found, kind)
    holding = holds.in_force()
    standing = [*told(holding), *_standing(waiting, later, now), _counted(found, now)]
    data = {
        **stats_json(found, by=kind),
        "live": live_json(waiting, later),
        "dispatch": holding_json(holding),
    }
    show(data, text=[*lines, "", *standing])


def _parts(found: Stats, by: By) -> Iterator[str | Table]:
    if not found.parts:
        yield f"No runs have ended since {found.since:%Y-%m-%d %H:%M} UTC."
        return
    rows = [(name, *_row(tally)) for name, tally in found.parts.items()]
    if len(rows) > 1:
        rows.append(("all", *_row(found.total)))
    yield Table((by.value.capitalize(), *HEADERS, *SPENT), rows, elastic=(0,))


def _row(tally: Tally) -> tuple[object, ...]:
    done = tally.ends["completed"]
    latency, waited = quantiles(tally.latency), quantiles(tally.waiting)
    return (
        f"{tally.ends.total():,}",
        f"{done:,}",
        f"{tally.ends['skipped']:,}",
        f"{tally.ends['failed']:,}",
        *(_lasting(latency[name]) for name in ("p50", "p95", "p99")),
        f"{tally.within_slo / done:.1%}" if done else None,
        _lasting(waited["p95"]),
        f"{tally.model_calls:,}",
        f"{tally.tokens:,}",
        spent(tally),
    )


def _reasons(tally: Tally) -> Iterator[str | Table]:
    rows = [(code, end, f"{runs:,}") for code, end, runs in reasons(tally)]
    yield Table(("Reason", "End", "Runs"), rows) if rows else "No run has failed or was skipped."


def _standing(waiting: Live, later: Mapping[str, PutOff], now: datetime) -> Iterator[str]:
    for agent, line in sorted(waiting.agents.items(), key=lambda pair: -pair[1].age_ms)[:OLDEST_SHOWN]:
        least = "at least " if line.at_least else ""
        yield f"Waiting    {agent}: {least}{line.due:,} due, the oldest for {_lasting(line.age_ms)}"
    for agent, off in sorted(later.items(), key=lambda pair: -pair[1].rows)[:OLDEST_SHOWN]:
        least, until = "at least " if off.at_least else "", lasting((off.next_due - now).total_seconds())
        yield f"Put off    {agent}: {least}{off.rows:,} not due yet, the first in {until}"
    if max(len(waiting.agents), len(later)) > OLDEST_SHOWN:
        yield "           … and other agents': `--agent` shows one, `--json` all"
    if waiting.queue_age_p95_ms is not None:
        yield f"At work    95 % of the runs at work had been due for {_lasting(waiting.queue_age_p95_ms)} or less"


def _counted(found: Stats, now: datetime) -> str:
    if found.counted_until is None:
        return "Counted    nothing yet: a watcher with the role `dispatch` counts, up to 40 s behind"
    ago = lasting((now - found.counted_until).total_seconds())
    return f"Counted    the last run that is counted ended {ago} ago"


def _lasting(milliseconds: float | None) -> str | None:
    return None if milliseconds is None else lasting(milliseconds / 1000)
