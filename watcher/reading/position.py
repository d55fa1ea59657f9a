"""How far a unit's stream is on record, and what makes a stored position unusable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any, ClassVar, Final

from bson import Timestamp

from agents_app.errors import Decision, MongoClawError
from executions_app.fence import Term
from watcher.reading.cluster import Cluster
from watcher.reading.event import time_of_token
from watcher.unit import Unit

EVERYBODY: Final = "*"
"""The name in `covers` under which an operator's position covers whoever was enabled when it was set."""

HELD_FROM: Final = "@"
"""Stands in a coverage before the cluster time from which a held agent has to go on."""

AHEAD_SECONDS: Final = 5
"""A position may be so much ahead of the time that a primary gives; more is another history."""


class PositionRefused(MongoClawError):
    """The stored position of a stream cannot be used."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "position_refused"

    def __init__(self, name: str, fault: str) -> None:
        database = name.partition("#")[0]
        super().__init__(
            f"the stored position of stream {name} {fault}: say where to begin with "
            f"`mongoclaw streams set-position {database} --now` (or `--at` a time), and close the gap with a backfill",
            stream=name,
        )


class PositionCorrupt(PositionRefused):
    """The stored position is damaged."""

    code = "position_corrupt"


class PositionForeign(PositionRefused):
    """The stored position belongs to another cluster."""

    code = "position_foreign"


class PositionAhead(PositionRefused):
    """The stored position lies in the cluster's future."""

    code = "position_ahead"


class PositionMoved(MongoClawError):
    """An operator has set the position anew; the stream goes on from there."""

    decision = Decision.RETRY
    code = "position_moved"


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to here is in the ledger, for the agents in `covers` (see `watcher.reading.starting`).

    `pipeline` names the pipeline that the token is good for. Without a token a stream begins at the time.
    """

    token: str | None
    time: Timestamp
    pipeline: str
    covers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Stored:
    """A position as it was found. `generation` grows whenever an operator sets it; 0 where there is none."""

    position: Position | None
    generation: int


@dataclass(frozen=True, slots=True)
class Mandate:
    """Under what a reader writes its unit's position."""

    unit: Unit
    layout: int
    term: Term
    cluster: Cluster
    generation: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored position that was found sound, and whose it is."""

    unit: Unit
    layout: int
    generation: int
    position: Position

    @classmethod
    def read(cls, found: Mapping[str, Any], cluster: Cluster) -> Entry:
        """Read a stored document.

        Raises PositionRefused if it is damaged, of another cluster, or in the future of this one.
        """
        name = str(found["_id"])
        if not is_readable(found):
            raise PositionCorrupt(name, "is damaged")
        if found["cluster"] is not None and cluster.id is not None and found["cluster"] != cluster.id:
            raise PositionForeign(name, f"belongs to another cluster ({found['cluster']})")
        time: Timestamp = found["cluster_time"]
        if time.time > cluster.time.time + AHEAD_SECONDS:
            raise PositionAhead(
                name, f"is ahead of the cluster ({time.as_datetime()}), which was restored perhaps"
            )
        token = found["token"]["_data"] if found["token"] else None
        position = Position(token, time, found["pipeline"], found["covers"])
        return cls(_unit_of(name), found["layout"], found["generation"], position)


_UNIT: Final = re.compile(r"(?P<database>.+?)(?:#(?P<part>\d+)/(?P<of>\d+))?")


_TIME: Final = re.compile(r"[0-9a-f]{16}")


def _unit_of(name: str) -> Unit:
    parts = _UNIT.fullmatch(name)
    if parts is None:
        raise PositionCorrupt(name, "has no stream's name")
    return Unit(parts["database"], int(parts["part"] or 0), int(parts["of"] or 1))


_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "cluster_time": (Timestamp,),
    "pipeline": (str,),
    "covers": (Mapping,),
    "generation": (int,),
    "term": (int,),
    "layout": (int,),
    "cluster": (str, NoneType),
    "token": (Mapping, NoneType),
}


def is_readable(found: Mapping[str, Any]) -> bool:
    """Tell whether every field of a stored document is there and what it has to be."""
    if not all(name in found and isinstance(found[name], wanted) for name, wanted in _TYPES.items()):
        return False
    if not all(_is_coverage(*covered) for covered in found["covers"].items()):
        return False
    if found["token"] is None:
        return True
    try:
        return bool(time_of_token(found["token"]["_data"]) == found["cluster_time"])
    except (KeyError, TypeError, ValueError):
        return False


def _is_coverage(of: str, said: object) -> bool:
    """Tell whether the times in it can be read: an operator's, or the one from which a held agent goes on."""
    if not isinstance(said, str):
        return False
    if of != EVERYBODY:
        held_until = said.partition(HELD_FROM)[2]
        return not held_until or _TIME.fullmatch(held_until) is not None
    try:
        datetime.fromisoformat(said)
    except ValueError:
        return False
    return True


def earliest(entries: Sequence[Entry]) -> Position | None:
    """Go on where the part that was furthest behind goes on, for the agents that all parts cover alike.

    A layout whose parts have not all stored a position yet began itself where the one before it was.
    """
    needed = list(_newest_whole(entries))
    if not needed:
        return None
    first, *others = (entry.position.covers.items() for entry in needed)
    covers = dict(set(first).intersection(*others))
    return Position(None, min(entry.position.time for entry in needed), "", covers)


def _newest_whole(entries: Sequence[Entry]) -> Iterator[Entry]:
    for layout in sorted({entry.layout for entry in entries}, reverse=True):
        parts = [entry for entry in entries if entry.layout == layout]
        yield from parts
        if len(parts) == parts[0].unit.of:
            return
