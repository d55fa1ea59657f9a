"""Keys that programs identify themselves with."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Final

from django.conf import settings
from django.db import models

LONGEST_NAME: Final = 128


class ApiKey(models.Model):
    """A key of a user's. What it may do is what its user may, as far as its scopes go.

    The key itself is `<prefix>_<secret>` and not kept: `digest` is its SHA-256, which is enough because the
    secret has 256 random bits. `agents` lists the agents that it is bound to; null stands for all there are.
    `last_used_at` is exact to the minute.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=LONGEST_NAME, help_text="What it is for.")
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    agents = models.JSONField(null=True, default=None)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        """Newest first. Keys are revoked and stay on record; nobody deletes one."""

        ordering = ("-created_at", "-id")
        verbose_name = "API key"
        default_permissions = ("view", "add", "change")
        permissions: ClassVar = [("manage_apikey", "Can see, create and revoke the keys of all users")]

    def __str__(self) -> str:
        return f"{self.prefix} ({self.name})"

    def state(self, *, now: datetime) -> str:
        """Tell whether it is `active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"
