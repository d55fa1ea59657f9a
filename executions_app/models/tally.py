"""What ended in each hour, per agent, and how far it has been counted."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agents_app.models import Agent


class Sums(models.Model):
    """What is added up of runs and their calls. Only `executions_app.counting` writes any, and only adds.

    Histograms are as `executions_app.histogram` has them, by text of the bucket's number; codes are those of
    `executions_app.states` and of the error tree.
    """

    completed = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    within_slo = models.BigIntegerField(default=0, help_text="Completed runs that were quick enough.")
    latency = models.JSONField(default=dict, help_text="Completed runs, from on record to their end.")
    running = models.JSONField(default=dict, help_text="Completed runs, from their last claim to their end.")
    running_ms = models.BigIntegerField(default=0, help_text="The sum of these.")
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
        """Columns of others' tables."""

        abstract = True


class HourTally(Sums):
    """Sums of one agent and one hour (UTC).

    Ends count in the hour in which the run ended, calls in the hour in which they began.
    """

    hour = models.DateTimeField()
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="+", db_index=False)

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


class AgentTotal(Sums):
    """All that was ever counted of an agent: what counters show, whichever process is asked and however often."""

    agent = models.OneToOneField(Agent, on_delete=models.PROTECT, primary_key=True, related_name="+")

    class Meta:
        """Nobody edits it by hand."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.agent_id} ever since"


class ModelTotal(models.Model):
    """All calls that were ever counted of one model of a provider."""

    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=256)
    outcomes = models.JSONField(default=dict, help_text="Calls by `valid`, or the code of their error.")
    latency = models.JSONField(default=dict, help_text="Calls, as a histogram.")
    latency_ms = models.BigIntegerField(default=0, help_text="The sum of these.")
    prompt_tokens = models.BigIntegerField(default=0)
    completion_tokens = models.BigIntegerField(default=0)
    cost_nanousd = models.BigIntegerField(default=0, help_text="Of the calls whose price is known.")

    class Meta:
        """Nobody edits it by hand."""

        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "model"], name="one_total_per_model")
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model} ever since"


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
