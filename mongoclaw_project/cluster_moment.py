"""Cluster times as people write them, and as they read them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from bson import Timestamp

from executions_app import moment
from executions_app.identity import unpack_time
from executions_app.moment import MomentInvalid

_PACKED: Final = re.compile(r"[0-9a-fA-F]{16}")
_PAIR: Final = re.compile(r"(?:Timestamp\()?\s*(\d{9,10})\s*[,:]\s*(\d{1,10})\s*\)?")
_MOST: Final = 2**32 - 1
FORMS: Final = f"{moment.FORMS}, or a cluster time such as 1795227300:1"


def parse(text: str, *, now: datetime) -> Timestamp:
    """Read a moment as everywhere (see `executions_app.moment`), or a cluster time.

    A cluster time is `seconds:increment`, `Timestamp(seconds, increment)`, or 16 hexadecimal digits. Raises
    MomentInvalid with what is understood.
    """
    exact = _cluster_time(text.strip())
    if exact is not None:
        return exact
    try:
        return beginning_of(moment.moment_of(text.strip(), now=now))
    except MomentInvalid as error:
        raise MomentInvalid(str(error).replace(moment.FORMS, FORMS)) from None


def parse_end(text: str, *, now: datetime) -> Timestamp:
    """Read a moment as the end of a range: all of its second belongs to it, unless it is an exact cluster time.

    Raises MomentInvalid.
    """
    time = parse(text, now=now)
    return time if _cluster_time(text.strip()) is not None else Timestamp(time.time, _MOST)


def _cluster_time(text: str) -> Timestamp | None:
    if _PACKED.fullmatch(text):
        return unpack_time(text)
    pair = _PAIR.fullmatch(text)
    if pair and max(int(pair[1]), int(pair[2])) <= _MOST:
        return Timestamp(int(pair[1]), int(pair[2]))
    return None


def beginning_of(at: datetime) -> Timestamp:
    """Give the first cluster time of a second. Raises MomentInvalid for one that no cluster has seen."""
    seconds = int(at.timestamp())
    if not 0 < seconds <= _MOST:
        raise MomentInvalid(f"{at:%Y-%m-%d} is no time of a cluster")
    return Timestamp(seconds, 1)


def shown(time: Timestamp | None) -> str | None:
    """Write a cluster time for people: to the second, in UTC."""
    return None if time is None else f"{time.as_datetime():%Y-%m-%d %H:%M:%S}"


def as_json(time: Timestamp | None) -> str | None:
    """Write a cluster time so that `parse` reads it back exactly."""
    return None if time is None else f"{time.time}:{time.inc}"
