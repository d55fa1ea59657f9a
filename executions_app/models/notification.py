"""Notifications that go to another system."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q


class Notification(models.Model):
    """Something to be told, until it is told or given up. `executions_app.notifications` writes it."""

    id = models.CharField(primary_key=True, max_length=32, help_text="By which the receiver knows it again.")
    event = models.CharField(max_length=16)
    agent_id = models.CharField(max_length=64)
    body = models.JSONField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    tries = models.IntegerField(default=0)
    problem = models.CharField(max_length=255, blank=True, help_text="Why the last try was in vain.")
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        """Those that wait are found by when they are due."""

        default_permissions = ("view", "change")
        indexes: ClassVar = [
            models.Index(
                fields=["due_at"],
                condition=Q(sent_at__isnull=True, given_up_at__isnull=True),
                name="notification_due",
            ),
            models.Index(fields=["created_at"], name="notification_age"),
        ]

    def __str__(self) -> str:
        return f"{self.event} of {self.agent_id}"


class NotificationCursor(models.Model):
    """Up to when dead letters have been told: one row, moved in the transaction that tells them."""

    ONLY: ClassVar = 1

    id = models.IntegerField(primary_key=True)
    until = models.DateTimeField()

    class Meta:
        """Nobody edits it."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"told until {self.until}"


class Alarm(models.Model):
    """Trouble that was told and is not over. `executions_app.notifications.alarms` adds it and takes it away."""

    event = models.CharField(max_length=16)
    agent_id = models.CharField(max_length=64, blank=True, help_text="Empty where no single agent has it.")
    about = models.CharField(max_length=300, help_text="The goal that is broken, or the pause's name.")
    begun_at = models.DateTimeField()
    calm_since = models.DateTimeField(null=True, help_text="Since when it has not been seen any more.")

    class Meta:
        """The same trouble is one row."""

        default_permissions = ()
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "agent_id", "about"], name="one_alarm_for_each_trouble")
        ]

    def __str__(self) -> str:
        return f"{self.event} of {self.agent_id or 'all'}: {self.about}"
