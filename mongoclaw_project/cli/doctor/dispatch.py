"""Examining what somebody holds back."""

from __future__ import annotations

from collections.abc import Iterator

from executions_app import holds
from executions_app.hold_wire import words
from mongoclaw_project.cli.doctor.finding import Finding, doubtful, good


def examine_holds() -> Iterator[Finding]:
    """Name the holds in force."""
    holding = holds.in_force()
    if holding.overall is not None:
        yield doubtful(f"all agents are {words(holding.overall)}", "`mongoclaw dispatch resume`")
    for agent_id, hold in holding.agents.items():
        yield doubtful(
            f"agent '{agent_id}' is {words(hold)}", f"`mongoclaw dispatch resume --agent {agent_id}`"
        )
    if holding == holds.Holding():
        yield good("nobody has paused anything")
