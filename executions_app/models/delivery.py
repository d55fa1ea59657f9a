"""Webhooks that have come."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Delivery(models.Model):
    """A signed webhook and what it was answered with, so that it acts once. `webhooks.deliveries` writes it."""

    id = models.CharField(primary_key=True, max_length=32, help_text="Hash of the route and its signature.")
    route = models.CharField(max_length=16)
    message = models.TextField(null=True)
    execution_id = models.CharField(max_length=32, blank=True, help_text="The run that it asked for.")
    received_at = models.DateTimeField()

    class Meta:
        """Found by its hash, and by its age when it is forgotten."""

        default_permissions = ()
        verbose_name_plural = "deliveries"
        indexes: ClassVar = [models.Index(fields=["received_at"], name="delivery_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.id}"
