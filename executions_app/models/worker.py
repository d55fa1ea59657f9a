"""Processes that hold claims."""

from __future__ import annotations

from django.db import models


class WorkerProcess(models.Model):
    """A process that holds claims; `beat` grows while it lives."""

    id = models.CharField(primary_key=True, max_length=32)
    role = models.CharField(max_length=16)
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    slots = models.IntegerField(default=0, db_default=0, help_text="How many runs it does at a time.")
    started_at = models.DateTimeField()
    beat = models.BigIntegerField(default=0)
    beat_at = models.DateTimeField()
    leaving = models.BooleanField(default=False, db_default=False, help_text="It was asked to stop.")

    class Meta:
        """A process writes its own row; nobody else does."""

        default_permissions = ("view",)
        verbose_name_plural = "worker processes"

    def __str__(self) -> str:
        return f"{self.role} {self.host}:{self.pid}"
