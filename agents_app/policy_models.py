"""Policies that agents share, and their published versions."""

from __future__ import annotations

from django.db import models

from agents_app.fixed_rows import FixedRow, FixedRows
from agents_app.ordered_json import OrderedJSONField


class Policy(models.Model):
    """A shared policy, as it is now. What it decides by is said by its current version.

    An archived one is deleted as far as users are concerned; its versions stay for the agents' versions that were
    published with them. `revision` counts every change.
    """

    name = models.CharField(primary_key=True, max_length=64)
    description = models.TextField(blank=True, default="")
    current_version = models.ForeignKey(
        "PolicyVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    archived_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=0)

    class Meta:
        """By name."""

        ordering = ("name",)
        verbose_name_plural = "policies"

    def __str__(self) -> str:
        return self.name


class _PolicyVersions(FixedRows["PolicyVersion"]):
    """Versions of policies."""


class PolicyVersion(FixedRow):
    """What a policy decides by, as published once. Never changes."""

    id = models.BigAutoField(primary_key=True)
    policy = models.ForeignKey(Policy, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    content_hash = models.CharField(max_length=64)
    content = OrderedJSONField()
    published_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    objects = _PolicyVersions.as_manager()

    class Meta:
        """Numbers count per policy; the same content is the same version."""

        ordering = ("-number",)
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(fields=("policy", "number"), name="one_policy_version_per_number"),
            models.UniqueConstraint(fields=("policy", "content_hash"), name="one_policy_version_per_content"),
        )

    def __str__(self) -> str:
        return f"{self.policy_id} v{self.number}"
