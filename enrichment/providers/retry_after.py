"""How long a provider asks to wait."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_SECONDS = 3600.0  # a longer wish is cut: an hour from now it is asked again


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the delay in seconds that `headers` ask for, at most an hour, or None if they name none.

    Names of headers are in lower case. A date is compared with the provider's own `Date`, where it sends one,
    so that a clock that differs from ours does no harm.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return _cap(milliseconds / 1000)
    text = headers.get("retry-after")
    if text is None:
        return None
    seconds = _number(text)
    if seconds is not None:
        return _cap(seconds)
    until = _date(text)
    if until is None:
        return None
    return _cap((until - (_date(headers.get("date", "")) or now)).total_seconds())


def _cap(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_SECONDS)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
