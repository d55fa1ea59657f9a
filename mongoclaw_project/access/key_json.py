"""An API key as JSON: all of it but what would let anybody in."""

from __future__ import annotations

from datetime import datetime

from mongoclaw_project.access.models import ApiKey


def key_json(key: ApiKey, *, now: datetime) -> dict[str, object]:
    """Describe a key."""
    return {
        "prefix": key.prefix,
        "name": key.name,
        "user": key.user.get_username(),
        "scopes": key.scopes,
        "agents": key.agents,
        "state": key.state(now=now),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }
