"""Moments as people type them on the command line, and durations as they read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import click

from executions_app import moment
from executions_app.moment import MomentInvalid
from mongoclaw_project.cluster_moment import parse


def lasting(seconds: float | None) -> str | None:
    """Write a duration in its two largest units: `3 h 20 min`."""
    if seconds is None:
        return None
    whole = round(seconds)
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    parts = ((whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    largest = next(index for index, (number, _) in enumerate(parts) if number)
    told = [f"{number} {unit}" for number, unit in parts[largest : largest + 2] if number]
    return " ".join(told)


class Moment(click.ParamType[str]):
    """A moment on the command line, cluster times too; it is read once the server's time is known."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse at once what can be no moment."""
        try:
            parse(str(value), now=datetime(2026, 1, 1, tzinfo=UTC))
        except MomentInvalid as error:
            self.fail(str(error), param, ctx)
        return str(value)


class _Since(click.ParamType[datetime]):
    """A moment on the command line by this host's clock."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it. Raises UsageError."""
        try:
            return (
                value if isinstance(value, datetime) else moment.moment_of(str(value), now=datetime.now(UTC))
            )
        except MomentInvalid as error:
            self.fail(str(error), param, ctx)


SINCE: Final = _Since()
