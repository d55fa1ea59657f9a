"""What ended in each hour, per agent, and how far it has been counted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agents_app.models import Agent


class HourTally(models.Model):
    """Sums of one agent and one hour (UTC). Only `executions_app.counting` writes it, and only adds.

    Ends count in the hour in which the run ended, calls in the hour in which they began. Histograms are as
    `executions_app.histogram` has them, by text of the bucket's number; codes are those of `executions_app.states`
    and of the error tree.
    """

    hour = models.DateTimeField()
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+", db_index=False)

    completed = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    within_slo = models.BigIntegerField(default=0, help_text="Completed runs that were quick enough.")
    latency = models.JSONField(default=dict, help_text="Completed runs, from on record to their end.")
    running = models.JSONField(default=dict, help_text="Completed runs, from their last claim to their end.")
    waiting = models.JSONField(
        default=dict, help_text="Runs that were claimed, from due to their last claim."
    )
    failures = models.JSONField(default=dict, help_text="Failed runs by the code of their error.")
    skips = models.JSONField(default=dict, help_text="Skipped runs by their reason.")

    model_calls = models.BigIntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    cost_nanousd = models.BigIntegerField(default=0, help_text="Of the calls whose price is known.")
    unpriced_calls = models.BigIntegerField(default=0, help_text="Calls whose price is not known.")

    class Meta:
        """Read by hours; the permission to view it is the one for all statistics."""

        default_permissions = ("view",)
        verbose_name = "hour's figures"
        verbose_name_plural = "figures by hour"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hour", "agent"], name="one_tally_per_hour_and_agent")
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} in the hour of {self.hour:%Y-%m-%d %H:%M}"


class TallyCursor(models.Model):
    """How far the ledger has been counted (ADR 0021). There is one row at most.

    What ended before `closing` is on record for good: no end is recorded earlier than that once it is announced.
    """

    ONLY: ClassVar = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY)
    counted_time = models.DateTimeField(help_text="Ends up to this one, by time and id, are counted.")
    counted_id = models.CharField(max_length=32, blank=True)
    counted_call = models.BigIntegerField(default=0, help_text="Calls up to this id are counted.")
    closing = models.DateTimeField(help_text="New ends are recorded with this time or a later one.")
    closing_call = models.BigIntegerField(default=0, help_text="The last call when `closing` was announced.")
    closing_transaction = models.BigIntegerField(
        default=0, help_text="PostgreSQL's number of the transaction that announced it."
    )

    class Meta:
        """Nobody edits it by hand."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"counted up to {self.counted_time:%Y-%m-%d %H:%M:%S}"
