"""When a run ended, for the record: never before a time up to which ends have been counted (ADR 0021)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import DateTimeField
from django.db.models.expressions import RawSQL

# Written out, because building it costs the ORM as much as the look at one row costs the database.
_LATER: Final = {
    "sqlite": "MAX(%s, COALESCE((SELECT closing FROM executions_app_tallycursor WHERE id = 1), ''))",
    "postgresql": "GREATEST(%s, (SELECT closing FROM executions_app_tallycursor WHERE id = 1))",
}


def ended_at(now: datetime) -> RawSQL:
    """Return what every transition to an end writes into `completed_at`: `now`, or the announced time if it is later.

    So a worker whose clock is slow, or whose ledger was away while it tried, ends its run in an hour still open.
    """
    moment = connection.ops.adapt_datetimefield_value(now)
    return RawSQL(end_mark(), (moment,), output_field=DateTimeField())  # noqa: S611  # a constant


def end_mark() -> str:
    """Return the same for a statement that is written out: what stands in place of the moment's `%s`."""
    return _LATER[connection.vendor]
