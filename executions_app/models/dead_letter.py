"""Dead letters beside the executions that failed: messages that are no run, and who put what aside."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from executions_app.models.execution import Execution
from executions_app.states import Status


class DeadRun(Execution):
    """An execution that failed for good, or was discarded: what the admin lists beside all executions."""

    class Meta:
        """Whoever may see executions may see these."""

        proxy = True
        default_permissions = ()
        verbose_name = "dead letter"


class StrayMessage(models.Model):
    """A message in the broker that no worker can make a run of. `executions_app.strays` writes it.

    The same message read again is the same row.
    """

    id = models.CharField(primary_key=True, max_length=32)
    status = models.CharField(
        max_length=16,
        choices=[(s.value, s.value) for s in (Status.FAILED, Status.DISCARDED)],
        default=Status.FAILED.value,
    )
    reason = models.CharField(max_length=64)
    task = models.CharField(max_length=255, blank=True, help_text="The task that it names.")
    message_id = models.CharField(max_length=255, blank=True)
    queue = models.CharField(max_length=255, blank=True)
    content_type = models.CharField(max_length=255, blank=True)
    size = models.BigIntegerField(default=0, help_text="Bytes of its body.")
    excerpt = models.TextField(blank=True, help_text="The beginning of its body, without secrets.")
    error = models.TextField(blank=True)
    host = models.CharField(max_length=255, blank=True, help_text="Where the worker ran that read it last.")
    times = models.BigIntegerField(default=1, help_text="How often it was read.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        """Newest first."""

        default_permissions = ()
        verbose_name = "message without a run"
        verbose_name_plural = "messages without a run"
        ordering: ClassVar = ["-last_seen_at", "id"]
        indexes: ClassVar = [models.Index(fields=["status", "-last_seen_at", "id"], name="stray_status")]

    def __str__(self) -> str:
        return f"{self.reason}: {self.task or self.message_id or self.id}"


class Requeue(models.Model):
    """That somebody let a dead letter run again: who and when, and how its life before that had ended."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="requeues")
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    died_at = models.DateTimeField()
    reason = models.CharField(max_length=64)
    error_type = models.CharField(max_length=64, blank=True)
    error = models.TextField(blank=True)
    attempts = models.IntegerField(help_text="Tries that had failed and counted.")

    class Meta:
        """In the order in which it happened."""

        default_permissions = ()
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"run again by {self.by} after {self.reason}"


class Discard(models.Model):
    """That somebody put a dead letter aside: who, when and why. It stays when the letter is brought back."""

    execution = models.ForeignKey(Execution, null=True, on_delete=models.CASCADE, related_name="discards")
    message = models.ForeignKey(StrayMessage, null=True, on_delete=models.CASCADE, related_name="discards")
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    why = models.TextField(blank=True)
    restored_at = models.DateTimeField(null=True)
    restored_by = models.CharField(max_length=150, blank=True)

    class Meta:
        """Of one letter each."""

        default_permissions = ()
        ordering: ClassVar = ["-at"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(execution__isnull=True, message__isnull=False)
                | Q(execution__isnull=False, message__isnull=True),
                name="discard_of_one_letter",
            )
        ]

    def __str__(self) -> str:
        return f"discarded by {self.by}: {self.why}"
