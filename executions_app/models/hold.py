"""Holds: what an operator keeps from starting."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Hold(models.Model):
    """Nothing new is started of one agent, or of all. `executions_app.holds` writes it.

    No provider's pause: that one comes by itself, lies in Redis and ends by itself (`executions_app.limits.pauses`).
    """

    scope = models.CharField(max_length=64, blank=True, help_text="The agent; empty is all of them.")
    by = models.CharField(max_length=150)
    why = models.TextField(blank=True)
    at = models.DateTimeField()
    lifted_by = models.CharField(max_length=150, blank=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        """One in force for each scope; those that are over stay as a record."""

        default_permissions = ("view",)
        ordering: ClassVar = ["-at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["scope"], condition=Q(lifted_at__isnull=True), name="one_hold_in_force"
            )
        ]

    def __str__(self) -> str:
        return f"{self.scope or 'all agents'}: held by {self.by}"
