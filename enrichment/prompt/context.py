"""What a worker renders a prompt from, in one place for whoever must render the very same prompt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bson import Timestamp

from enrichment.prompt.rendering import PromptContext


def event_context(
    document: Mapping[str, Any],
    *,
    operation: str,
    namespace: tuple[str, str],
    cluster_time: Timestamp,
    agent: Mapping[str, Any],
    hidden: frozenset[str],
    now: datetime,
    before: Mapping[str, Any] | None = None,
) -> PromptContext:
    """Return the context of an event. `agent` is its specification as plain values."""
    database, collection = namespace
    event: dict[str, Any] = {
        "operation": operation,
        "database": database,
        "collection": collection,
        "document_key": {"_id": document.get("_id")},
        "cluster_time": str(cluster_time),
        "full_document": document,
    }
    return PromptContext(
        document=document,
        event=event,
        operation=operation,
        agent=agent,
        now=now,
        hidden=hidden,
        before=before,
    )
