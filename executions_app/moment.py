"""Moments as people write them, on the command line and in queries alike."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from agents_app.errors import Decision, MongoClawError

FORMS: Final = "24h, -2h30m, 7d or 2026-11-21T02:15:00Z"
"""What is understood; the first three are before now."""

_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_AGO: Final = re.compile(r"-?(?:\d{1,12}[dhms])+", re.ASCII)
_PIECE: Final = re.compile(r"(\d+)([dhms])", re.ASCII)


class MomentInvalid(MongoClawError):
    """The text names no moment."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "moment_invalid"


def moment_of(text: str, *, now: datetime) -> datetime:
    """Read a moment: a span before `now`, with or without a minus, or ISO 8601 (UTC where no offset is given).

    Raises MomentInvalid with what is understood.
    """
    text = text.strip()
    try:
        if _AGO.fullmatch(text):
            return now - _span(text)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise MomentInvalid(f"'{text}' is before all times; write {FORMS}") from None
    except ValueError:
        raise MomentInvalid(f"'{text}' is no moment; write {FORMS}") from None


def _span(text: str) -> timedelta:
    span = timedelta()
    for number, unit in _PIECE.findall(text):
        span += timedelta(**{_UNITS[unit]: int(number)})
    return span
