"""Django's entry for the ledger."""

from __future__ import annotations

from django.apps import AppConfig


class ExecutionsConfig(AppConfig):
    """The ledger app."""

    name = "executions_app"
    verbose_name = "Executions"
    default_auto_field = "django.db.models.BigAutoField"
