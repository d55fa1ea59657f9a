"""Which names MongoDB and MongoClaw accept for agents, databases, collections and document fields."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

VERSION_FIELD = "_mongoclaw_version"  # counts MongoClaw's strict writes to a document
RESERVED_IDS = frozenset({"system", "admin", "root", "default", "all", "validate"})

_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_SYSTEM_DATABASES = frozenset({"admin", "config", "local"})
_MAX_DATABASE_BYTES = 63
_MAX_COLLECTION_BYTES = 235  # the longest that is allowed in a sharded cluster
_MAX_PATH = 512


def _agent_id(value: str) -> str:
    if value in RESERVED_IDS:
        raise ValueError(f"'{value}' is reserved; choose another id")
    if not _ID.fullmatch(value):
        raise ValueError(
            "must be 1 to 64 characters of a-z, 0-9, '_' and '-', and start and end with a letter or digit"
        )
    return value


def _database(value: str) -> str:
    forbidden = next((char for char in value if char in '/\\. "$*<>:|?\0'), None)
    if not value:
        raise ValueError("must not be empty")
    if forbidden is not None:
        raise ValueError(f"must not contain {forbidden!r}")
    if len(value.encode()) > _MAX_DATABASE_BYTES:
        raise ValueError(f"must have at most {_MAX_DATABASE_BYTES} bytes")
    if value in _SYSTEM_DATABASES:
        raise ValueError(f"'{value}' is one of MongoDB's own databases")
    return value


def _collection(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    if "$" in value or "\0" in value:
        raise ValueError("must not contain '$' or NUL")
    if value.startswith(".") or value.endswith(".") or ".." in value:
        raise ValueError("must not start or end with '.', nor contain '..'")
    if value.startswith("system."):
        raise ValueError("must not start with 'system.'")
    if len(value.encode()) > _MAX_COLLECTION_BYTES:
        raise ValueError(f"must have at most {_MAX_COLLECTION_BYTES} bytes")
    return value


def path_problem(path: str) -> str | None:
    """Say why a dotted path may not be written to, or None if it may."""
    if not path:
        return "must not be empty"
    if len(path) > _MAX_PATH:
        return f"must have at most {_MAX_PATH} characters"
    segments = path.split(".")
    if "" in segments:
        return "must not have an empty part between dots"
    if any(segment.startswith("$") or "\0" in segment for segment in segments):
        return "no part of it may start with '$' or contain NUL"
    if segments[0] in {"_id", VERSION_FIELD}:
        return f"'{segments[0]}' is reserved"
    return None


def _watched_path(value: str) -> str:
    if value.partition(".")[0] == "_id":
        raise ValueError("'_id' of a document never changes")
    return _path(value)


def _path(value: str) -> str:
    problem = path_problem(value)
    if problem is not None:
        raise ValueError(problem)
    return value


def _field(value: str) -> str:
    if "." in value:
        raise ValueError("must be one field name, without dots")
    return _path(value)


AgentId = Annotated[str, AfterValidator(_agent_id)]
PolicyName = Annotated[str, AfterValidator(_agent_id)]
DatabaseName = Annotated[str, AfterValidator(_database)]
CollectionName = Annotated[str, AfterValidator(_collection)]
WritePath = Annotated[str, AfterValidator(_path)]
WriteField = Annotated[str, AfterValidator(_field)]
WatchedPath = Annotated[str, AfterValidator(_watched_path)]
