"""Gaps: stretches of a stream that an agent has not seen."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agents_app.models import Agent
from executions_app.models.backfill import Backfill


class GapKind(models.TextChoices):
    """What an agent has not seen, and why."""

    HISTORY_LOST = "history_lost", "history lost"
    COLLECTION_RENAMED = "collection_renamed", "collection renamed"
    EVENT_TOO_LARGE = "event_too_large", "event too large"
    POSITION_SET = "position_set", "position set"


class GapStatus(models.TextChoices):
    """What has become of it."""

    OPEN = "open"
    BACKFILLING = "backfilling"
    CLOSED = "closed"


class StreamGap(models.Model):
    """Changes that passed an agent unseen. `executions_app.gaps` writes it.

    An agent with an open gap whose policy is `fail` is held: nothing more is put on record for it until somebody
    has decided.
    """

    id = models.CharField(primary_key=True, max_length=32)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="gaps")
    database = models.CharField(max_length=64)
    collection = models.CharField(max_length=255)
    kind = models.CharField(max_length=32, choices=GapKind.choices)
    code = models.IntegerField(null=True, help_text="The server's error code, if an error revealed the gap.")
    detail = models.TextField(blank=True)
    since = models.CharField(max_length=16, help_text="Cluster time up to which everything was seen.")
    until = models.CharField(max_length=16, help_text="Cluster time from which everything is seen again.")
    policy = models.CharField(max_length=32, help_text="`watch.on_history_lost` as it was for this gap.")
    status = models.CharField(max_length=16, choices=GapStatus.choices)
    backfill = models.ForeignKey(Backfill, null=True, on_delete=models.PROTECT, related_name="gaps")
    detected_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True)
    resolution = models.TextField(blank=True)

    class Meta:
        """Newest first."""

        default_permissions = ("view", "change")
        verbose_name = "gap"
        ordering: ClassVar = ["-detected_at"]
        indexes: ClassVar = [models.Index(fields=["status", "agent"], name="gap_status")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.agent_id}: {self.status}"
