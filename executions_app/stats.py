"""What operators ask: how many, how quick, why not, how dear; from the hourly tallies."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from agents_app.errors import AgentNotFound, Decision, MongoClawError
from agents_app.models import Agent
from executions_app import counting
from executions_app.models import HourTally
from executions_app.tally import Tally
from executions_app.tally_rows import tally_of

LONGEST: Final = timedelta(days=366)
"""The longest span that is added up."""

USUAL: Final = "24h"
FORMS: Final = "24h, 90m, 7d or 2026-11-21T02:15:00Z"
_SPAN: Final = re.compile(r"(\d{1,6})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}


class SpanInvalid(MongoClawError):
    """The text names no span of time."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "span_invalid"


class By(StrEnum):
    """What figures are told apart by."""

    AGENT = "agent"
    HOUR = "hour"


@dataclass(frozen=True, slots=True)
class Stats:
    """Sums since the beginning of an hour: of everything, and by agent or hour, in the order of these.

    Runs are counted that ended before `counted_until`; None before anything was counted.
    """

    since: datetime
    counted_until: datetime | None
    total: Tally
    parts: dict[str, Tally]


def since_of(text: str, *, now: datetime) -> datetime:
    """Read how far back figures go: a span before `now`, or a moment in ISO 8601 (UTC where no offset is given).

    Returns the beginning of the hour in which that is, as tallies are kept by the hour. Raises SpanInvalid.
    """
    text = text.strip()
    span = _SPAN.fullmatch(text)
    try:
        moment = now - timedelta(**{_UNITS[span[2]]: int(span[1])}) if span else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise SpanInvalid(f"'{text}' is no span of time; write {FORMS}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not timedelta() <= now - moment <= LONGEST:
        raise SpanInvalid(f"'{text}' is not within the last {LONGEST.days} days")
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


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
        parts[row.agent_id if by is By.AGENT else f"{row.hour:%Y-%m-%dT%H:%MZ}"].add(tally)
    return Stats(since, counting.counted_until(), total, dict(sorted(parts.items())))
