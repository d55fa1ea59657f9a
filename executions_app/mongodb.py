"""The web processes' way to MongoDB: one client each, opened when it is first needed (after any fork)."""

from __future__ import annotations

import threading
from typing import Any, Final

from pymongo import MongoClient

from mongoclaw_project.config import current

PATIENCE_MS: Final = 3_000
"""Somebody waits for the answer."""

_OPENING: Final = threading.Lock()

Document = dict[str, Any]


_clients: Final[dict[str, MongoClient[Document]]] = {}


def mongodb() -> MongoClient[Document]:
    """Return this process's client."""
    uri = current().mongodb.uri
    with _OPENING:  # two requests that come first would open two
        if uri not in _clients:
            _clients[uri] = MongoClient(
                uri,
                serverSelectionTimeoutMS=PATIENCE_MS,
                connectTimeoutMS=PATIENCE_MS,
                minPoolSize=0,
                appname="mongoclaw-api",
            )
        return _clients[uri]


def forget() -> None:
    """Close what is open. For tests, whose servers come and go."""
    with _OPENING:
        while _clients:
            _clients.popitem()[1].close()
