"""Requests to trigger an agent that may come twice."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class TriggerKey(models.Model):
    """An Idempotency-Key of one agent, and the run that it was answered with. `triggers.repetition` writes it."""

    id = models.CharField(primary_key=True, max_length=32, help_text="Hash of agent and key.")
    agent_id = models.CharField(max_length=64)
    digest = models.CharField(max_length=32, help_text="Hash of the request, so that another one is noticed.")
    execution_id = models.CharField(max_length=32, blank=True, help_text="Empty until the run is on record.")
    created_at = models.DateTimeField()

    class Meta:
        """Found by its hash, and by its age when it is forgotten."""

        default_permissions = ()
        indexes: ClassVar = [models.Index(fields=["created_at"], name="trigger_key_age")]

    def __str__(self) -> str:
        return f"{self.agent_id}: {self.execution_id or 'not answered'}"
