"""Django's entry for the project itself: its system checks."""

from __future__ import annotations

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    """Registers the project's checks."""

    name = "mongoclaw_project"
    verbose_name = "MongoClaw"

    def ready(self) -> None:
        """Register the checks."""
        from mongoclaw_project import checks  # noqa: F401  # importing registers them
