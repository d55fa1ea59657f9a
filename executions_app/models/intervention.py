"""What people did to a run from outside of it, beside what dead letters remember themselves."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from executions_app.models.execution import Execution


class InterventionKind(models.TextChoices):
    """What somebody did."""

    TRIGGERED = "triggered", "asked for by"
    RUN_AGAIN = "run_again", "asked for again by"
    CANCELLED = "cancelled", "cancelled by"


class Intervention(models.Model):
    """That somebody asked for a run, or ended it: who, when and by which HTTP request.

    `executions_app.interventions` writes it, in the transaction of what it tells of: once for each person and kind.
    """

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="interventions")
    kind = models.CharField(max_length=16, choices=InterventionKind.choices)
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    request_id = models.CharField(max_length=64, null=True)
    of = models.CharField(max_length=32, blank=True, help_text="The ended run that is to happen once more.")

    class Meta:
        """In the order in which it happened."""

        default_permissions = ()
        ordering: ClassVar = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.by}"
