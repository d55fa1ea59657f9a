"""`mongoclaw dispatch`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from executions_app import holds
from executions_app.hold_wire import holding_json, told
from mongoclaw_project.cli.agent_id import AGENT_ID
from mongoclaw_project.cli.output import done, note, show
from mongoclaw_project.cli.person import somebody
from mongoclaw_project.cli.sql import SqlGroup

_AGENT = click.option(
    "--agent", "agent_id", type=AGENT_ID, metavar="ID", help="Only this agent. [default: all agents]"
)


@click.group(cls=SqlGroup)
def dispatch() -> None:
    """Pause runs, of one agent or of all, and let them go on. Changes are put on record meanwhile."""


@dispatch.command()
@_AGENT
@click.option("--reason", default="", metavar="TEXT", help="Why, for those who find it paused.")
def pause(agent_id: str | None, reason: str) -> None:
    """Start nothing new, within a second. Runs in the air finish; what waits burns no attempt."""
    hold = holds.pause(agent_id or holds.ALL, by=somebody(), why=reason, now=datetime.now(UTC))
    done(f"Paused {_name(agent_id)}", agent_id=agent_id, paused=True, by=hold.by, at=hold.at)


@dispatch.command()
@_AGENT
def resume(agent_id: str | None) -> None:
    """Let runs go on, in their fair turns."""
    lifted = holds.resume(agent_id or holds.ALL, by=somebody(), now=datetime.now(UTC))
    message = (
        f"Resumed {_name(agent_id)}" if lifted else f"{_name(agent_id).capitalize()} had no pause to end"
    )
    done(message, agent_id=agent_id, resumed=lifted)
    for line in told(holds.in_force()):
        note(line)


@dispatch.command()
def status() -> None:
    """Say what is paused, by whom and why."""
    holding = holds.in_force()
    show(holding_json(holding), text="\n".join(told(holding)) or "Nothing is paused.")


def _name(agent_id: str | None) -> str:
    return f"agent '{agent_id}'" if agent_id else "all agents"
