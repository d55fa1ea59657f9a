"""Putting messages on record that no worker can make a run of."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Final

from django.db import transaction
from django.db.models import F

from executions_app.database import write_turn
from executions_app.models import StrayMessage
from executions_app.states import Reason, Status
from executions_app.text import storable

EXCERPT: Final = 500
"""Characters of a body that are kept."""

MOST: Final = 10_000
"""Rows on record; further messages are told apart by their reason and task only, so that a flood fills no disk."""

_SHORT: Final = 255
_READ: Final = 4_000
"""Characters that are searched for secrets: one that the excerpt's end would cut is seen whole."""

# A name is looked at from its beginning only: from each of its letters, a long word would take seconds.
_SECRET: Final = re.compile(
    r"""(?ix)
    (?P<name>(?<![\w\-])[\w\-]*(?:passw(?:or)?d|pwd|secret|token|authorization|cookie|credential|api[_-]?key|private[_-]?key)
      [\w\-]*\\?["']?\s*[:=]\s*)(?:\\?"(?:[^"\\]|\\.)*"?|\\?'(?:[^'\\]|\\.)*'?|[^\s,;}&]+)
    | \b(?:bearer|basic)\s+[\w.~+/=*\-]{4,}
    | ://[^/\s@]+@
    | \b(?:sk|pk|rk|gsk|xai|hf|ghp|glpat|AIza|ya29|AKIA|ASIA)[-_.]?[\w\-.]{12,}
    | \b[A-Za-z0-9_\-+/]{40,}\b
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    """A message as far as it can be read."""

    reason: Reason
    body: bytes
    error: str = ""
    task: str = ""
    message_id: str = ""
    queue: str = ""
    content_type: str = ""


def record(stray: Stray, *, host: str, now: datetime) -> str:
    """Put a message on record, or count it where it is; one that was discarded is a dead letter again.

    Returns the row's id. Raises Django's database errors.
    """
    size = len(stray.body)
    known = StrayMessage.objects.filter(id=_id(stray)).exists()
    if not known and StrayMessage.objects.order_by()[: MOST + 1].count() > MOST:
        stray = replace(stray, body=b"", message_id="")
    id_ = _id(stray)
    with write_turn(), transaction.atomic():
        first = {"size": size, "host": host, "first_seen_at": now, "last_seen_at": now, "times": 0}
        # Made first and then counted, so that workers which read it at the same time make one row.
        StrayMessage.objects.get_or_create(id=id_, defaults={**_columns(stray), **first})
        StrayMessage.objects.filter(id=id_).update(
            times=F("times") + 1, last_seen_at=now, host=host, status=Status.FAILED
        )
    return id_


def excerpt(body: bytes) -> str:
    """Give the beginning of a body as one line of text, with what may be a secret masked."""
    text = storable(body[:_READ].decode("utf-8", "replace"))
    line = " ".join(_SECRET.sub(_masked, text).split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"


def _columns(stray: Stray) -> dict[str, str]:
    return {
        "reason": stray.reason.value,
        "task": _short(stray.task),
        "message_id": _short(stray.message_id),
        "queue": _short(stray.queue),
        "content_type": _short(stray.content_type),
        "excerpt": excerpt(stray.body),
        "error": excerpt(stray.error.encode("utf-8", "replace")),
    }


def _masked(found: re.Match[str]) -> str:
    return f"{found['name'] or ''}[masked]"


def _id(stray: Stray) -> str:
    parts = (
        stray.reason.encode(),
        stray.task.encode("utf-8", "replace"),
        stray.message_id.encode("utf-8", "replace"),
    )
    return blake2b(b"\0".join((*parts, stray.body)), digest_size=16).hexdigest()


def _short(text: str) -> str:
    return storable(text)[:_SHORT]
