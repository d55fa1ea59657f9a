"""The latest term of each leader, so that a leader of an earlier one can be kept from writing."""

from __future__ import annotations

from django.db import models


class Leadership(models.Model):
    """The highest term under which somebody has led. `executions_app.fence` reads and writes it."""

    name = models.CharField(primary_key=True, max_length=255)
    term = models.BigIntegerField(default=0)

    class Meta:
        """Nobody edits a term by hand."""

        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: term {self.term}"
