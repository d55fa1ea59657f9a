"""`mongoclaw retention`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import click

from executions_app import counting
from executions_app import retention as sweeping
from executions_app.models import Execution
from executions_app.retention import START, Keeping, Place
from mongoclaw_project.cli.live_line import LiveLine
from mongoclaw_project.cli.output import done, note, show
from mongoclaw_project.cli.sql import SqlGroup
from mongoclaw_project.config import current

OFF: Final = (
    "Nothing is deleted: set MONGOCLAW_RETENTION__EXECUTIONS_DAYS, MONGOCLAW_RETENTION__TEXTS_DAYS or "
    "MONGOCLAW_RETENTION__DEAD_LETTERS_DAYS."
)


@click.group(cls=SqlGroup)
def retention() -> None:
    """Show what is kept for how long, and delete what is old."""


@retention.command("show")
def show_() -> None:
    """Show what is kept for how long. The watcher that dispatches deletes what is older, a little at a time."""
    kept, oldest = current().retention, _oldest()
    until = counting.final_before()
    data = {**kept.model_dump(), "oldest_end": oldest, "deletable_before": until}
    lines = [
        f"Runs          {_days(kept.executions_days)}  (MONGOCLAW_RETENTION__EXECUTIONS_DAYS)",
        f"Prompts       {_days(kept.texts_days, otherwise='as long as the runs')}  (MONGOCLAW_RETENTION__TEXTS_DAYS)",
        f"Dead letters  {_days(kept.dead_letters_days)}  (MONGOCLAW_RETENTION__DEAD_LETTERS_DAYS)",
        f"Oldest end    {_moment(oldest)}",
    ]
    if until is None:
        lines.append(
            "Nothing is counted yet, so nothing is deleted: a watcher with the role `dispatch` counts."
        )
    show(data, text="\n".join(lines))


@retention.command("run")
@click.option("--dry-run", is_flag=True, help="Delete nothing; say what would be.")
def run_(*, dry_run: bool) -> None:
    """Delete now what is older than the settings keep it. May be cut off at any time, and run beside the watcher."""
    kept = Keeping.days(**current().retention.model_dump())
    if kept.shortest is None:
        note(OFF)
    if counting.final_before() is None:
        note("Nothing is counted yet, so nothing is deleted: a watcher with the role `dispatch` counts.")
    runs = dead_letters = texts = 0
    with LiveLine() as line:
        for swept in _swept(kept, dry_run=dry_run):
            runs, dead_letters, texts = (
                runs + swept.runs,
                dead_letters + swept.dead_letters,
                texts + swept.texts,
            )
            line.tell(f"{runs:,} runs, {dead_letters:,} dead letters, texts of {texts:,} calls")
    what = f"{runs:,} runs and {dead_letters:,} dead letters, erased the texts of {texts:,} model calls"
    sums: dict[str, Any] = {"runs": runs, "dead_letters": dead_letters, "texts": texts, "dry_run": dry_run}
    done(f"{'Would have deleted' if dry_run else 'Deleted'} {what}", **sums)


def _swept(kept: Keeping, *, dry_run: bool) -> Iterator[sweeping.Swept]:
    place: Place | None = START
    while place is not None:
        swept = sweeping.step(place, kept, now=datetime.now(UTC), dry_run=dry_run)
        yield swept
        place = swept.place
    while messages := sweeping.delete_messages(kept, now=datetime.now(UTC), dry_run=dry_run):
        yield sweeping.Swept(place=None, dead_letters=messages)
        if dry_run:
            return


def _oldest() -> datetime | None:
    ended = Execution.objects.filter(completed_at__isnull=False).order_by("completed_at", "id")
    return ended.values_list("completed_at", flat=True).first()


def _days(days: int | None, *, otherwise: str = "for ever") -> str:
    if days is None:
        return f"kept {otherwise}"
    return f"kept for {days} day{'' if days == 1 else 's'} after the end"


def _moment(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
