"""Executions and their attempts. Only `executions_app.transitions` and the insert write `Execution.status`."""

from __future__ import annotations

from typing import ClassVar, Final

from bson import Timestamp
from django.db import models
from django.db.models import Case, F, Q, Value, When

from agents_app.models import Agent, AgentVersion
from executions_app.identity import unpack_time
from executions_app.states import UNSTARTED, Slot, Status

# Nulls are never the same, so rows at their end are as many as there are.
_SLOT: Final = Case(
    When(status=Status.RUNNING.value, then=Value(Slot.RUNNING.value)),
    When(status__in=[s.value for s in UNSTARTED], coalesces=True, then=Value(Slot.WAITING.value)),
    When(status__in=[s.value for s in UNSTARTED], then=F("id")),
    default=None,
)


TIMED_OUT: Final = frozenset({"provider_timeout", "call_cut_short", "run_deadline"})
"""The errors that the contract calls a timeout."""


class Execution(models.Model):
    """One agent's work for one event: the durable truth of which a broker message is only a hint."""

    id = models.CharField(primary_key=True, max_length=32)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="executions", db_index=False)
    version = models.ForeignKey(AgentVersion, on_delete=models.PROTECT, related_name="+", db_index=False)

    database = models.CharField(max_length=64)
    collection = models.CharField(max_length=255)
    document_key = models.TextField(
        help_text="The document's _id as canonical extended JSON: every BSON type."
    )
    document_id = models.TextField(help_text="The document's _id as people write it.")
    operation = models.CharField(max_length=16)
    cascade = models.BooleanField(default=False, help_text="Caused by an agent's write, not by a user's.")
    backfill = models.CharField(
        max_length=32, blank=True, help_text="The backfill that asked for it, until something else does too."
    )
    event_time = models.CharField(
        max_length=16, help_text="Cluster time of the event: 16 hexadecimal digits."
    )
    sequence = models.BigIntegerField(help_text="Order of ingestion; breaks ties within one transaction.")

    subject = models.CharField(
        max_length=32, help_text="Hash of agent and document: what runs one at a time."
    )
    coalesces = models.BooleanField(default=True, help_text="Whether edits join it while it waits.")

    status = models.CharField(max_length=16, choices=[(s.value, s.value) for s in Status])
    slot = models.GeneratedField(
        expression=_SLOT,
        output_field=models.CharField(max_length=32, null=True),
        db_persist=True,
        help_text="What the row takes of its subject while it is not at its end; no two rows have the same.",
    )
    reason = models.CharField(max_length=64, blank=True)
    priority = models.SmallIntegerField(default=0)
    due_at = models.DateTimeField()
    claim = models.IntegerField(default=0, help_text="How often a worker took the row: the fencing number.")
    worker = models.CharField(max_length=32, blank=True)
    attempts = models.IntegerField(default=0, help_text="Tries that failed and count against max_retries.")
    deferrals = models.IntegerField(default=0, help_text="Waits that burnt no attempt, without holds.")
    losses = models.IntegerField(
        default=0, db_default=0, help_text="Workers in a row that died while they ran it."
    )
    publications = models.IntegerField(default=0, help_text="Times its message was given up for lost.")
    predecessor = models.CharField(
        max_length=32, blank=True, help_text="A superseded run whose answer may serve."
    )

    requested = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Somebody asked for this very run and may wait for its end.",
    )
    request_id = models.CharField(
        max_length=64, null=True, editable=False, help_text="The HTTP request that asked for it, if one did."
    )

    created_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    duration_ms = models.FloatField(null=True)

    input_hash = models.CharField(max_length=32, blank=True)
    written = models.BooleanField(default=False)
    model_calls = models.IntegerField(default=0)
    tokens_used = models.IntegerField(default=0)
    cost_nanousd = models.BigIntegerField(null=True)
    error_type = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    traceback = models.TextField(blank=True)

    class Meta:
        """One unique constraint carries coalescing and order per document (ADR 0015)."""

        default_permissions = ("view",)
        permissions: ClassVar = [
            ("requeue_execution", "Can run a failed execution again"),
            ("discard_execution", "Can discard dead letters and bring them back"),
            ("cancel_execution", "Can cancel a run that has not ended"),
        ]
        constraints: ClassVar = [
            # Also the index by which rows of a subject are found: hashes lie anywhere in an index, so each one costs.
            models.UniqueConstraint(
                fields=["subject", "slot"], name="one_waiting_and_one_running_per_document"
            ),
        ]
        indexes: ClassVar = [
            # In the order that dispatch takes them, so that a long backlog is neither read nor sorted.
            models.Index(
                fields=["agent", "-priority", "due_at", "sequence"],
                condition=Q(status="pending"),
                name="execution_due",
            ),
            # One status each: SQLite uses no partial index whose condition says IN.
            models.Index(
                fields=["agent", "queued_at"], condition=Q(status="queued"), name="execution_queued"
            ),
            models.Index(fields=["agent", "worker"], condition=Q(status="running"), name="execution_running"),
            models.Index(fields=["-created_at"], name="execution_newest"),
            models.Index(fields=["agent", "-created_at"], name="execution_agent_newest"),
            # With the agent and the status, so that SQLite, too, counts a list from its index without a look at a row.
            models.Index(
                fields=["-created_at", "agent", "status"],
                condition=Q(status="failed"),
                name="execution_failed_recent",
            ),
            models.Index(
                fields=["-created_at", "agent", "status"],
                condition=Q(status="pending"),
                name="execution_pending_recent",
            ),
            # In the order of their ends, as they are counted and deleted. A new entry goes to its end.
            models.Index(
                fields=["completed_at", "id"], condition=Q(completed_at__isnull=False), name="execution_ended"
            ),
            models.Index(
                fields=["-completed_at", "id"], condition=Q(status="failed"), name="execution_failed_ended"
            ),
            models.Index(
                fields=["agent", "-completed_at", "id"],
                condition=Q(status="failed"),
                name="execution_failed_agent",
            ),
            # Counted from the index alone, and listed for one agent and reason.
            models.Index(
                fields=["agent", "reason", "-completed_at", "id"],
                condition=Q(status="failed"),
                name="execution_failed_kind",
            ),
            models.Index(
                fields=["-completed_at", "id"], condition=Q(status="discarded"), name="execution_discarded"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} on {self.document_id}: {self.status}"

    @property
    def cluster_time(self) -> Timestamp:
        """The event's cluster time, the first part of the run's ordering stamp."""
        return unpack_time(self.event_time)

    @property
    def lifecycle_state(self) -> str:
        """The contract's second name for the state (peer contract §17)."""
        if self.status == Status.COMPLETED:
            return "written"
        if self.status == Status.SKIPPED:
            return "write_skipped"
        if self.status in {Status.FAILED, Status.DISCARDED}:
            return "timed_out" if self.error_type in TIMED_OUT else "failed"
        return str(self.status)


class Attempt(models.Model):
    """One model call of an execution, stored before anything is written: the answer is money."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="attempt_set")
    claim = models.IntegerField()
    number = models.IntegerField(help_text="Call within the run: 1 is the prompt, later ones are repairs.")
    input_hash = models.CharField(max_length=32)
    started_at = models.DateTimeField()
    latency_ms = models.FloatField()
    provider = models.CharField(max_length=64)
    model = models.CharField(max_length=256)
    system_prompt = models.TextField(blank=True)
    prompt = models.TextField()
    reply = models.TextField(blank=True)
    answer = models.JSONField(null=True)
    fixes = models.JSONField(default=list)
    outcome = models.CharField(max_length=64, help_text="`valid`, or the code of the error.")
    problem = models.TextField(blank=True)
    finish_reason = models.CharField(max_length=32, blank=True)
    prompt_tokens = models.IntegerField(default=0)
    completion_tokens = models.IntegerField(default=0)
    usage_estimated = models.BooleanField(default=False)
    cost_nanousd = models.BigIntegerField(null=True)

    class Meta:
        """Attempts are read with their execution, and by time to tell an outage."""

        default_permissions = ("view",)
        ordering: ClassVar = ["claim", "number"]
        indexes: ClassVar = [models.Index(fields=["started_at"], name="attempt_started")]

    def __str__(self) -> str:
        return f"{self.execution_id}: call {self.number} of claim {self.claim}: {self.outcome}"
