"""Examining what holds model calls up."""

from __future__ import annotations

import time
from collections.abc import Iterator

from executions_app.limits import LimiterUnavailable
from executions_app.limits.pauses import Held
from executions_app.states import Reason, reason_meaning
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good
from mongoclaw_project.cli.limits import limiter


def examine_limits() -> Iterator[Finding]:
    """Name cool-downs, open circuits and quarantines."""
    try:
        with limiter() as asked:
            found = asked.pauses().in_force(monotonic=time.monotonic())
    except LimiterUnavailable as error:
        yield bad(f"{error}", "agents with limits wait until it answers; see Redis above")
        return
    if not found:
        yield good("nothing holds model calls up")
    for held in found:
        yield doubtful(
            f"{held.name}: {reason_meaning(held.reason) or held.reason} {held.seconds:,.0f} s are left",
            _remedy(held),
        )


def _remedy(held: Held) -> str:
    if held.reason == Reason.PROVIDER_QUOTA:
        return f"top the account up, then `mongoclaw limits lift {held.name}`"
    if held.reason == Reason.QUARANTINED:
        agent = held.name.removeprefix("agent:")
        return f"`mongoclaw executions list --agent {agent} --status failed` shows why"
    return f"wait, or `mongoclaw limits lift {held.name}`"
