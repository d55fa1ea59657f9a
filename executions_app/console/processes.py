"""The processes and servers of the fleet, and the change streams with their lag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from executions_app.console.outlook import Outlook, Server, Stream, outlook
from executions_app.console.panel import Asked, Panel
from executions_app.console.viewer import SEE_PROCESSES
from executions_app.models import WorkerProcess
from mongoclaw_project.config import current

SHOWN: Final = 24
KINDS: Final = {"worker": "worker", "dispatch": "watcher"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessLine:
    """A process. `silent` is how many seconds it has given no sign of life, if that is too long."""

    kind: str
    place: str
    detail: str
    silent: float | None = None
    is_leaving: bool = False

    @property
    def state(self) -> str:
        """One word for how it is."""
        if self.silent is not None:
            return "silent"
        return "leaving" if self.is_leaving else "alive"


@dataclass(frozen=True, slots=True)
class Processes:
    """All of it; `troubles` says in words what is wrong."""

    servers: tuple[Server, ...]
    lines: tuple[ProcessLine, ...]
    more: int
    streams: tuple[Stream, ...]
    streams_error: str | None
    troubles: tuple[str, ...]


def look(asked: Asked) -> Processes:
    """Put together what processes say of themselves and what was seen from outside."""
    seen = outlook()
    patience = timedelta(seconds=current().worker.heartbeat_timeout_seconds)
    rows = list(WorkerProcess.objects.order_by("role", "host", "pid")[: SHOWN + 1])
    lines = tuple(_lines(rows[:SHOWN], seen, asked.now, patience))
    return Processes(
        seen.servers,
        lines,
        max(0, len(rows) - SHOWN),
        seen.streams,
        seen.streams_error,
        tuple(_troubles(seen, lines)),
    )


def _lines(
    rows: list[WorkerProcess], seen: Outlook, now: datetime, patience: timedelta
) -> Iterator[ProcessLine]:
    if seen.web:
        yield ProcessLine(kind="web", place=seen.web, detail="served this panel")
    beating = {row.pk for row in rows}
    for watcher in seen.watchers:
        if watcher.id not in beating:
            yield ProcessLine(kind="watcher", place=watcher.place, detail=_roles(watcher.roles))
    roles = {watcher.id: watcher for watcher in seen.watchers}
    for row in rows:
        known = roles.get(row.pk)
        detail = f"{row.slots} threads" if row.role == "worker" else _roles(known.roles if known else ())
        if known is not None and known.dispatches:
            detail = f"{detail}; dispatches now"
        age = now - row.beat_at
        silent = age.total_seconds() if age > patience else None
        yield ProcessLine(
            kind=KINDS.get(row.role, row.role),
            place=f"{row.host}:{row.pid}",
            detail=detail,
            silent=silent,
            is_leaving=row.leaving,
        )


def _roles(roles: tuple[str, ...]) -> str:
    return ", ".join(roles) or "dispatch"


def _troubles(seen: Outlook, lines: tuple[ProcessLine, ...]) -> Iterator[str]:
    yield from (f"{server.name} {server.error}" for server in seen.servers if server.error)
    alive = {line.kind for line in lines if line.silent is None}
    yield from (f"no {kind} is alive" for kind in ("watcher", "worker") if kind not in alive)
    yield from (f"stream {stream.name}: {stream.trouble}" for stream in seen.streams if stream.trouble)
    if seen.streams_error:
        yield f"streams: {seen.streams_error}"


PANEL: Final = Panel(
    name="processes", title="Processes and streams", needs=SEE_PROCESSES, look=look, seconds=3
)
