"""Backfills: asking for one, and every change of its status."""

from __future__ import annotations

import uuid
from datetime import datetime

import structlog

from executions_app.models import Backfill

log = structlog.get_logger(__name__)


def plan(
    agent_id: str,
    *,
    origin: str,
    now: datetime,
    filter_text: str = "",
    limit: int | None = None,
    rate: float | None = None,
) -> Backfill:
    """Ask for a backfill; a watcher takes it up. `rate` is in documents a second."""
    backfill = Backfill.objects.create(
        id=uuid.uuid4().hex,
        agent_id=agent_id,
        origin=origin,
        filter=filter_text,
        limit=limit,
        rate=rate,
        created_at=now,
    )
    log.info("backfill.planned", backfill=backfill.id, agent_id=agent_id, origin=origin)
    return backfill
