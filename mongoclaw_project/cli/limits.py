"""`mongoclaw limits`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from executions_app.limits import Limiter
from executions_app.limits.limiter import connect
from executions_app.limits.pauses import Held
from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.output import done, fail, show, table
from mongoclaw_project.config import current

HEADERS = ("Name", "Reason", "Asked again in")


@click.group()
def limits() -> None:
    """See what holds model calls up: cool-downs, open circuits, quarantines; and end it."""


@limits.command("list", cls=Command)
def list_() -> None:
    """List what holds calls up at present."""
    with limiter() as asked:
        found = asked.pauses().in_force(monotonic=time.monotonic())
    text = table(HEADERS, [_row(held) for held in found]) if found else "Nothing holds calls up."
    data = [{"name": held.name, "reason": held.reason, "seconds": round(held.seconds, 3)} for held in found]
    show({"pauses": data}, text=text)


@limits.command("lift", cls=Command)
@click.argument("name", metavar="NAME")
def lift(name: str) -> None:
    """End a pause by its name, such as `cooldown:openai` or `agent:support`, before its time."""
    with limiter() as asked:
        if not asked.lift(name):
            fail(f"Nothing of the name '{name}' holds calls up; `mongoclaw limits list` shows what does")
    done(f"Lifted {name}", name=name)


@contextmanager
def limiter() -> Iterator[Limiter]:
    """Ask the limiter as the workers do. Its methods raise LimiterUnavailable."""
    settings = current()
    redis = connect(settings.redis.url)
    try:
        yield Limiter(
            redis, lease_seconds=settings.worker.heartbeat_timeout_seconds, monotonic=time.monotonic
        )
    finally:
        redis.close()


def _row(held: Held) -> tuple[object, ...]:
    return (held.name, held.reason, f"{held.seconds:,.0f} s")
