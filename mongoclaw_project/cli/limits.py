"""`mongoclaw limits`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from agents_app import registry
from executions_app import holds
from executions_app.hold_wire import holding_json, told
from executions_app.limits import Limiter, LimiterUnavailable, rules_of
from executions_app.limits.limiter import connect
from executions_app.limits.pauses import Held
from executions_app.states import Reason
from mongoclaw_project.cli.command import Command
from mongoclaw_project.cli.info import place
from mongoclaw_project.cli.output import done, fail, show
from mongoclaw_project.cli.sql import SqlCommand
from mongoclaw_project.cli.tables import Table
from mongoclaw_project.config import current

HEADERS = ("Name", "Reason", "Asked again in")
OWN: Final = frozenset(
    {Reason.CONCURRENCY_LIMIT, Reason.AGENT_RATE_LIMIT, Reason.TOKEN_LIMIT, Reason.COST_LIMIT}
)
"""The reasons that are an agent's own limits."""


@click.group()
def limits() -> None:
    """See what holds model calls up: cool-downs, open circuits, quarantines; and end it."""


@limits.command("list", cls=SqlCommand)
def list_() -> None:
    """List what holds calls up at present, and the agents that have reached a limit of their own."""
    rules = [rules_of(agent.spec) for agent in registry.active_agents()]
    with limiter() as asked:
        found = asked.pauses().in_force(monotonic=time.monotonic())
        refused = asked.refusals([one for one in rules if one.is_bounded])
    reached = [Held(agent, why.reason, why.seconds) for agent, why in refused.items() if why.reason in OWN]
    lines: list[str | Table] = [
        Table(HEADERS, [_row(held) for held in found]) if found else "Nothing holds calls up."
    ]
    if reached:
        lines += ["", Table(("Agent at its limit", *HEADERS[1:]), [_row(held) for held in reached])]
    holding = holds.in_force()
    show(
        {
            "pauses": [_data(held) for held in found],
            "agents": [_data(held) for held in reached],
            "dispatch": holding_json(holding),
        },
        text=[*lines, *told(holding)],
    )


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
    """Ask the limiter as the workers do. Raises LimiterUnavailable, which names the address and the setting."""
    settings = current()
    redis = connect(settings.redis.url)
    try:
        yield Limiter(
            redis, lease_seconds=settings.worker.heartbeat_timeout_seconds, monotonic=time.monotonic
        )
    except LimiterUnavailable as error:
        where, why = place(settings.redis.url), error.details.get("error", "away")
        raise LimiterUnavailable(
            f"Redis, which keeps the limits, does not answer at {where} ({why}): start it there, or correct "
            "MONGOCLAW_REDIS__URL"
        ) from error
    finally:
        redis.close()


def _data(held: Held) -> dict[str, object]:
    return {"name": held.name, "reason": held.reason, "seconds": round(held.seconds, 3)}


def _row(held: Held) -> tuple[object, ...]:
    return (held.name, held.reason, f"{held.seconds:,.0f} s")
