"""The JSON form of gaps."""

from __future__ import annotations

from typing import Any

from bson import Timestamp

from executions_app.identity import unpack_time
from executions_app.models import StreamGap


def gap_json(gap: StreamGap) -> dict[str, Any]:
    """Return a gap; cluster times are `seconds:increment`, as commands take them."""
    return {
        "id": gap.id,
        "agent_id": gap.agent_id,
        "database": gap.database,
        "collection": gap.collection,
        "kind": gap.kind,
        "status": gap.status,
        "policy": gap.policy,
        "since": time_json(unpack_time(gap.since)),
        "until": time_json(unpack_time(gap.until)),
        "code": gap.code,
        "detail": gap.detail,
        "backfill_id": gap.backfill_id,
        "detected_at": gap.detected_at,
        "closed_at": gap.closed_at,
        "closed_by": gap.closed_by or None,
        "resolution": gap.resolution or None,
    }


def time_json(time: Timestamp) -> str:
    """Write a cluster time so that commands read it back exactly."""
    return f"{time.time}:{time.inc}"
