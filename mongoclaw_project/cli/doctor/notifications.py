"""Examining what another system is told."""

from __future__ import annotations

from collections.abc import Iterator

from executions_app.models import Notification
from mongoclaw_project.cli.doctor.finding import Finding, doubtful, good
from mongoclaw_project.config import current

_REMEDY = "look whether MONGOCLAW_NOTIFICATIONS__URL answers with 2xx, and what the receiver logs"


def examine_notifications() -> Iterator[Finding]:
    """Name what could not be told."""
    if not current().notifications.url:
        return
    over = Notification.objects.exclude(given_up_at=None).count()
    if over:
        yield doubtful(f"{over:,} notifications of the last 30 days were given up after a day", _REMEDY)
    failing = (
        Notification.objects.filter(sent_at=None, given_up_at=None, tries__gt=0).order_by("-tries").first()
    )
    if failing is not None:
        yield doubtful(
            f"a notification of {failing.created_at:%Y-%m-%d %H:%M} UTC was refused {failing.tries} times "
            f"({failing.problem})",
            _REMEDY,
        )
    if not over and failing is None:
        yield good("everything was told")
