"""Comparing clocks: this host's with those of MongoDB and of the SQL server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from django.db import connection
from pymongo.errors import PyMongoError

from mongoclaw_project.cli import sql
from mongoclaw_project.cli.doctor import mongodb
from mongoclaw_project.cli.doctor.finding import Finding, bad, doubtful, good

NOTICEABLE: Final = 1.0
TOO_MUCH: Final = 4.0
"""Seconds. An event may be 5 s older than the moment when its agent was enabled; that is what clocks may differ."""

_REMEDY: Final = (
    "let NTP set both hosts' clocks (`timedatectl` says whether it does), then enable agents anew"
)


def examine_clocks() -> Iterator[Finding]:
    """Ask each server for its time. The way there and back is halved, so that a slow network is no offset."""
    try:
        with mongodb.client() as mongo:
            mongo.admin.command("ping")
            yield judged("MongoDB", offset(lambda: mongo.admin.command("hello")["localTime"]))
    except PyMongoError as error:
        yield mongodb.unusable(error)
    if connection.vendor == "sqlite":
        return
    try:
        with sql.explained(), connection.cursor() as cursor:

            def ask() -> datetime:
                cursor.execute("SELECT clock_timestamp() AT TIME ZONE 'UTC'")
                moment: datetime = cursor.fetchone()[0]
                return moment

            ask()
            yield judged("PostgreSQL", offset(ask))
    except sql.SqlUnusable as error:
        yield bad(error.what, error.remedy)


def offset(ask: Callable[[], datetime], *, clock: Callable[[], float] = time.time) -> float:
    """By how many seconds a server's clock is ahead of this host's. Its answer is in UTC."""
    before = clock()
    answer = ask()
    after = clock()
    there = (answer.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001  # UTC, as said
    return there - (before + after) / 2


def judged(name: str, seconds: float) -> Finding:
    """Say what an offset means."""
    if abs(seconds) < NOTICEABLE:
        return good(f"the clock of {name} agrees with this host's")
    way = "ahead of" if seconds > 0 else "behind"
    found = f"the clock of {name} is {abs(seconds):.1f} s {way} this host's"
    if abs(seconds) < TOO_MUCH:
        return doubtful(found, _REMEDY)
    return bad(f"{found}: an agent that is enabled here may miss changes, or see earlier ones", _REMEDY)
