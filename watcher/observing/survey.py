"""All streams at a glance, from what the watchers keep in MongoDB: no watcher is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pymongo
from bson import Timestamp
from pymongo.database import Database

from watcher.connection import CALL_SECONDS
from watcher.leading.control import Control, Controls, units_of
from watcher.reading.position_store import Listed, PositionStore
from watcher.reading.status import StreamState
from watcher.unit import Unit

Document = dict[str, Any]

UNWATCHED: Final = "unwatched"
"""Nobody leads the stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatcherProcess:
    """A watcher that lives."""

    holder: str
    host: str
    pid: int
    roles: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """A stream as its watcher said last. Ages and the lag are in seconds; None is not known.

    `state` is one of StreamState, or `unwatched`. `polled_ago` is how long ago MongoDB last answered its reader.
    """

    unit: Unit
    state: str
    watcher: str = ""
    term: int | None = None
    lag_seconds: float | None = None
    polled_ago: float | None = None
    detail: str = ""
    position: Timestamp | None = None
    position_age: float | None = None
    position_readable: bool = True
    paused: bool = False

    def trouble(self, patience: float) -> str | None:
        """Say what is wrong with the stream, or None. `patience` is how long it may go unpolled, in seconds."""
        because = f": {self.detail}" if self.detail else ""
        if self.paused:
            return None
        if self.state == UNWATCHED:
            return "no watcher reads it"
        if self.state in {StreamState.REFUSED, StreamState.BROKEN}:
            return f"it is {self.state}{because}"
        if self.polled_ago is not None and self.polled_ago > patience:
            return f"it has not been polled for {self.polled_ago:.0f} s{because}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What `survey` found."""

    streams: tuple[StreamView, ...]
    watchers: tuple[WatcherProcess, ...]
    controls: Mapping[str, Control]
    dispatched_by: str | None
    """The watcher that hands work to the broker."""


def survey(home: Database[Document], positions: str, databases: Iterable[str]) -> Survey:
    """Look at the streams of the databases that are watched. `positions` names the collection of positions.

    All times are of the server's clock. Raises pymongo's errors.
    """
    with pymongo.timeout(CALL_SECONDS):
        now: datetime = home.client.admin.command("hello")["localTime"]
        leases = {lease["_id"]: lease for lease in home["leases"].find()}
        living = [_process(found) for found in home["watchers"].find() if _is_live(found, now)]
    controls = Controls(home["streams"]).read()
    stored = PositionStore(home[positions]).listed()
    units = [
        unit
        for database in sorted(databases)
        for unit in units_of(database, controls.get(database, Control()))
    ]
    dispatch = leases.get("dispatch")
    return Survey(
        streams=tuple(
            _view(unit, leases, controls.get(unit.database, Control()), stored.get(unit.name), now)
            for unit in units
        ),
        watchers=tuple(living),
        controls=controls,
        dispatched_by=_holder(dispatch) if dispatch is not None and _is_live(dispatch, now) else None,
    )


def _view(
    unit: Unit, leases: Mapping[str, Document], control: Control, stored: Listed | None, now: datetime
) -> StreamView:
    lease = leases.get(unit.lease, {})
    live = _is_live(lease, now)
    said: Document = lease.get("state") or {} if live else {}
    state = str(said.get("state", StreamState.STARTING)) if live else UNWATCHED
    silent = said.get("polled_ago")
    position_age = _age(stored.time, now) if stored and stored.time else None
    return StreamView(
        unit=unit,
        state=StreamState.PAUSED.value if control.paused else state,
        watcher=_holder(lease) if live else "",
        term=lease.get("term"),
        # A stream that is not read falls behind, second by second, whatever its reader said last.
        lag_seconds=said.get("lag_seconds") if live and not control.paused else position_age,
        # What the watcher said has aged since it renewed its lease.
        polled_ago=None if silent is None else float(silent) + (now - lease["renewed_at"]).total_seconds(),
        detail=str(said.get("detail", "")),
        position=stored.time if stored else None,
        position_age=position_age,
        position_readable=stored is None or stored.readable,
        paused=control.paused,
    )


def _is_live(document: Document, now: datetime) -> bool:
    expires_at = document.get("expires_at")
    return expires_at is not None and expires_at > now


def _holder(lease: Document) -> str:
    return f"{lease.get('host', '?')}:{lease.get('pid', '?')}"


def _process(found: Document) -> WatcherProcess:
    return WatcherProcess(
        holder=str(found["_id"]),
        host=str(found.get("host", "?")),
        pid=int(found.get("pid", 0)),
        roles=tuple(found.get("roles", ())),
    )


def _age(time: Timestamp, now: datetime) -> float:
    wall = now.replace(tzinfo=None) - datetime(1970, 1, 1)  # noqa: DTZ001  # the server's clock is UTC
    return max(0.0, wall.total_seconds() - time.time)
