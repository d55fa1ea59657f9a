"""Following a backfill until its end, with a bar on a terminal and a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Final

import click
from pymongo.errors import PyMongoError

from executions_app import backfills
from executions_app.backfill_wire import backfill_json
from executions_app.backfills import ACTIVE, Progress, progress_of
from executions_app.models import Backfill, BackfillStatus
from mongoclaw_project.cli.doctor.mongodb import client
from mongoclaw_project.cli.live_line import LiveLine
from mongoclaw_project.cli.output import FAILURE, SUCCESS, note, show
from mongoclaw_project.cli.progress import Rate, bar, left_text, rate_text
from mongoclaw_project.config import current

LOOK_SECONDS: Final = 0.5
LINE_SECONDS: Final = 5.0
"""How often a line is printed where there is no terminal to draw on."""

PATIENCE_SECONDS: Final = 5.0
"""A watcher that has just been started has its lease by then."""

NO_WATCHER: Final = (
    "No watcher runs to take it up; it waits until one does: start `python -m watcher`, or `mongoclaw dev`."
)
_INTERRUPTED: Final = 130


def somebody_takes_it_up() -> bool:
    """Whether a watcher holds the lease for backfills, by MongoDB's clock, or does so soon."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        with client() as mongo:
            leases = mongo.get_database(current().mongodb.database).get_collection("leases")
            live = {"_id": "backfill", "holder": {"$ne": None}, "$expr": {"$gt": ["$expires_at", "$$NOW"]}}
            while leases.find_one(live) is None:
                if time.monotonic() > deadline:
                    return False
                time.sleep(LOOK_SECONDS)
    except PyMongoError:
        return False
    return True


def follow(context: click.Context, backfill: Backfill) -> None:
    """Show how far a backfill is until it ends or pauses. Exits with 1 if it failed.

    Ctrl-C ends the showing, not the backfill.
    """
    name = backfill.id[:8]
    try:
        _watch(backfill)
    except KeyboardInterrupt:
        note(f"Backfill {name} goes on. `mongoclaw backfills follow {name}` shows it again,")
        note(f"`mongoclaw backfills cancel {name}` ends it.")
        context.exit(_INTERRUPTED)
    failed = backfill.status == BackfillStatus.FAILED
    sums = progress_of([backfill.id])[backfill.id]
    text = f"{FAILURE if failed else SUCCESS} Backfill {name} {backfill.status}: {counted(sums)}"
    show(backfill_json(backfill), text=f"{text}\n{backfill.error}".rstrip())
    context.exit(1 if failed else 0)


def counted(sums: Progress) -> str:
    """Say in words what a backfill has done."""
    return f"{sums.read:,} read, {sums.recorded:,} put on record, {sums.current:,} up to date and left out"


def _watch(backfill: Backfill) -> None:
    rate = Rate()
    with LiveLine(every=LINE_SECONDS) as line:
        while True:
            backfill.refresh_from_db()
            sums = progress_of([backfill.id])[backfill.id]
            rate.look(sums.read, monotonic=time.monotonic())
            line.tell(_line(backfill, sums, rate))
            if backfill.status not in ACTIVE or backfill.status == BackfillStatus.PAUSED:
                return
            time.sleep(LOOK_SECONDS)


def _line(backfill: Backfill, sums: Progress, rate: Rate) -> str:
    waits = backfills.waits_for(backfill, backfill.agent)
    if waits:
        return f"{backfill.status}, waits for {waits}"
    parts = (
        bar(sums.share(backfill)),
        f"{sums.read:,} read, {sums.recorded:,} on record",
        rate_text(rate.per_second),
        left_text(backfill.estimate, sums.read, rate.per_second),
    )
    return "  ".join(parts)
