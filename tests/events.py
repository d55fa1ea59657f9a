"""Events for tests: each with what tests seldom care about."""

from __future__ import annotations

from typing import Any

from bson import Timestamp

from executions_app.ledger import NewExecution


def new_event(number: int, *, agent_id: str, version_id: int | None, **changes: Any) -> NewExecution:
    """Make the event of a number: with a token, a time and a place in the order of its own."""
    assert version_id is not None, "the agent is not published"
    values: dict[str, Any] = {
        "agent_id": agent_id,
        "version_id": version_id,
        "token": f"82{number:08X}",
        "database": "shop",
        "collection": "tickets",
        "key": number,
        "operation": "insert",
        "cascade": False,
        "event_time": Timestamp(number + 1, 1),
        "sequence": number,
        "priority": 0,
        "coalesce": True,
    }
    return NewExecution(**{**values, **changes})
