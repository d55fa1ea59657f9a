"""What operators ask: how many, how quick, why not, how dear; from the hourly tallies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from agents_app.errors import AgentNotFound, Decision, MongoClawError
from agents_app.models import Agent
from executions_app import counting
from executions_app.models import HourTally
from executions_app.moment import moment_of
from executions_app.tally import Tally
from executions_app.tally_rows import tally_of

LONGEST: Final = timedelta(days=366)
"""The longest span that is added up."""

USUAL: Final = "24h"


class SpanInvalid(MongoClawError):
    """No figures reach back to that moment."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "span_invalid"


class By(StrEnum):
    """What figures are told apart by."""

    AGENT = "agent"
    HOUR = "hour"
    REASON = "reason"


@dataclass(frozen=True, slots=True)
class Stats:
    """Sums since the beginning of an hour: of everything, and by agent or hour, in the order of these.

    The reasons of those that failed or were skipped are in the sum of everything.

    Runs are counted that ended before `counted_until`; None before anything was counted.
    """

    since: datetime
    counted_until: datetime | None
    total: Tally
    parts: dict[str, Tally]


def beginning(text: str, *, now: datetime) -> datetime:
    """Read how far back figures go, as `executions_app.moment` has it, to the beginning of that hour.

    Tallies are kept by the hour. Raises MomentInvalid, and SpanInvalid for what no figures reach back to.
    """
    return hour_of(moment_of(text, now=now), now=now)


def hour_of(moment: datetime, *, now: datetime) -> datetime:
    """Give the beginning of the hour from which figures are added up. Raises SpanInvalid."""
    if not timedelta() <= now - moment <= LONGEST:
        raise SpanInvalid(f"{moment:%Y-%m-%d %H:%M} UTC is not within the last {LONGEST.days} days")
    return moment.replace(minute=0, second=0, microsecond=0)


def gather(
    *,
    since: datetime,
    agent_id: str | None = None,
    by: By = By.AGENT,
    only: Collection[str] | None = None,
) -> Stats:
    """Add up the tallies since an hour, of all agents or of those among `only`.

    Raises AgentNotFound for an agent that there has never been, or that is not among them.
    """
    rows = HourTally.objects.filter(hour__gte=since).order_by("hour", "agent_id")
    if agent_id is not None:
        is_seen = only is None or agent_id in only
        if not is_seen or not Agent.objects.filter(id=agent_id).exists():
            raise AgentNotFound(agent_id=agent_id)
        rows = rows.filter(agent_id=agent_id)
    if only is not None:
        rows = rows.filter(agent_id__in=only)
    total, parts = Tally(), defaultdict[str, Tally](Tally)
    for row in rows.iterator():
        tally = tally_of(row)
        total.add(tally)
        if by is not By.REASON:
            parts[row.agent_id if by is By.AGENT else f"{row.hour:%Y-%m-%dT%H:%MZ}"].add(tally)
    return Stats(since, counting.counted_until(), total, dict(sorted(parts.items())))
