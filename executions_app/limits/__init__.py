"""Limits that hold for the whole fleet, kept in Redis: what may begin now, and what holds it up.

Nothing here is the truth. A limiter that forgets everything lets a burst through and no more; the ledger has the rows.
"""

from __future__ import annotations

from executions_app.limits.allowance import Allowance
from executions_app.limits.lessons import Lesson, lessons_of
from executions_app.limits.limiter import Limiter, LimiterUnavailable
from executions_app.limits.pauses import Pause, Pauses
from executions_app.limits.rules import Rules, most_of_a_call, rules_of
from executions_app.limits.verdict import Admitted, Refused, Spent

__all__ = [
    "Admitted",
    "Allowance",
    "Lesson",
    "Limiter",
    "LimiterUnavailable",
    "Pause",
    "Pauses",
    "Refused",
    "Rules",
    "Spent",
    "lessons_of",
    "most_of_a_call",
    "rules_of",
]
