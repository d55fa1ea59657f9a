"""Backfills: work on documents that were there before anybody looked."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agents_app.models import Agent


class BackfillStatus(models.TextChoices):
    """Where a backfill stands."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class Backfill(models.Model):
    """One wish to run an agent on documents that exist. `executions_app.backfills` changes its status."""

    id = models.CharField(primary_key=True, max_length=32)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="backfills")
    database = models.CharField(max_length=64, blank=True, help_text="Empty until it has started.")
    collection = models.CharField(max_length=255, blank=True, help_text="Empty until it has started.")
    filter = models.TextField(blank=True, help_text="An additional query as Extended JSON, or empty.")
    limit = models.BigIntegerField(null=True, help_text="At most so many documents are put on record.")
    rate = models.FloatField(null=True, help_text="At most so many documents a second are put on record.")
    status = models.CharField(
        max_length=16, choices=BackfillStatus.choices, default=BackfillStatus.PLANNED.value
    )
    origin = models.CharField(max_length=150, help_text="Who asked for it, or the gap that it closes.")
    estimate = models.BigIntegerField(null=True, help_text="Documents it will read, about.")
    error = models.TextField(blank=True)
    cleared = models.BooleanField(default=False, help_text="Cancelled, and its waiting rows are ended.")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        """Newest first."""

        default_permissions = ("view", "add", "change")
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [models.Index(fields=["status", "created_at"], name="backfill_status")]

    def __str__(self) -> str:
        return f"backfill {self.id} of {self.agent_id}: {self.status}"


class BackfillRange(models.Model):
    """A part of a backfill's keys that one reader goes through.

    Bounds and cursor are keys as the hexadecimal digits of the BSON document `{_id: key}`: exact for every type.
    """

    backfill = models.ForeignKey(Backfill, on_delete=models.CASCADE, related_name="ranges")
    number = models.IntegerField()
    lower = models.TextField(blank=True, help_text="The first key, or empty for the collection's first.")
    upper = models.TextField(blank=True, help_text="The key behind the last, or empty for no end.")
    cursor = models.TextField(blank=True, help_text="The last key that is on record, or empty for none yet.")
    read = models.BigIntegerField(default=0)
    recorded = models.BigIntegerField(default=0)
    current = models.BigIntegerField(default=0, help_text="Left out: their answer is up to date.")
    done = models.BooleanField(default=False)

    class Meta:
        """In the order of keys."""

        default_permissions = ()
        ordering: ClassVar = ["number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["backfill", "number"], name="one_range_per_number")
        ]

    def __str__(self) -> str:
        return f"range {self.number} of backfill {self.backfill_id}"
