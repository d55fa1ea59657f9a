"""Letting a database's stream go on from another place: what that leaves out, and doing it.

Going forward leaves changes out: each agent gets a gap on record, which a backfill can close. Going back reads changes
again: what is on record already is not done twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from bson import Timestamp

from agents_app.errors import Decision, MongoClawError
from agents_app.registry import ActiveAgent
from agents_app.spec import HistoryPolicy
from executions_app import gaps
from executions_app.gaps import NewGap
from executions_app.identity import pack_time, unpack_time
from executions_app.models import GapKind
from mongoclaw_project.cluster_moment import beginning_of, shown
from mongoclaw_project.stream_home import Server, agents_of
from watcher.reading import cluster
from watcher.reading.cluster import Cluster
from watcher.reading.event import time_of_token
from watcher.reading.position import PositionRefused


class PositionOutside(MongoClawError):
    """A stream cannot go on from there: the oplog does not hold that moment."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "position_outside"


class TokenInvalid(MongoClawError):
    """The text is no resume token: copy that of its `_data`, which begins with 82."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "token_invalid"


class ChangesLeftOut(MongoClawError):
    """Agents would not see some changes: say `leave_out: true` if that is meant."""

    decision: ClassVar[Decision] = Decision.PERMANENT
    code: ClassVar[str] = "changes_left_out"


@dataclass(frozen=True, slots=True)
class Move:
    """Where a database's stream is to go on from, and what that leaves out for whom.

    `is_checked` says whether the oplog could be read, and so is known to reach back so far.
    """

    database: str
    target: Timestamp
    missed: tuple[NewGap, ...]
    here: Cluster
    is_checked: bool

    @property
    def left_out(self) -> str:
        """Say what is left out for whom; nothing if nothing is."""
        if not self.missed:
            return ""
        since = shown(min(unpack_time(gap.since) for gap in self.missed))
        names = ", ".join(sorted(gap.agent_id for gap in self.missed))
        span = f"from {since} to {shown(self.target)} UTC"
        return f"Changes of {self.database} {span} will be left out for: {names}."


@dataclass(frozen=True, slots=True)
class Moved:
    """How many positions were set, and the gaps that are on record for it."""

    positions: int
    gaps: tuple[str, ...]


def newest(server: Server) -> Timestamp:
    """Return the cluster's time. Raises pymongo's errors."""
    return cluster.time_of(server.client)


def oldest(server: Server) -> Timestamp:
    """Return the time of the oldest change that there is. Raises PositionOutside, and pymongo's errors."""
    first = cluster.oldest_entry(server.client)
    if first is None:
        raise PositionOutside(
            "The oplog cannot be read, by this user or through a mongos: name a time instead"
        )
    return first


def of_token(token: str) -> Timestamp:
    """Return the time of a resume token. Raises TokenInvalid."""
    try:
        return time_of_token(token)
    except ValueError:
        raise TokenInvalid from None


def plan(server: Server, database: str, target: Timestamp, *, by: str) -> Move:
    """Say what it means to go on from a time. Raises PositionOutside, and pymongo's errors."""
    here = cluster.look_at(server.client)
    if target > here.time:
        raise PositionOutside(
            f"{shown(target)} UTC lies in the future: the cluster's time is {shown(here.time)}"
        )
    first = cluster.oldest_entry(server.client)
    if first is not None and target < first:
        raise PositionOutside(
            f"The oplog reaches back to {shown(first)} UTC only; `mongoclaw backfill AGENT` works through documents "
            "whatever the oplog holds"
        )
    missed = tuple(_missed(server, database, target, here, by))
    return Move(database, target, missed, here, first is not None)


def carry_out(server: Server, move: Move, *, now: datetime) -> Moved:
    """Put on record what is left out, set the positions, and let the readers begin anew.

    Raises pymongo's and Django's errors. Cut off, it is asked for once more: the same gap is recorded once.
    """
    recorded = tuple(gaps.record(gap, now=now).id for gap in move.missed)
    moved = server.positions.place(move.database, time=move.target, token=None, cluster=move.here, now=now)
    server.controls.renew(move.database)
    return Moved(moved, recorded)


def _missed(server: Server, database: str, target: Timestamp, here: Cluster, by: str) -> Iterator[NewGap]:
    """Say what each agent would not see: what lies between where it is and the target.

    An agent that a gap holds is where that gap ends, however far the stream is.
    """
    try:
        stored = server.positions.reached(database, here)
    except PositionRefused:
        stored = None  # nobody knows: then since the agent is enabled
    held = {agent_id: unpack_time(until) for agent_id, until in gaps.held_since().items()}
    for agent in agents_of(database):
        enabled = beginning_of(agent.enabled_at)
        seen = [time for time in (stored, held.get(agent.agent_id)) if time is not None]
        since = max(enabled, min(seen)) if seen else enabled
        if since < target:
            yield _gap(agent, since, target, by)


def _gap(agent: ActiveAgent, since: Timestamp, until: Timestamp, by: str) -> NewGap:
    watch = agent.spec.watch
    return NewGap(
        agent_id=agent.agent_id,
        database=watch.database,
        collection=watch.collection,
        kind=GapKind.POSITION_SET,
        since=pack_time(since),
        until=pack_time(until),
        # Whoever sets a position has decided; nobody is held, and the gap stays open as a warning.
        policy=HistoryPolicy.SKIP,
        detail=f"{by} set the stream's position",
    )
