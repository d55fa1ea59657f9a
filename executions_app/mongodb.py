"""The web processes' way to MongoDB: one client each, opened when it is first needed (after any fork)."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, Final

from pymongo import MongoClient

from mongoclaw_project.config import current

PATIENCE_MS: Final = 3_000
"""Somebody waits for the answer."""

_OPENING: Final = threading.Lock()

Document = dict[str, Any]


def mongodb() -> MongoClient[Document]:
    """Return this process's client."""
    with _OPENING:  # two requests that come first would open two
        return _client(current().mongodb.uri)


@cache
def _client(uri: str) -> MongoClient[Document]:
    return MongoClient(uri, serverSelectionTimeoutMS=PATIENCE_MS, minPoolSize=0, appname="mongoclaw-api")
