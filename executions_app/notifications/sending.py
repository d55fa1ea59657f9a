"""Sending what is to be told: signed, at least once, again and again for a day."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

import structlog
import urllib3
from django.db.models import QuerySet

from executions_app.database import write_turn
from executions_app.forgetting import forget_oldest
from executions_app.models import Notification
from executions_app.webhooks.signatures import OWN, sign

log = structlog.get_logger(__name__)

TIMEOUT: Final = urllib3.Timeout(connect=3.0, read=5.0)
FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=10)
GIVEN_UP_AFTER: Final = timedelta(hours=24)
KEPT: Final = timedelta(days=30)
DELIVERY: Final = "X-MongoClaw-Delivery"

_DOUBLINGS: Final = 7


def is_due(*, now: datetime) -> bool:
    """Tell whether a notification is due. Raises Django's database errors."""
    return _waiting(now).exists()


def send_next(url: str, secret: str, *, now: datetime) -> bool:
    """Send the notification that is due first; tells whether there was one. Raises Django's database errors."""
    row = _waiting(now).order_by("due_at").first()
    if row is None:
        return False
    problem = _post(url, secret, row, second=int(now.timestamp()))
    with write_turn():
        if not problem:
            Notification.objects.filter(id=row.id).update(sent_at=now, tries=row.tries + 1, problem="")
            return True
        wait = min(FIRST_WAIT * 2 ** min(row.tries, _DOUBLINGS), LONGEST_WAIT)
        over = now if now - row.created_at >= GIVEN_UP_AFTER else None
        Notification.objects.filter(id=row.id).update(
            tries=row.tries + 1, problem=problem, due_at=now + wait, given_up_at=over
        )
    log.warning("notification.not_sent", notification=row.id, problem=problem, given_up=over is not None)
    return True


def _waiting(now: datetime) -> QuerySet[Notification]:
    return Notification.objects.filter(sent_at=None, given_up_at=None, due_at__lte=now)


def send_again(ids: Collection[str], *, now: datetime) -> int:
    """Try those once more, at once, that were given up; returns how many there were.

    One that is older than a day is given up again by its next failure.
    """
    with write_turn():
        given_up = Notification.objects.filter(id__in=ids, sent_at=None, given_up_at__isnull=False)
        return given_up.update(given_up_at=None, due_at=now)


def forget(*, now: datetime) -> None:
    """Delete what was told or given up long ago, so many at a time."""
    done = Notification.objects.exclude(sent_at=None, given_up_at=None)
    forget_oldest(done.filter(created_at__lt=now - KEPT).order_by("created_at"))


def _post(url: str, secret: str, row: Notification, *, second: int) -> str:
    """Send one; returns what went wrong, without the address, which may hold a key."""
    body = json.dumps(row.body).encode()
    headers = {"Content-Type": "application/json", DELIVERY: row.id}
    if secret:
        headers[OWN] = sign(secret, body, second=second)
    try:
        # What it says beside the status is not read: it may have no end.
        answer = urllib3.request(
            "POST", url, body=body, headers=headers, timeout=TIMEOUT, retries=False, preload_content=False
        )
    except urllib3.exceptions.HTTPError as error:
        return type(error).__name__
    answer.close()
    return "" if answer.status // 100 == 2 else f"status {answer.status}"  # noqa: PLR2004  # HTTP's own number
