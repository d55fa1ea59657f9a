"""Agents and their published versions."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from agents_app.fixed_rows import FixedRow, FixedRows
from agents_app.ordered_json import OrderedJSONField
from agents_app.policy_models import Policy, PolicyVersion

__all__ = ["Agent", "AgentVersion", "Health", "Policy", "PolicyVersion"]


class Health(models.TextChoices):
    """Whether the watcher can watch for an agent."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


class Agent(models.Model):
    """An agent, as it is now. What it does is said by its current version.

    `enabled_at` is the last time it became enabled, `current_since` the last time that its current version became
    current: going back to an old version is news. An archived agent is deleted as far as users are
    concerned; its versions and its executions stay. `revision` counts every change, switching on and off
    included.
    """

    id = models.CharField(primary_key=True, max_length=64)
    name = models.CharField(max_length=128)
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True)
    tags = models.JSONField(default=list, blank=True)
    current_version = models.ForeignKey(
        "AgentVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    current_since = models.DateTimeField(null=True, blank=True)
    health = models.CharField(max_length=16, choices=Health.choices, default=Health.UNKNOWN)
    health_reason = models.TextField(blank=True, default="")
    enabled_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=0)

    class Meta:
        """Newest first, as the contract lists them."""

        ordering = ("-created_at", "id")
        permissions: ClassVar = [("operate_agent", "Can enable, disable, pause, resume and trigger agents")]

    def __str__(self) -> str:
        return self.id


class _AgentVersions(FixedRows["AgentVersion"]):
    """Versions of agents."""


class AgentVersion(FixedRow):
    """What an agent does, as published once. Never changes, so that an execution can point at it for ever.

    Where `spec` says `policy: {use: NAME}`, `policy_version` holds what that meant when it was published. `note` is
    why it was published, where no person has changed the agent.
    """

    id = models.BigAutoField(primary_key=True)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    spec = OrderedJSONField()
    published_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    policy_version = models.ForeignKey(
        PolicyVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="agent_versions"
    )
    note = models.CharField(max_length=200, blank=True, default="", db_default="")

    objects = _AgentVersions.as_manager()

    class Meta:
        """Numbers count per agent; the same content is the same version."""

        ordering = ("-number",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("agent", "number"), name="one_version_per_number"),
            models.UniqueConstraint(fields=("agent", "content_hash"), name="one_version_per_content"),
        )

    def __str__(self) -> str:
        return f"{self.agent_id} v{self.number}"
