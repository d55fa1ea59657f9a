"""Django's entry for the project itself: its system checks and its groups of users."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ProjectConfig(AppConfig):
    """Registers the project's checks, and keeps the groups right."""

    name = "mongoclaw_project"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "MongoClaw"

    def ready(self) -> None:
        """Register the checks, and what follows migrations and failures to sign in."""
        from mongoclaw_project import checks  # noqa: F401  # importing registers them
        from mongoclaw_project.access import sign_in
        from mongoclaw_project.access.groups import make_groups

        sign_in.connect()
        post_migrate.connect(make_groups, dispatch_uid="mongoclaw.groups")
