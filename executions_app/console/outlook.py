"""What the console is told of the servers and the change streams, which this package cannot ask itself.

The project injects the one who asks, named in the setting CONSOLE_OUTLOOK, as it does with checks of agents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Server:
    """A server, how long it took to answer in milliseconds, and why it is not well, if it is not."""

    name: str
    latency_ms: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A change stream. `lag` is in seconds, None if not known; `trouble` is what is wrong with it, if anything is."""

    name: str
    state: str
    lag: float | None
    watcher: str
    trouble: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """A watcher that lives, and whether it hands work to the broker at present."""

    id: str
    place: str
    roles: tuple[str, ...]
    dispatches: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What was seen a moment ago. `streams_error` says why nothing is known of streams and watchers."""

    servers: tuple[Server, ...] = ()
    streams: tuple[Stream, ...] = ()
    watchers: tuple[Watcher, ...] = ()
    streams_error: str | None = None
    web: str = ""


def outlook() -> Outlook:
    """Ask whoever the project has named; nothing is known where nobody is."""
    name = getattr(settings, "CONSOLE_OUTLOOK", None)
    return Outlook() if name is None else cast(Callable[[], Outlook], import_string(name))()
